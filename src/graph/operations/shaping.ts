import { ShapeError } from '../../errors.js'
import {
  add,
  broadcastShapes,
  type Dimension,
  divide,
  formatShape,
  multiply,
  normalizeAxis,
  product,
  type Shape,
  sameShape,
} from '../dimension.js'
import { type DType, toTypedArray } from '../dtype.js'
import { defineOperation, defineOperationWithOutputs, expectShape, type Operator } from '../operation.js'
import type { Tensor } from '../tensor.js'
import { sumTo } from './broadcast.js'
import { conserveRowProduct } from './row-product.js'

/**
 * The same elements in row-major order under another shape; at most one size may be −1, which is then inferred.
 *
 * @throws ShapeError where the counts of elements differ
 */
export const reshape: Operator<[x: Tensor], { shape: Shape }> = defineOperation({
  name: 'Reshape',
  type: ([x], { shape }) => ({ dtype: x.dtype, shape: inferShape(x.shape, shape) }),
  lower: (graph, [x], _attributes, { inputs, output }) => {
    const target = reshapeTarget(inputs[0].shape, output.shape)
    if (target === undefined) return graph.node('Reshape', [x, graph.shape(output.shape)], { allowzero: 1 })
    return graph.node('Reshape', [x, graph.constant(BigInt64Array.from(target, BigInt), [target.length], 'int64')])
  },
  gradient: ([x], y, dy) => {
    const dx = dy.reshape(x.shape)
    if (x.shape.at(-1) === y.shape.at(-1)) conserveRowProduct({ value: x, gradient: dx }, { value: y, gradient: dy })
    return [dx]
  },
})

/** Reorders the axes: axis i of the result is axis permutation[i] of x. */
export const transpose: Operator<[x: Tensor], { permutation: readonly number[] }> = defineOperation({
  name: 'Transpose',
  type: ([x], { permutation }) => {
    const complete = permutation.length === x.rank && x.shape.every((_, axis) => permutation.includes(axis))
    expectShape(complete, 'Transpose', [x], `a permutation of ${x.rank} axes, not [${permutation}]`)
    return { dtype: x.dtype, shape: permutation.map((axis) => x.shape[axis]) }
  },
  lower: (graph, [x], { permutation }) => graph.node('Transpose', [x], { perm: permutation }),
  gradient: (_x, _y, dy, { permutation }) => [
    transpose(dy, { permutation: permutation.map((_, axis) => permutation.indexOf(axis)) }),
  ],
})

/** Repeats x along axes of size 1 (or missing ones) up to the shape. */
export const expand: Operator<[x: Tensor], { shape: Shape }> = defineOperation({
  name: 'Expand',
  type: ([x], { shape }) => ({ dtype: x.dtype, shape: broadcastShapes(x.shape, shape, 'Expand') }),
  lower: (graph, [x], { shape }) => graph.node('Expand', [x, graph.shape(shape)]),
  gradient: ([x], _y, dy) => [sumTo(dy, x.shape)],
})

/** Joins tensors along an axis; all other sizes agree. */
export const concat: Operator<readonly Tensor[], { axis: number }> = defineOperation({
  name: 'Concat',
  type: (inputs, { axis }) => {
    const [first] = inputs
    const at = normalizeAxis(axis, first.rank, 'Concat')
    const fits = inputs.every(
      (x) => x.dtype === first.dtype && sameShape(withSize(x.shape, at, 0), withSize(first.shape, at, 0)),
    )
    expectShape(fits, 'Concat', inputs, `one dtype and equal sizes but on axis ${axis}`)
    return { dtype: first.dtype, shape: withSize(first.shape, at, inputs.map((x) => x.shape[at]).reduce(add)) }
  },
  lower: (graph, inputs, { axis }) => graph.node('Concat', inputs, { axis }),
  gradient: (inputs, y, dy, { axis }) => {
    const at = normalizeAxis(axis, y.rank, 'Concat')
    return split(dy, { axis, sizes: inputs.map((x) => x.shape[at]) })
  },
})

/** Cuts a tensor into consecutive parts along an axis. */
export const split: Operator<[x: Tensor], { axis: number; sizes: Shape }, Tensor[]> = defineOperationWithOutputs({
  name: 'Split',
  type: ([x], { axis, sizes }) => {
    const at = normalizeAxis(axis, x.rank, 'Split')
    expectShape(
      sizes.reduce(add) === x.shape[at],
      'Split',
      [x],
      `sizes ${formatShape(sizes)} to add up to axis ${axis}`,
    )
    return sizes.map((size) => ({ dtype: x.dtype, shape: withSize(x.shape, at, size) }))
  },
  lower: (graph, [x], { axis, sizes }) => graph.nodes(sizes.length, 'Split', [x, graph.shape(sizes)], { axis }),
  gradient: (_x, outputs, outputGradients, { axis }) => {
    const parts = outputs.map(
      (part, i) => outputGradients[i] ?? fill({ value: 0, shape: part.shape, dtype: part.dtype }),
    )
    return [concat(...parts, { axis })]
  },
})

