import type { DType } from '../dtype.js'
import { isFloat, onnxType } from '../dtype.js'
import { defineOperation, type Operator, onnx } from '../operation.js'
import type { Tensor } from '../tensor.js'
import { where } from './comparison.js'

/** −x. */
export const neg: Operator<[x: Tensor]> = defineOperation({
  name: 'Neg',
  type: ([x]) => x,
  lower: onnx('Neg'),
  gradient: (_x, _y, dy) => [dy.neg()],
})

/** eˣ. */
export const exp: Operator<[x: Tensor]> = defineOperation({
  name: 'Exp',
  type: ([x]) => x,
  lower: onnx('Exp'),
  gradient: (_x, y, dy) => [dy.mul(y)],
})

/** The natural logarithm of x. */
export const log: Operator<[x: Tensor]> = defineOperation({
  name: 'Log',
  type: ([x]) => x,
  lower: onnx('Log'),
  gradient: ([x], _y, dy) => [dy.div(x)],
})

/** √x. */
export const sqrt: Operator<[x: Tensor]> = defineOperation({
  name: 'Sqrt',
  type: ([x]) => x,
  lower: onnx('Sqrt'),
  // d√x/dx = 1 / (2√x)
  gradient: (_x, y, dy) => [dy.div(y).mul(0.5)],
})

/** 1 / x. */
export const reciprocal: Operator<[x: Tensor]> = defineOperation({
  name: 'Reciprocal',
  type: ([x]) => x,
  lower: onnx('Reciprocal'),
  // d(1/x)/dx = −1/x² = −y²
  gradient: (_x, y, dy) => [dy.mul(y).mul(y).neg()],
})

/** |x|; its gradient at 0 is 0. */
export const abs: Operator<[x: Tensor]> = defineOperation({
  name: 'Abs',
  type: ([x]) => x,
  lower: onnx('Abs'),
  gradient: ([x], _y, dy) => [dy.mul(sign(x))],
})

/** −1, 0 or 1. */
export const sign: Operator<[x: Tensor]> = defineOperation({
  name: 'Sign',
  type: ([x]) => x,
  lower: onnx('Sign'),
  gradient: null,
  because: 'the sign is piecewise constant',
})

/** sin x, x in radians. */
export const sin: Operator<[x: Tensor]> = defineOperation({
  name: 'Sin',
  type: ([x]) => x,
  lower: onnx('Sin'),
  gradient: ([x], _y, dy) => [dy.mul(cos(x))],
})

/** cos x, x in radians. */
export const cos: Operator<[x: Tensor]> = defineOperation({
  name: 'Cos',
  type: ([x]) => x,
  lower: onnx('Cos'),
  gradient: ([x], _y, dy) => [dy.mul(sin(x)).neg()],
})

/** The error function, 2/√π ∫₀ˣ e^(−t²) dt. */
export const erf: Operator<[x: Tensor]> = defineOperation({
  name: 'Erf',
  type: ([x]) => x,
  lower: onnx('Erf'),
  gradient: ([x], _y, dy) => [dy.mul(x.mul(x).neg().exp()).mul(2 / Math.sqrt(Math.PI))],
})

/** x as another dtype; between floats gradients are cast back, integers and truth values pass none. */
export const cast: Operator<[x: Tensor], { dtype: DType }> = defineOperation({
  name: 'Cast',
  type: ([x], { dtype }) => ({ dtype, shape: x.shape }),
  lower: (graph, [x], { dtype }) => graph.node('Cast', [x], { to: onnxType[dtype] }),
  gradient: ([x], y, dy) => [isFloat(x.dtype) && isFloat(y.dtype) ? cast(dy, { dtype: x.dtype }) : null],
})

/** min(max(x, minimum), maximum); no gradient passes where x is cut. */
export const clip: Operator<[x: Tensor], { minimum: number; maximum: number }> = defineOperation({
  name: 'Clip',
  type: ([x]) => x,
  lower: (graph, [x], { minimum, maximum }) => {
    const bound = (value: number) => graph.constant(Float32Array.of(value), [], 'float32')
    return graph.node('Clip', [x, bound(minimum), bound(maximum)])
  },
  gradient: ([x], y, dy) => [where(x.equal(y), dy, dy.constantLike(0))],
})
