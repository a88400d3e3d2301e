import { broadcastShapes } from '../dimension.js'
import type { Operands } from '../operation.js'
import { defineOperation, expectShape, type Operator, onnx } from '../operation.js'
import type { Tensor, TensorType } from '../tensor.js'
import { sumTo } from './broadcast.js'

function binaryType(name: string) {
  return ([a, b]: readonly [Tensor, Tensor]): TensorType => {
    const inputs: Operands = [a, b]
    expectShape(a.dtype === b.dtype, name, inputs, 'two tensors of one dtype')
    return { dtype: a.dtype, shape: broadcastShapes(a.shape, b.shape, name) }
  }
}

/** a + b, elementwise with broadcasting. */
export const add: Operator<[a: Tensor, b: Tensor]> = defineOperation({
  name: 'Add',
  type: binaryType('Add'),
  lower: onnx('Add'),
  gradient: ([a, b], _y, dy) => [sumTo(dy, a.shape), sumTo(dy, b.shape)],
})

/** a − b, elementwise with broadcasting. */
export const sub: Operator<[a: Tensor, b: Tensor]> = defineOperation({
  name: 'Sub',
  type: binaryType('Sub'),
  lower: onnx('Sub'),
  gradient: ([a, b], _y, dy) => [sumTo(dy, a.shape), sumTo(dy, b.shape).neg()],
})

/** a · b, elementwise with broadcasting. */
export const mul: Operator<[a: Tensor, b: Tensor]> = defineOperation({
  name: 'Mul',
  type: binaryType('Mul'),
  lower: onnx('Mul'),
  gradient: ([a, b], _y, dy) => [sumTo(dy.mul(b), a.shape), sumTo(dy.mul(a), b.shape)],
})

/** a / b, elementwise with broadcasting. */
export const div: Operator<[a: Tensor, b: Tensor]> = defineOperation({
  name: 'Div',
  type: binaryType('Div'),
  lower: onnx('Div'),
  // ∂(a/b)/∂b = −a/b² = −y/b
  gradient: ([a, b], y, dy) => [sumTo(dy.div(b), a.shape), sumTo(dy.mul(y).div(b), b.shape).neg()],
})

/** aⁿ for a constant exponent n. */
export const pow: Operator<[a: Tensor], { exponent: number }> = defineOperation({
  name: 'Pow',
  type: ([a]) => a,
  lower: (graph, [a], { exponent }) => graph.node('Pow', [a, graph.constant(Float32Array.of(exponent), [], 'float32')]),
  gradient: ([a], _y, dy, { exponent }) => [
    // Without this case 0⁻¹ would make 0⁰ differentiate to 0 · ∞.
    exponent === 0 ? null : dy.mul(pow(a, { exponent: exponent - 1 })).mul(exponent),
  ],
})
