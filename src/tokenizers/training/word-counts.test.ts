import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WordCounts } from './word-counts.js'

function countsOf(counts: WordCounts): Map<string, number> {
  return new Map([...counts.words()].map((word, i) => [word, counts.counts[i]]))
}

describe('WordCounts', () => {
  it('counts as a map does, whatever the words', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }), { maxLength: 60 }), (words) => {
        const counts = new WordCounts()
        const expected = new Map<string, number>()
        for (const word of [...words, ...words.slice(0, 5)]) {
          counts.add(`<${word}>`, 1, 1 + word.length)
          expected.set(word, (expected.get(word) ?? 0) + 1)
        }
        expect(countsOf(counts)).toEqual(expected)
        expect(counts.units).toBe([...expected.keys()].join('').length)
      }),
    )
  })

  it('grows to many and to long words', () => {
    const counts = new WordCounts()
    for (let i = 0; i < 5000; i++) counts.add(`word${i % 4000}`, 0, `word${i % 4000}`.length)
    const long = '長'.repeat(4096)
    counts.add(long, 0, long.length)
    expect(counts.size).toBe(4001)
    const all = countsOf(counts)
    expect([all.get('word0'), all.get('word999'), all.get('word1000'), all.get(long)]).toEqual([2, 2, 1, 1])
  })

  it('counts endless words in parts, without cutting a character', () => {
    const counts = new WordCounts()
    const text = `a${'😀'.repeat(100_000)}`
    counts.add(text, 0, text.length)
    expect(countsOf(counts)).toEqual(
      new Map([
        [`a${'😀'.repeat(2047)}`, 1],
        ['😀'.repeat(2048), 47],
        ['😀'.repeat(100_000 - 2047 - 47 * 2048), 1],
      ]),
    )
  })

  it.each([
    ['words', { words: 10 }],
    ['characters', { units: 20 }],
  ])('forgets the rarest at a limit of %s, and says how many', (_name, limits) => {
    const counts = new WordCounts(limits)
    for (let round = 0; round < 3; round++) for (const word of ['aa', 'bb']) counts.add(word, 0, 2)
    for (let i = 0; i < 9; i++) counts.add(`c${i}`, 0, 2)
    expect(countsOf(counts).get('aa')).toBe(3)
    expect(countsOf(counts).get('bb')).toBe(3)
    expect(counts.size).toBeLessThan(11)
    const left = counts.counts.reduce((sum, count) => sum + count, 0)
    expect(left + counts.forgotten).toBe(15)
    expect(counts.forgotten).toBeGreaterThan(0)
  })
})
