import { describe, expect, it } from 'vitest'
import { constant } from '../graph/index.js'
import { evaluate, float32 } from '../runtime/index.js'
import { RMSNorm } from './rms-norm.js'

const rows = constant([3, 4, 0, 0, 1, 7], [3, 2]) // root mean squares √12.5, 0 and 5

async function normed(norm: RMSNorm, weight: readonly number[]): Promise<number[]> {
  norm.weight.data = Float32Array.from(weight)
  return [...float32(await evaluate(norm.forward(rows)))]
}

describe('root mean square norm', () => {
  it('divides by the root of the mean square, keeps the mean and multiplies by a weight', async () => {
    const found = await normed(new RMSNorm(2), [1, 10])
    const expected = [3 / Math.sqrt(12.5), 40 / Math.sqrt(12.5), 0, 0, 0.2, 14]
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5)
  })

  it('adds an epsilon to the mean square', async () => {
    const found = await normed(new RMSNorm(2, { epsilon: 3.5 }), [1, 1])
    for (const [i, value] of [0.75, 1, 0, 0].entries()) expect(found[i]).toBeCloseTo(value, 5) // √(12.5 + 3.5) = 4
  })

  it('starts with a weight of ones and has no bias', () => {
    const { weight, ...others } = new RMSNorm(3).parameters()
    expect([weight.shape, weight.initializer]).toEqual([[3], { kind: 'constant', value: 1 }])
    expect(others).toEqual({})
  })
})
