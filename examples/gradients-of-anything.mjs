// @ts-check
/**
 * Automatic differentiation without a model: the gradient and the second derivatives of a formula.
 *
 * Finds the minimum of Rosenbrock's function f(x, y) = (1 − x)² + 100·(y − x²)² (Rosenbrock 1960), which is 0 at (1, 1),
 * by Newton's method: at every step (x, y) moves by −H⁻¹·∇f, with H the matrix of second derivatives.
 *
 *     node examples/gradients-of-anything.mjs
 */
import { compile, float32, gradients, input, toDense } from 'heddle'

const x = input('x', 'float32', [])
const y = input('y', 'float32', [])
const valley = y.sub(x.mul(x))
const f = x.neg().add(1).pow(2).add(valley.pow(2).mul(100))

// Gradients are tensors of the same graph, so they can be differentiated again.
const [fx, fy] = gradients(f, [x, y]).map(toDense)
const [fxx, fxy] = gradients(fx, [x, y]).map(toDense)
const [fyy] = gradients(fy, [y]).map(toDense)

const program = await compile({ inputs: { x, y }, outputs: { f, fx, fy, fxx, fxy, fyy } })
let [px, py] = [-1.2, 1]
for (let step = 0; step <= 8; step++) {
  const results = await program.run({ x: Float32Array.of(px), y: Float32Array.of(py) })
  const [value, gx, gy, a, b, c] = Object.values(results).map((result) => float32(result)[0])
  console.log(`step ${step}  x ${px.toFixed(6)}  y ${py.toFixed(6)}  f ${value.toExponential(3)}`)
  const determinant = a * c - b * b
  px -= (c * gx - b * gy) / determinant
  py -= (a * gy - b * gx) / determinant
}
await program.dispose()
