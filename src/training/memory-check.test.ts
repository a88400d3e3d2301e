import { describe, expect, it } from 'vitest'
import { TrainingError } from '../errors.js'
import { checkMemory } from './memory-check.js'
import { tinyModel, tinyObjective } from './tiny.testing.js'

const model = tinyModel()
const check = (batchSize: number, available: number) =>
  checkMemory({
    parameters: model.parameters(),
    objective: { ...tinyObjective(model, batchSize), batchesPerEpoch: 10 },
    batchSize,
    available,
  })
const unlimited = Number.POSITIVE_INFINITY

describe('checkMemory', () => {
  it('grows with the batch by the same amount per example', () => {
    const [two, four, eight] = [2, 4, 8].map((batchSize) => check(batchSize, unlimited))
    expect(two).toBeGreaterThan(1784 * 16)
    expect(eight - four).toBeGreaterThan(1.8 * (four - two))
    expect(eight - four).toBeLessThan(2.2 * (four - two))
  })

  it('names a batch size that fits, and it does', () => {
    const available = check(64, unlimited) / 2
    let message = ''
    try {
      check(64, available)
    } catch (error) {
      expect(error).toBeInstanceOf(TrainingError)
      message = String(error)
    }
    const fitting = Number(/train\.batchSize=(\d+) fits/.exec(message)?.[1])
    expect(fitting).toBeGreaterThan(8)
    expect(fitting).toBeLessThan(64)
    expect(check(fitting, available)).toBeLessThanOrEqual(available)
    expect(message).toContain('train.accumulate=')
  })

  it('names how many tokens fit where batches are counted in them', () => {
    const objective = { ...tinyObjective(model, 64), batchesPerEpoch: 10 }
    const available = check(64, unlimited) / 2
    const options = { parameters: model.parameters(), objective, batchSize: 12, batchTokens: 320, available }
    expect(() => checkMemory(options)).toThrow(
      /for batches of 320\), .*train\.batchTokens=1\d\d fits .*train\.accumulate=[23] /,
    )
  })

  it('says where nothing fits', () => {
    expect(() => check(2, 30_000)).toThrow(/not even one example/)
  })
})
