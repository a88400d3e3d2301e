import type { Tensor } from '../../src/graph/index.js'
import * as operations from '../../src/graph/operations/index.js'
import {
  at,
  broadcastAt,
  count,
  elementwise,
  fromFront,
  fromPositions,
  type NdArray,
  type Sample,
  withElement,
} from './array.js'
import type { Cases } from './case.js'
import type { Draw } from './draw.js'
import { concat, gather, gatherElements, mean, reduce, scatterElements, sum, transpose, window } from './reference.js'

type Reduce = typeof operations.reduceSum

const reductions =
  (build: Reduce, f: (values: number[]) => number): Cases =>
  (draw) => {
    const shape = draw.shape()
    const reduction = { axes: draw.axes(shape.length), keepDimensions: draw.pick([undefined, false, true]) }
    return {
      // No two elements are equal: the maximum has a derivative.
      inputs: [draw.floats(shape, 'distinct')],
      build: (x) => build(x, reduction),
      reference: (x) => reduce(x, reduction, f),
    }
  }

const argMaxima: Cases = (draw) => {
  const shape = draw.shape(1)
  const axis = draw.axis(shape.length)
  return {
    inputs: [draw.floats(shape, 'distinct')],
    build: (x) => operations.argMax(x, { axis }),
    reference: (x) => reduce(x, { axes: [axis] }, (values) => values.indexOf(Math.max(...values))),
  }
}

/** The same number of elements under another shape, with a size left for inference now and then. */
const reshapes: Cases = (draw) => {
  const x = draw.floats(draw.shape())
  const shape = factors(draw, count(x.shape), draw.integer(count(x.shape) === 1 ? 0 : 1, 4))
  const inferred = draw.integer(-1, shape.length - 1)
  return {
    inputs: [x],
    build: (tensor) => tensor.reshape(withElement(shape, inferred, -1)),
    reference: ({ data }) => ({ shape, data }),
  }
}

/** A product as some number of factors. */
function factors(draw: Draw, product: number, length: number): number[] {
  if (length < 2) return length === 0 ? [] : [product]
  const divisors = Array.from({ length: product }, (_, i) => i + 1).filter((divisor) => product % divisor === 0)
  const first = draw.pick(divisors)
  return [first, ...factors(draw, product / first, length - 1)]
}

const transposes: Cases = (draw) => {
  const shape = draw.shape()
  const permutation = draw.permutation(shape.length)
  return {
    inputs: [draw.floats(shape)],
    build: (x) => operations.transpose(x, { permutation }),
    reference: (x) => transpose(x, permutation),
  }
}

const expansions: Cases = (draw) => {
  const shape = draw.shape()
  const own = draw.narrower(shape)
  return {
    inputs: [draw.floats(own)],
    build: (x) => operations.expand(x, { shape }),
    reference: (x) => fromPositions(shape, (position) => broadcastAt(x, position)),
  }
}

const concatenations: Cases = (draw) => {
  const shape = draw.shape(1, 3)
  const axis = draw.axis(shape.length)
  const along = fromFront(axis, shape.length)
  const inputs = Array.from({ length: draw.integer(1, 3) }, () =>
    draw.floats(withElement(shape, along, draw.integer(1, 3))),
  )
  return {
    inputs,
    build: (...parts) => operations.concat(...parts, { axis }),
    reference: (...parts) => concat(parts, axis),
  }
}

/** Cuts into parts of which some, but not all, are used. */
const splits: Cases = (draw) => {
  const sizes = Array.from({ length: draw.integer(1, 4) }, () => draw.integer(1, 3))
  const shape = draw.shape(1, 3).map((size) => Math.min(size, 3))
  const axis = draw.axis(shape.length)
  const whole = withElement(shape, fromFront(axis, shape.length), sum(sizes))
  const unused = [...sizes.keys()].filter((i) => i > 0 && draw.boolean())
  return {
    inputs: [draw.floats(whole)],
    build: (x) => operations.split(x, { axis, sizes }),
    reference: (x) => sizes.map((size, i) => window(x, axis, sum(sizes.slice(0, i)), size)),
    unused,
  }
}

