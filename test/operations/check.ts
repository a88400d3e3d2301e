import { expect } from 'vitest'
import { gradients, toDense } from '../../src/autodiff/index.js'
import { type DType, input, type Tensor, type TypedArray, toTypedArray } from '../../src/graph/index.js'
import { compile, type TensorValue } from '../../src/runtime/index.js'
import type { NdArray, Sample } from './array.js'

/** What one use of an operation computes, before and after our graph has a say in it. */
export interface Exercise {
  readonly inputs: readonly Sample[]
  readonly build: (...inputs: Tensor[]) => Tensor | readonly Tensor[]
  /** One array per output; undefined where nothing depends on that output. */
  readonly outputGradients: readonly (NdArray | undefined)[]
}

/** What an oracle says: the outputs, and a gradient per input (null where the input is not float). */
export interface Expected {
  readonly outputs: readonly NdArray[]
  readonly inputGradients: readonly (NdArray | null)[]
}

/**
 * Compiles one program that computes an operation and its gradients, runs it, and compares every element.
 *
 * @param tolerance largest error relative to the largest magnitude of the array that it is in
 */
export async function checkOperation(exercise: Exercise, expected: Expected, tolerance = 1e-5): Promise<void> {
  const leaves = exercise.inputs.map(({ dtype, shape }, i) => input(`input${i}`, dtype, shape))
  const outputs = [exercise.build(...leaves)].flat()
  expect(outputs.length, 'outputs').toBe(expected.outputs.length)
  const floats = leaves.filter((leaf) => leaf.isFloat)
  const { loss, seeds, seed } = weightedSum(outputs, exercise.outputGradients)
  const found = loss && floats.length > 0 ? gradients(loss, floats, { outputGradient: seed }).map(toDense) : []
  const asked: Record<string, Tensor> = Object.fromEntries([
    ...outputs.map((output, i) => [`output${i}`, output] as const),
    ...found.map((gradient, i) => [`gradient${i}`, gradient] as const),
  ])
  const program = await compile({ outputs: asked, threads: 1 })
  const feeds: [string, TypedArray][] = exercise.inputs.map((sample, i) => [`input${i}`, arrayOf(sample)])
  for (const [i, tensor] of seeds) {
    feeds.push([tensor.name, arrayOf({ ...exercise.outputGradients[i]!, dtype: tensor.dtype })])
  }
  const known = feeds.filter(([name]) => program.inputs.has(name))
  const result = await program.run(Object.fromEntries(known))
  await program.dispose()
  for (const [i, output] of outputs.entries()) {
    expect(result[`output${i}`].dtype, `dtype of output ${i}`).toBe(output.dtype)
    expectClose(result[`output${i}`], expected.outputs[i], tolerance, `output ${i}`)
  }
  if (loss === undefined) return
  const expectedGradients = expected.inputGradients.filter((gradient) => gradient !== null)
  expect(floats.length, 'float inputs').toBe(expectedGradients.length)
  for (const [i, gradient] of expectedGradients.entries()) {
    expectClose(result[`gradient${i}`], gradient, tolerance, `gradient of ${floats[i].name}`)
  }
}

/**
 * Σ output · outputGradient over the float outputs that have one; for a single output the output itself, with its
 * gradient as the seed.
 */
function weightedSum(outputs: readonly Tensor[], outputGradients: Exercise['outputGradients']) {
  const seeds = new Map<number, Tensor>()
  for (const [i, { dtype, shape, isFloat }] of outputs.entries()) {
    if (isFloat && outputGradients[i] !== undefined) seeds.set(i, input(`outputGradient${i}`, dtype, shape))
  }
  if (outputs.length === 1) return { loss: seeds.size === 0 ? undefined : outputs[0], seeds, seed: seeds.get(0) }
  const terms = [...seeds].map(([i, seed]) => outputs[i].mul(seed).sum())
  return { loss: terms.length === 0 ? undefined : terms.reduce((a, b) => a.add(b)), seeds, seed: undefined }
}

/** The typed array that a program takes for a sample. */
export function arrayOf({ dtype, data }: { dtype: DType; data: ArrayLike<number> }): TypedArray {
  return toTypedArray(dtype, Array.from(data))
}

/** Compares a computed array with an expected one: shape, and every element within the tolerance. */
export function expectClose(actual: TensorValue, expected: NdArray, tolerance: number, what: string): void {
  expect(actual.shape, `shape of ${what}`).toEqual(expected.shape)
  const values = Array.from(actual.data, Number)
  const largest = expected.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  // A floor for arrays whose parts, of order 1, all but cancel: what is left are rounding errors.
  const allowed = tolerance * Math.max(largest, 0.1)
  for (const [i, value] of expected.data.entries()) {
    const error = Math.abs(values[i] - value)
    if (!(error <= allowed)) expect.fail(`${what}: element ${i} is ${values[i]}, expected ${value} ± ${allowed}`)
  }
}
