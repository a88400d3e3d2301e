import { sameShape } from '../dimension.js'
import type { Lowering, Value } from '../lowering.js'
import { defineOperation, expectShape, type Operator } from '../operation.js'
import type { Tensor, TensorType } from '../tensor.js'

/** Rows to be moved, where each row of the result comes from, and where each given row goes. */
type Moved = [rows: Tensor, from: Tensor, to: Tensor]

/**
 * Spreads rows over more places than there are: y[p] = rows[from[p]], zeros where from[p] is −1.
 *
 * The indices are those of the flattened rows and places. Each row goes to exactly one place, so that the gradient is a
 * look-up too ({@link collectRows}), and never a scatter.
 *
 * @param rows [...S, D], D a number
 * @param from int64 [...P], the row of each place, or −1
 * @param to int64 [...S], the place of each row: from's inverse
 * @returns [...P, D]
 */
export const spreadRows: Operator<Moved> = defineOperation({
  name: 'SpreadRows',
  type: (inputs) => movedType('SpreadRows', inputs),
  lower: (graph, [rows, from], _attributes, { inputs: [{ shape }] }) => {
    const width = Number(shape[shape.length - 1])
    const zeros = graph.constant(new Float32Array(width), [1, width], 'float32')
    // The index −1 counts from the end, which is then a row of zeros.
    const withZeros = graph.node('Concat', [flatRows(graph, rows, width), zeros], { axis: 0 })
    return graph.node('Gather', [withZeros, from], { axis: 0 })
  },
  gradient: ([_rows, from, to], _y, dy) => [collectRows(dy, to, from), null, null],
})

/**
 * Collects rows from places of which some hold nothing: y[s] = places[from[s]]. The inverse of {@link spreadRows}.
 *
 * @param places [...P, D], D a number
 * @param from int64 [...S], the place of each row; no two are equal
 * @param to int64 [...P], the row of each place, or −1: from's inverse
 * @returns [...S, D]; the places without a row have a gradient of exactly 0
 */
export const collectRows: Operator<Moved> = defineOperation({
  name: 'CollectRows',
  type: (inputs) => movedType('CollectRows', inputs),
  lower: (graph, [places, from], _attributes, { inputs: [{ shape }] }) =>
    graph.node('Gather', [flatRows(graph, places, Number(shape[shape.length - 1])), from], { axis: 0 }),
  gradient: ([_places, from, to], _y, dy) => [spreadRows(dy, to, from), null, null],
})

function movedType(name: string, [rows, from, to]: Moved): TensorType {
  const width = rows.shape[rows.rank - 1]
  const fits = from.dtype === 'int64' && to.dtype === 'int64' && sameShape(rows.shape.slice(0, -1), to.shape)
  expectShape(fits && typeof width === 'number', name, [rows, from, to], 'rows of a known width and int64 indices')
  return { dtype: rows.dtype, shape: [...from.shape, width] }
}

function flatRows(graph: Lowering, rows: Value, width: number): Value {
  return graph.node('Reshape', [rows, graph.constant(BigInt64Array.of(-1n, BigInt(width)), [2], 'int64')])
}