const slices: Cases = (draw) => {
  const shape = draw.shape(1)
  const axis = draw.axis(shape.length)
  const size = shape[fromFront(axis, shape.length)]
  const start = draw.integer(0, size - 1)
  const end = draw.integer(start + 1, size)
  // −size … −1 count from the end; the end itself has no negative spelling.
  const spelled = (bound: number) => (bound < size && draw.boolean() ? bound - size : bound)
  const [from, to] = [spelled(start), spelled(end)]
  return {
    inputs: [draw.floats(shape)],
    build: (x) => operations.slice(x, { axis, start: from, end: to }),
    reference: (x) => window(x, axis, start, end - start),
  }
}

const pads: Cases = (draw) => {
  const shape = draw.shape(1, 3)
  const axis = draw.axis(shape.length)
  const [before, after] = [draw.integer(0, 3), draw.integer(0, 3)]
  return {
    inputs: [draw.floats(shape)],
    build: (x) => operations.pad(x, { axis, before, after }),
    reference: (x) => window(x, axis, -before, before + x.shape[fromFront(axis, shape.length)] + after),
  }
}

const triangles: Cases = (draw) => {
  const shape = draw.shape(2)
  const [upper, k] = [draw.boolean(), draw.integer(-3, 3)]
  return {
    inputs: [draw.floats(shape)],
    build: (x) => operations.triangle(x, { upper, k }),
    reference: (x) =>
      fromPositions(x.shape, (position) => {
        const [row, column] = position.slice(-2)
        return (upper ? column - row >= k : column - row <= k) ? at(x, position) : 0
      }),
  }
}

/** Leaves of fixed shape, added to nothing: they have outputs only. */
const fills: Cases = (draw) => {
  const shape = draw.shape()
  const [value, dtype] = draw.pick([
    [-2.5, 'float32'],
    [7, 'int64'],
    [1, 'bool'],
  ] as const)
  return {
    inputs: [],
    build: () => operations.fill({ value, shape, dtype }),
    reference: () => fromPositions(shape, () => value),
  }
}

const ranges: Cases = (draw) => {
  const limit = draw.integer(0, 7)
  return {
    inputs: [],
    build: () => operations.range({ limit }),
    reference: () => fromPositions([limit], ([i]) => i),
  }
}

const sizes: Cases = (draw) => {
  const dimension = draw.integer(0, 9)
  return {
    inputs: [],
    build: () => operations.size({ dimension }),
    reference: () => fromPositions([], () => dimension),
  }
}

const gathers: Cases = (draw) => {
  const rows = draw.integer(1, 6)
  const table = draw.floats([rows, ...draw.shape(0, 2).map((size) => Math.min(size, 3))])
  return {
    inputs: [table, draw.integers(draw.shape(0, 2), 0, rows - 1)],
    build: operations.gather,
    reference: gather,
  }
}

/** Rows, more places than rows, and which belongs to which: `rowOf` has −1 in the places left over. */
function rowsAndPlaces(draw: Draw) {
  const shapes = { rows: draw.shape(1, 2).map((size) => Math.min(size, 3)), places: [draw.integer(1, 2)] }
  const rowCount = count(shapes.rows)
  shapes.places.push(Math.ceil(rowCount / shapes.places[0]) + draw.integer(0, 3))
  const placeCount = count(shapes.places)
  const order = draw.permutation(placeCount)
  const rowOf: Sample = {
    ...fromPositions(shapes.places, (position) => {
      const row = order.indexOf(position[0] * shapes.places[1] + position[1])
      return row < rowCount ? row : -1
    }),
    dtype: 'int64',
  }
  const placeOf: Sample = { shape: shapes.rows, data: Float64Array.from(order.slice(0, rowCount)), dtype: 'int64' }
  return { ...shapes, rowOf, placeOf, width: draw.integer(1, 3) }
}

/** The row at a flat index, zeros where it is −1. */
function flatRow({ shape, data }: NdArray, index: number, column: number): number {
  return index < 0 ? 0 : data[index * shape[shape.length - 1] + column]
}

const rowMoves =
  (build: typeof operations.spreadRows, direction: 'spread' | 'collect'): Cases =>
  (draw) => {
    const { rows, places, rowOf, placeOf, width } = rowsAndPlaces(draw)
    const [shape, from, to] = direction === 'spread' ? [rows, rowOf, placeOf] : [places, placeOf, rowOf]
    return {
      inputs: [draw.floats([...shape, width]), from, to],
      build,
      reference: (x, from) =>
        fromPositions([...from.shape, width], (position) =>
          flatRow(x, at(from, position.slice(0, -1)), position[position.length - 1]),
        ),
    }
  }

