import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { sortedTokenBatches, TokenBatches } from './token-batches.js'

const lengthsOf = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 400 })
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)

/** Sentences of 2 to 41 tokens. */
const lengths = Array.from({ length: 5000 }, (_, i) => 2 + ((i * 7919) % 40))

function epochOf(batches: TokenBatches, epoch: number): number[][] {
  const { batchesPerEpoch } = batches
  return Array.from({ length: batchesPerEpoch }, (_, i) => [...batches.batch(epoch * batchesPerEpoch + i)])
}

describe('TokenBatches', () => {
  it('show every example once an epoch, in batches that are not empty and nowhere too large', () => {
    fc.assert(
      fc.property(
        lengthsOf,
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 0, max: 2 }),
        (given, tokens, epoch) => {
          const batches = new TokenBatches(given, tokens, { seed: 5 })
          const found = epochOf(batches, epoch)
          expect(found.flat().sort((a, b) => a - b)).toEqual(given.map((_, i) => i))
          const longest = Math.max(...given)
          const share = sum(given) / batches.batchesPerEpoch
          for (const batch of found) {
            expect(batch.length).toBeGreaterThan(0)
            expect(sum(batch.map((i) => given[i]))).toBeLessThan(share + longest)
          }
          expect(batches.batchesPerEpoch).toBe(Math.max(1, Math.floor(sum(given) / Math.max(tokens, longest))))
        },
      ),
    )
  })

  it('have about as many tokens each, of similar lengths', () => {
    const batches = new TokenBatches(lengths, 1000, { seed: 1 })
    const found = epochOf(batches, 0)
    let padding = 0
    for (const batch of found) {
      const tokens = sum(batch.map((i) => lengths[i]))
      expect(Math.abs(tokens - 1000)).toBeLessThan(60)
      padding += batch.length * Math.max(...batch.map((i) => lengths[i])) - tokens
    }
    // In batches put together at random it is about 0.9.
    expect(padding / sum(lengths)).toBeLessThan(0.08)
  })

  it('are others in every epoch and with every seed, and the same for the same index', () => {
    const batches = new TokenBatches(lengths, 1000, { seed: 1 })
    const [first, second] = [epochOf(batches, 0), epochOf(batches, 1)]
    expect(second).not.toEqual(first)
    expect(epochOf(new TokenBatches(lengths, 1000, { seed: 2 }), 0)).not.toEqual(first)
    const index = batches.batchesPerEpoch + 3
    expect([...new TokenBatches(lengths, 1000, { seed: 1 }).batch(index)]).toEqual(second[3])
    expect([...batches.batch(3)]).toEqual(first[3])
  })

  it('need an example', () => {
    expect(() => new TokenBatches([], 100, { seed: 1 })).toThrow(DataError)
  })
})

describe('sortedTokenBatches', () => {
  it('hold as many examples as fit, the shortest first', () => {
    expect([...sortedTokenBatches([5, 1, 9, 2, 30, 3], 10)]).toEqual([[1, 3, 5], [0], [2], [4]])
    expect([...sortedTokenBatches([], 10)]).toEqual([])
  })
})
