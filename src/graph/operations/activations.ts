import { float } from '../lowering.js'
import { defineOperation, type Operator, onnx } from '../operation.js'
import type { Tensor } from '../tensor.js'
import { where } from './comparison.js'

/** max(x, 0) (Vaswani et al. 2017, §3.3); its gradient at 0 is 0. */
export const relu: Operator<[x: Tensor]> = defineOperation({
  name: 'Relu',
  type: ([x]) => x,
  lower: onnx('Relu'),
  gradient: ([x], _y, dy) => [where(x.greater(0), dy, dy.constantLike(0))],
})

/** The hyperbolic tangent of x. */
export const tanh: Operator<[x: Tensor]> = defineOperation({
  name: 'Tanh',
  type: ([x]) => x,
  lower: onnx('Tanh'),
  gradient: (_x, y, dy) => [dy.sub(dy.mul(y).mul(y))],
})

/** σ(x) = 1 / (1 + e⁻ˣ). */
export const sigmoid: Operator<[x: Tensor]> = defineOperation({
  name: 'Sigmoid',
  type: ([x]) => x,
  lower: onnx('Sigmoid'),
  // σ' = σ(1 − σ)
  gradient: (_x, y, dy) => [dy.mul(y.sub(y.mul(y)))],
})

/** Gaussian error linear unit, x·Φ(x) with Φ the standard normal distribution function (Hendrycks & Gimpel 2016, §2). */
export const gelu: Operator<[x: Tensor]> = defineOperation({
  name: 'Gelu',
  type: ([x]) => x,
  lower: onnx('Gelu', () => ({ approximate: 'none' })),
  // d/dx x·Φ(x) = Φ(x) + x·φ(x); with z = x/√2 it is ½ (1 + erf z) + z·e^(−z²)/√π
  gradient: ([x], _y, dy) => {
    const z = x.mul(Math.SQRT1_2)
    // The factor 1/√π stands in the exponent, which spares a pass over the tensor.
    const density = z.mul(
      z
        .constantLike(-Math.log(Math.PI) / 2)
        .sub(z.mul(z))
        .exp(),
    )
    return [dy.mul(z.erf().mul(0.5).add(0.5).add(density))]
  },
})

/** The tanh approximation of GELU, ½x(1 + tanh(√(2/π)(x + 0.044715x³))) (Hendrycks & Gimpel 2016, §2), as GPT-2 uses it. */
export const geluTanh: Operator<[x: Tensor]> = defineOperation({
  name: 'GeluTanh',
  type: ([x]) => x,
  lower: onnx('Gelu', () => ({ approximate: 'tanh' })),
  // y = x·s with s = σ(2u), 2u = x(a + bx²): dy/dx = s + y(1 − s)(a + 3bx²)
  gradient: ([x], y, dy) => {
    const a = 2 * Math.sqrt(2 / Math.PI)
    const bxx = x.mul(x).mul(0.044715 * a)
    const s = sigmoid(x.mul(bxx.add(a)))
    const slope = y.sub(y.mul(s)).mul(bxx.mul(3).add(a))
    return [dy.mul(s.add(slope))]
  },
})

/** x·σ(x), the sigmoid linear unit or Swish (Elfwing et al. 2017; Ramachandran et al. 2017). */
export const silu: Operator<[x: Tensor]> = defineOperation({
  name: 'Silu',
  type: ([x]) => x,
  lower: onnx('QuickGelu', () => ({ alpha: float(1) }), 'com.microsoft'),
  // d/dx x·σ = σ + y(1 − σ)
  gradient: ([x], y, dy) => {
    const s = sigmoid(x)
    return [dy.mul(s.add(y.sub(y.mul(s))))]
  },
})