/** A tensor, an axis of it, and the shape of indices along that axis. */
function indexed(draw: Draw, mostIndices: (size: number) => number) {
  const x = draw.floats(draw.shape(1, 3))
  const axis = draw.axis(x.shape.length)
  const along = fromFront(axis, x.shape.length)
  const size = x.shape[along]
  return { x, axis, along, size, shape: withElement(x.shape, along, draw.integer(1, mostIndices(size))) }
}

const elementGathers: Cases = (draw) => {
  const { x, axis, size, shape } = indexed(draw, (size) => size + 2)
  return {
    inputs: [x, draw.integers(shape, 0, size - 1)],
    build: (x, indices) => operations.gatherElements(x, indices, { axis }),
    reference: (x, indices) => gatherElements(x, indices, axis),
  }
}

/** Where elements are replaced, no two updates go to one place: which of them wins is not defined. */
const elementScatters: Cases = (draw) => {
  const reduction = draw.pick(['none', 'add'] as const)
  const { x, axis, along, size, shape } = indexed(draw, (size) => (reduction === 'add' ? size + 2 : size))
  const order = draw.permutation(size)
  const indices: Sample =
    reduction === 'add'
      ? draw.integers(shape, 0, size - 1)
      : { ...fromPositions(shape, (position) => order[position[along]]), dtype: 'int64' }
  return {
    inputs: [x, indices, draw.floats(shape)],
    build: (x, indices, updates) => operations.scatterElements(x, indices, updates, { axis, reduction }),
    reference: (x, indices, updates) => scatterElements(x, indices, updates, { axis, reduction }),
  }
}

const largestElements: Cases = (draw) => {
  const shape = draw.shape(1, 3)
  const axis = draw.axis(shape.length)
  const along = fromFront(axis, shape.length)
  const count = draw.integer(1, shape[along])
  const ranked = (x: NdArray, position: readonly number[]) => {
    const others = Array.from({ length: shape[along] }, (_, i) => ({
      i,
      value: at(x, withElement(position, along, i)),
    }))
    return others.sort((a, b) => b.value - a.value)[position[along]]
  }
  const chosen = withElement(shape, along, count)
  return {
    // No two elements are equal: which is the largest does not change with small steps.
    inputs: [draw.floats(shape, 'distinct')],
    build: (x) => operations.topK(x, { axis, count }),
    reference: (x) => [
      fromPositions(chosen, (position) => ranked(x, position).value),
      fromPositions(chosen, (position) => ranked(x, position).i),
    ],
  }
}

const oneHots: Cases = (draw) => {
  const depth = draw.integer(1, 5)
  const ids = draw.integers(draw.shape(1, 2), 0, depth - 1)
  return {
    inputs: [ids],
    build: (ids) => operations.oneHot(ids, { depth }),
    reference: (ids: NdArray) =>
      fromPositions([...ids.shape, depth], (position) => Number(at(ids, position.slice(0, -1)) === position.at(-1))),
  }
}

const signs: Cases = (draw) => ({
  inputs: [{ ...draw.integers(draw.shape(), -1, 1), dtype: 'int64' }],
  build: (x: Tensor) => operations.sign(x.cast('float32')),
  reference: elementwise(Math.sign),
})

/** Operations that move, choose and reduce elements, by their names in `operations`. */
export const shapingCases = {
  reduceSum: reductions(operations.reduceSum, sum),
  reduceMean: reductions(operations.reduceMean, mean),
  reduceMax: reductions(operations.reduceMax, (values) => Math.max(...values)),
  argMax: argMaxima,
  reshape: reshapes,
  transpose: transposes,
  expand: expansions,
  concat: concatenations,
  split: splits,
  slice: slices,
  pad: pads,
  triangle: triangles,
  fill: fills,
  range: ranges,
  size: sizes,
  gather: gathers,
  spreadRows: rowMoves(operations.spreadRows, 'spread'),
  collectRows: rowMoves(operations.collectRows, 'collect'),
  gatherElements: elementGathers,
  scatterElements: elementScatters,
  topK: largestElements,
  oneHot: oneHots,
  sign: signs,
}