/** Elements start ≤ i < end along an axis. A negative bound counts from the end. Bounds outside of x are errors. */
export const slice: Operator<[x: Tensor], { axis: number; start: Dimension; end: Dimension }> = defineOperation({
  name: 'Slice',
  type: ([x], { axis, start, end }) => {
    const at = normalizeAxis(axis, x.rank, 'Slice')
    const [from, to] = [fromFront(start, x.shape[at]), fromFront(end, x.shape[at])]
    expectShape(isAscending([0, from, to, x.shape[at]]), 'Slice', [x], `bounds ${start} and ${end} within axis ${axis}`)
    return { dtype: x.dtype, shape: withSize(x.shape, at, add(to, multiply(from, -1))) }
  },
  lower: (graph, [x], { axis, start, end }, { inputs }) => {
    const size = inputs[0].shape[normalizeAxis(axis, inputs[0].rank, 'Slice')]
    const [from, to] = [start, end].map((bound) => graph.shape([fromFront(bound, size)]))
    return graph.node('Slice', [x, from, to, graph.constant(BigInt64Array.of(BigInt(axis)), [1], 'int64')])
  },
  gradient: ([x], _y, dy, { axis, start, end }) => {
    const size = x.shape[normalizeAxis(axis, x.rank, 'Slice')]
    const before = fromFront(start, size)
    return [pad(dy, { axis, before, after: add(size, multiply(fromFront(end, size), -1)) })]
  },
})

/** Adds zeros before and after along an axis. */
export const pad: Operator<[x: Tensor], { axis: number; before: Dimension; after: Dimension }> = defineOperation({
  name: 'Pad',
  type: ([x], { axis, before, after }) => {
    const at = normalizeAxis(axis, x.rank, 'Pad')
    return { dtype: x.dtype, shape: withSize(x.shape, at, add(add(before, x.shape[at]), after)) }
  },
  lower: (graph, [x], { axis, before, after }) => {
    const axes = graph.constant(BigInt64Array.of(BigInt(axis)), [1], 'int64')
    return graph.node('Pad', [x, graph.shape([before, after]), '', axes], { mode: 'constant' })
  },
  gradient: ([x], _y, dy, { axis, before }) => [
    slice(dy, { axis, start: before, end: add(before, x.shape[normalizeAxis(axis, x.rank, 'Pad')]) }),
  ],
})

/** A tensor of one repeated value. */
export const fill: Operator<[], { value: number; shape: Shape; dtype: DType }> = defineOperation({
  name: 'ConstantOfShape',
  type: (_inputs, { shape, dtype }) => ({ dtype, shape }),
  lower: (graph, _inputs, { value, shape, dtype }) =>
    graph.node('Expand', [graph.constant(toTypedArray(dtype, [value]), [], dtype), graph.shape(shape)]),
  gradient: () => [],
})

/** The integers 0 … limit − 1, int64 [limit]. */
export const range: Operator<[], { limit: Dimension }> = defineOperation({
  name: 'Range',
  type: (_inputs, { limit }) => ({ dtype: 'int64', shape: [limit] }),
  lower: (graph, _inputs, { limit }) => {
    const [zero, one] = [0n, 1n].map((value) => graph.constant(BigInt64Array.of(value), [], 'int64'))
    return graph.node('Range', [zero, graph.dimension(limit), one])
  },
  gradient: null,
  because: 'it depends on no tensor',
})

/** A dimension as a tensor of rank 0, int64: a number where it is one, else read from the inputs at run time. */
export const size: Operator<[], { dimension: Dimension }> = defineOperation({
  name: 'Size',
  type: () => ({ dtype: 'int64', shape: [] }),
  lower: (graph, _inputs, { dimension }) => graph.dimension(dimension),
  gradient: null,
  because: 'it depends on no tensor',
})

/** Keeps the upper (or lower) triangle of the last two axes from the k-th diagonal on, zeros elsewhere. */
export const triangle: Operator<[x: Tensor], { upper: boolean; k: number }> = defineOperation({
  name: 'Trilu',
  type: ([x]) => x,
  lower: (graph, [x], { upper, k }) =>
    graph.node('Trilu', [x, graph.constant(BigInt64Array.of(BigInt(k)), [], 'int64')], { upper: upper ? 1 : 0 }),
  gradient: (_x, _y, dy, attributes) => [triangle(dy, attributes)],
})

function withSize(shape: Shape, axis: number, size: Dimension): Shape {
  return shape.map((dimension, i) => (i === axis ? size : dimension))
}

function fromFront(bound: Dimension, size: Dimension): Dimension {
  return typeof bound === 'number' && bound < 0 ? add(size, bound) : bound
}

/** Whether sizes never decrease, as far as they are numbers. */
function isAscending(sizes: Shape): boolean {
  const known = sizes.filter((size) => typeof size === 'number')
  return known.every((size, i) => i === 0 || known[i - 1] <= size)
}

function inferShape(from: Shape, to: Shape): Shape {
  const known = product(to.filter((dimension) => dimension !== -1))
  const missing = divide(product(from), known)
  const inferred = to.map((dimension) => (dimension === -1 ? (missing ?? -1) : dimension))
  if (product(inferred) === product(from) && !inferred.includes(-1)) return inferred
  throw new ShapeError(`Reshape: ${formatShape(from)} does not have as many elements as ${formatShape(to)}`)
}

/**
 * The shape operand of ONNX's Reshape, with names copied (0) or inferred (−1); undefined where the sizes have to be
 * written out: for a second inferred name, and for a size that is 0 itself.
 */
function reshapeTarget(from: Shape, to: Shape): number[] | undefined {
  let inferred = false
  const sizes: number[] = []
  for (const [i, dimension] of to.entries()) {
    if (dimension === 0) return undefined
    if (typeof dimension === 'number') sizes.push(dimension)
    else if (dimension === from[i]) sizes.push(0)
    else if (inferred) return undefined
    else {
      inferred = true
      sizes.push(-1)
    }
  }
  return sizes
}
