import { count, type NdArray } from './array.js'
import type { OperationCase } from './case.js'

/** A function of several arrays that gives one number. */
type Objective = (inputs: readonly NdArray[]) => number

/** Σ output · outputGradient of a naive implementation: what gradients are taken of. */
export function objective(
  { reference }: Pick<OperationCase, 'reference'>,
  outputGradients: readonly (NdArray | undefined)[],
): Objective {
  return (inputs) => {
    let sum = 0
    for (const [i, output] of [reference(...inputs)].flat().entries()) {
      for (const [j, gradient] of (outputGradients[i]?.data ?? []).entries()) sum += gradient * output.data[j]
    }
    return sum
  }
}

/** ∂f/∂input by central differences, (f(x + h) − f(x − h)) / 2h for each element; the error is of order h². */
export function differences(f: Objective, inputs: readonly NdArray[], at: number, h = 1e-4): NdArray {
  const { shape } = inputs[at]
  const shifted = (element: number, by: number) => {
    const data = Float64Array.from(inputs[at].data)
    data[element] += by
    return f(inputs.map((input, i) => (i === at ? { shape, data } : input)))
  }
  const slope = (_: unknown, element: number) => (shifted(element, h) - shifted(element, -h)) / (2 * h)
  return { shape, data: Float64Array.from({ length: count(shape) }, slope) }
}

/** uᵀ·H·v with H the matrix of second derivatives, by central differences along two directions. */
export function curvature(
  f: Objective,
  inputs: readonly NdArray[],
  directions: readonly [u: readonly NdArray[], v: readonly NdArray[]],
  h = 3e-4,
): number {
  const [u, v] = directions
  const along = (s: number, t: number) =>
    f(
      inputs.map(({ shape, data }, i) => ({
        shape,
        data: data.map((x, j) => x + h * (s * u[i].data[j] + t * v[i].data[j])),
      })),
    )
  return (along(1, 1) - along(1, -1) - along(-1, 1) + along(-1, -1)) / (4 * h * h)
}
