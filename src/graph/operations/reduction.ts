import { divide, normalizeAxis, product, type Shape } from '../dimension.js'
import type { Lowering, Value } from '../lowering.js'
import { defineOperation, type Operator } from '../operation.js'
import type { Tensor } from '../tensor.js'
import { equal } from './comparison.js'
import { expand, reshape } from './shaping.js'

/** Which axes to reduce (all where left out) and whether they stay as axes of size 1 (default false). */
export interface Reduction {
  readonly axes?: readonly number[]
  readonly keepDimensions?: boolean
}

/** Σ x over the axes. x [...] → [...] without the axes, or with size 1 in their places. */
export const reduceSum: Operator<[x: Tensor], Reduction> = defineOperation({
  name: 'ReduceSum',
  type: ([x], reduction) => ({ dtype: x.dtype, shape: reducedShape(x, reduction) }),
  lower: (graph, [x], reduction, { inputs }) => lowerReduction(graph, 'ReduceSum', x, inputs[0], reduction),
  gradient: ([x], _y, dy, reduction) => [spread(dy, x, reduction)],
})

/** The arithmetic mean of x over the axes. x [...] → [...] without the axes, or with size 1 in their places. */
export const reduceMean: Operator<[x: Tensor], Reduction> = defineOperation({
  name: 'ReduceMean',
  type: ([x], reduction) => ({ dtype: x.dtype, shape: reducedShape(x, reduction) }),
  lower: (graph, [x], reduction, { inputs }) => lowerReduction(graph, 'ReduceMean', x, inputs[0], reduction),
  gradient: ([x], y, dy, reduction) => {
    const count = divide(product(x.shape), product(y.shape))
    const share = typeof count === 'number' ? dy.mul(1 / count) : dy.div(x.sizeOf(axesOf(x, reduction)))
    return [spread(share, x, reduction)]
  },
})

/** The largest x along the axes; equal maxima share the gradient. x [...] → [...] without the axes, or with size 1. */
export const reduceMax: Operator<[x: Tensor], Reduction> = defineOperation({
  name: 'ReduceMax',
  type: ([x], reduction) => ({ dtype: x.dtype, shape: reducedShape(x, reduction) }),
  lower: (graph, [x], reduction, { inputs }) => lowerReduction(graph, 'ReduceMax', x, inputs[0], reduction),
  gradient: ([x], y, dy, reduction) => {
    const isMaximum = equal(x, spread(y, x, reduction)).cast(x.dtype)
    const ties = reduceSum(isMaximum, { ...reduction, keepDimensions: true })
    return [spread(dy, x, reduction).mul(isMaximum).div(ties)]
  },
})

/** Index of the first largest x along an axis, int64. x [..., n, ...] → [..., ...] without the axis. */
export const argMax: Operator<[x: Tensor], { axis: number }> = defineOperation({
  name: 'ArgMax',
  type: ([x], { axis }) => ({ dtype: 'int64', shape: reducedShape(x, { axes: [axis] }) }),
  lower: (graph, [x], { axis }) => graph.node('ArgMax', [x], { axis, keepdims: 0 }),
  gradient: null,
  because: 'an index does not change smoothly with the values',
})

function axesOf(x: Tensor, { axes }: Reduction): number[] {
  if (axes === undefined) return x.shape.map((_, axis) => axis)
  return axes.map((axis) => normalizeAxis(axis, x.rank, 'reduction')).sort((a, b) => a - b)
}

function reducedShape(x: Tensor, reduction: Reduction): Shape {
  const axes = axesOf(x, reduction)
  if (reduction.keepDimensions) return x.shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension))
  return x.shape.filter((_, axis) => !axes.includes(axis))
}

function lowerReduction(graph: Lowering, operator: string, x: Value, type: Tensor, reduction: Reduction): Value {
  const axes = axesOf(type, reduction)
  const list = graph.constant(BigInt64Array.from(axes, BigInt), [axes.length], 'int64')
  // An empty list of axes would mean all of them.
  return graph.node(operator, [x, list], { keepdims: reduction.keepDimensions ? 1 : 0, noop_with_empty_axes: 1 })
}

/** Repeats a reduced tensor along the reduced axes. */
function spread(reduced: Tensor, x: Tensor, reduction: Reduction): Tensor {
  const kept = reducedShape(x, { ...reduction, keepDimensions: true })
  return expand(reduction.keepDimensions ? reduced : reshape(reduced, { shape: kept }), { shape: x.shape })
}
