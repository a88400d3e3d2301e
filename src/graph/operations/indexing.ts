import { type Dimension, normalizeAxis, sameShape } from '../dimension.js'
import { defineOperation, defineOperationWithOutputs, expectShape, type Operator, Rows } from '../operation.js'
import type { Tensor } from '../tensor.js'
import { conserveRowProduct } from './row-product.js'

/**
 * Rows of a table by index: an embedding's look-up.
 *
 * @param table [count, ...row]
 * @param ids int64 [...], each in [0, count)
 * @returns [...ids, ...row]; its gradient is sparse, see {@link Rows}
 */
export const gather: Operator<[table: Tensor, ids: Tensor]> = defineOperation({
  name: 'Gather',
  type: ([table, ids]) => {
    expectShape(table.rank > 0 && ids.dtype === 'int64', 'Gather', [table, ids], 'a table and int64 indices')
    return { dtype: table.dtype, shape: [...ids.shape, ...table.shape.slice(1)] }
  },
  lower: (graph, [table, ids]) => graph.node('Gather', [table, ids], { axis: 0 }),
  gradient: ([_table, ids], _y, dy) => [new Rows(ids, dy), null],
})

/**
 * y[i, j] = x[i, indices[i, j]] (along the last axis; likewise along others).
 *
 * @param indices int64, of x's rank, sizes equal to x's but along the axis
 */
export const gatherElements: Operator<[x: Tensor, indices: Tensor], { axis: number }> = defineOperation({
  name: 'GatherElements',
  type: ([x, indices], { axis }) => {
    checkAlongAxis('GatherElements', x, indices, axis)
    return { dtype: x.dtype, shape: indices.shape }
  },
  lower: (graph, [x, indices], { axis }) => graph.node('GatherElements', [x, indices], { axis }),
  gradient: ([x, indices], _y, dy, { axis }) => [
    scatterElements(x.constantLike(0).expand(x.shape), indices, dy, { axis, reduction: 'add' }),
    null,
  ],
})

/** x with y[i, indices[i, j]] replaced by, or increased by, updates[i, j] (along the last axis; likewise along others). */
export const scatterElements: Operator<
  [x: Tensor, indices: Tensor, updates: Tensor],
  { axis: number; reduction: 'none' | 'add' }
> = defineOperation({
  name: 'ScatterElements',
  type: ([x, indices, updates], { axis }) => {
    checkAlongAxis('ScatterElements', x, indices, axis)
    expectShape(
      sameShape(updates.shape, indices.shape),
      'ScatterElements',
      [x, indices, updates],
      'an update per index',
    )
    return x
  },
  lower: (graph, inputs, { axis, reduction }) => graph.node('ScatterElements', inputs, { axis, reduction }),
  gradient: ([_x, indices, updates], _y, dy, { axis, reduction }) => [
    reduction === 'add'
      ? dy
      : scatterElements(dy, indices, updates.constantLike(0).expand(updates.shape), { axis, reduction }),
    null,
    gatherElements(dy, indices, { axis }),
  ],
})

/**
 * The largest elements along an axis, the largest first and of equals the first: [their values, their indices].
 *
 * @param x [..., n, ...]
 * @returns float [..., count, ...] and int64 [..., count, ...]
 */
export const topK: Operator<[x: Tensor], { axis: number; count: Dimension }, Tensor[]> = defineOperationWithOutputs({
  name: 'TopK',
  type: ([x], { axis, count }) => {
    const at = normalizeAxis(axis, x.rank, 'TopK')
    const size = x.shape[at]
    const fits = typeof count === 'string' || typeof size === 'string' || count <= size
    expectShape(fits, 'TopK', [x], `${count} or more elements along axis ${axis}`)
    const shape = x.shape.map((dimension, i) => (i === at ? count : dimension))
    return [
      { dtype: x.dtype, shape },
      { dtype: 'int64', shape },
    ]
  },
  lower: (graph, [x], { axis, count }) => graph.nodes(2, 'TopK', [x, graph.shape([count])], { axis }),
  gradient: ([x], [_values, indices], [dy], { axis }) => {
    if (dy === undefined) return [null]
    return [scatterElements(x.constantLike(0).expand(x.shape), indices, dy, { axis, reduction: 'add' })]
  },
})

/** 1 where the last axis' index equals the id, else 0. ids int64 [N, ...] → float32 [N, ..., depth]. */
export const oneHot: Operator<[ids: Tensor], { depth: number }> = defineOperation({
  name: 'OneHot',
  type: ([ids], { depth }) => {
    expectShape(ids.dtype === 'int64' && ids.rank > 0, 'OneHot', [ids], 'int64 of rank 1 or more')
    return { dtype: 'float32', shape: [...ids.shape, depth] }
  },
  lower: (graph, [ids], { depth }) => {
    const values = graph.constant(Float32Array.of(0, 1), [2], 'float32')
    return graph.node('OneHot', [ids, graph.constant(BigInt64Array.of(BigInt(depth)), [], 'int64'), values], {
      axis: -1,
    })
  },
  gradient: null,
  because: 'an index does not change smoothly',
})

/**
 * Inverted dropout (Srivastava et al. 2014): x / (1 − p) where kept, 0 elsewhere.
 *
 * @param keep bool, broadcastable to x
 */
export const dropout: Operator<[x: Tensor, keep: Tensor], { probability: number }> = defineOperation({
  name: 'Dropout',
  type: ([x, keep]) => {
    expectShape(keep.dtype === 'bool' && sameShape(x.shape, keep.shape), 'Dropout', [x, keep], 'a bool per element')
    return x
  },
  lower: (graph, [x, keep], { probability }, { inputs }) => {
    const scale = graph.constant(Float32Array.of(1 / (1 - probability)), [], 'float32')
    const scaled = graph.node('Mul', [x, scale])
    return graph.node('Where', [keep, scaled, graph.constant(Float32Array.of(0), [], inputs[0].dtype)])
  },
  gradient: ([x, keep], y, dy, attributes) => {
    const dx = dropout(dy, keep, attributes)
    conserveRowProduct({ value: x, gradient: dx }, { value: y, gradient: dy })
    return [dx, null]
  },
})

function checkAlongAxis(name: string, x: Tensor, indices: Tensor, axis: number): void {
  const at = normalizeAxis(axis, x.rank, name)
  const fits = indices.rank === x.rank && indices.shape.every((size, i) => i === at || size === x.shape[i])
  expectShape(fits && indices.dtype === 'int64', name, [x, indices], `int64 indices with x's sizes but on axis ${axis}`)
}
