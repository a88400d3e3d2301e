import { describe, expect, it } from 'vitest'
import { endTokenId, evenPairs, naturalPairs, tokensOf } from '../../bench/pair-batches.js'

const sizes = { vocabularySize: 50, batchTokens: 1000 }
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)

describe('pairs for benchmarks', () => {
  it('are as long as sentences of Multi30k, sources like their targets', () => {
    const pairs = naturalPairs({ ...sizes, batchTokens: 4000 }).flat()
    const sources = pairs.map(({ source }) => source.length)
    // Of 29,000 German captions: mean 14.5, standard deviation 5.1; English ones 14.3 and 4.6.
    expect(sum(sources) / pairs.length).toBeCloseTo(14.5, 0)
    const deviation = Math.sqrt(sum(sources.map((length) => (length - 14.5) ** 2)) / pairs.length)
    expect(Math.abs(deviation - 5.1)).toBeLessThan(0.5)
    const ratios = pairs.map(({ source, target }) => Math.abs(Math.log(target.length / source.length)))
    expect(sum(ratios) / pairs.length).toBeLessThan(0.2)
  })

  it('fill batches with as many tokens, of similar lengths', () => {
    const batches = naturalPairs(sizes)
    for (const batch of batches) {
      expect(Math.abs(sum(batch.map(tokensOf)) - sizes.batchTokens)).toBeLessThan(100)
    }
    const lengths = batches.map((batch) => batch.map(({ source }) => source.length))
    const padded = sum(lengths.map((each) => Math.max(...each) * each.length))
    // Batches of pairs as they come would take nearly twice as many places as there are tokens.
    expect(padded).toBeLessThan(1.3 * sum(lengths.flat()))
    expect(naturalPairs(sizes)).toEqual(batches)
  })

  it('end with the token for that, and have no other special one', () => {
    for (const { source, target } of naturalPairs(sizes).flat()) {
      for (const side of [Array.from(source), Array.from(target)]) {
        expect(side.at(-1)).toBe(endTokenId)
        expect(Math.min(...side.slice(0, -1))).toBeGreaterThan(endTokenId)
        expect(Math.max(...side)).toBeLessThan(sizes.vocabularySize)
      }
    }
  })

  it('are fewer where they are longer, so that batches have as many tokens', () => {
    const shapes = [100, 250, 500].map((length) => evenPairs(length, sizes)[0])
    expect(shapes.map(({ length }) => length)).toEqual([5, 2, 1])
    for (const batch of shapes) expect(sum(batch.map(tokensOf))).toBe(1000)
  })
})
