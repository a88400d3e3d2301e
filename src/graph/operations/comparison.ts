import { broadcastShapes } from '../dimension.js'
import { defineOperation, expectShape, type Operator, onnx } from '../operation.js'
import type { Tensor } from '../tensor.js'
import { sumTo } from './broadcast.js'

function comparison(name: string) {
  return defineOperation<[a: Tensor, b: Tensor]>({
    name,
    type: ([a, b]) => {
      expectShape(a.dtype === b.dtype, name, [a, b], 'two tensors of one dtype')
      return { dtype: 'bool', shape: broadcastShapes(a.shape, b.shape, name) }
    },
    lower: onnx(name),
    gradient: null,
    because: 'a truth value does not change smoothly with its operands',
  })
}

/** a = b, elementwise with broadcasting → bool. */
export const equal = comparison('Equal')

/** a > b, elementwise with broadcasting → bool. */
export const greater = comparison('Greater')

/** a < b, elementwise with broadcasting → bool. */
export const less = comparison('Less')

/** a ≤ b, elementwise with broadcasting → bool. */
export const lessOrEqual = comparison('LessOrEqual')

/** a ∧ b of two bool tensors, elementwise with broadcasting. */
export const and = comparison('And')

/** a ∨ b of two bool tensors, elementwise with broadcasting. */
export const or = comparison('Or')

/** ¬a of a bool tensor. */
export const not: Operator<[a: Tensor]> = defineOperation({
  name: 'Not',
  type: ([a]) => a,
  lower: onnx('Not'),
  gradient: null,
  because: 'a truth value does not change smoothly with its operand',
})

/** a where the condition holds, b elsewhere, with broadcasting. condition bool; a, b of one dtype. */
export const where: Operator<[condition: Tensor, a: Tensor, b: Tensor]> = defineOperation({
  name: 'Where',
  type: ([condition, a, b]) => {
    expectShape(
      condition.dtype === 'bool' && a.dtype === b.dtype,
      'Where',
      [condition, a, b],
      'bool and two of one dtype',
    )
    return {
      dtype: a.dtype,
      shape: broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape, 'Where'), 'Where'),
    }
  },
  lower: onnx('Where'),
  gradient: ([condition, a, b], _y, dy) => {
    const zero = dy.constantLike(0)
    return [null, sumTo(where(condition, dy, zero), a.shape), sumTo(where(condition, zero, dy), b.shape)]
  },
})
