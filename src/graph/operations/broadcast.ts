import { type Shape, sameShape } from '../dimension.js'
import type { Tensor } from '../tensor.js'
import { reduceSum } from './reduction.js'
import { reshape } from './shaping.js'

/**
 * Sums a tensor over the axes along which `shape` was broadcast to it: the gradient of broadcasting.
 *
 * @param x [..., m, n]; `shape` must broadcast to its shape
 * @returns a tensor of the given shape
 */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  const added = x.rank - shape.length
  const axes = x.shape.flatMap((dimension, axis) =>
    axis < added || (shape[axis - added] === 1 && dimension !== 1) ? [axis] : [],
  )
  const sum = axes.length === 0 ? x : reduceSum(x, { axes, keepDimensions: axes.some((axis) => axis >= added) })
  return sameShape(sum.shape, shape) ? sum : reshape(sum, { shape })
}
