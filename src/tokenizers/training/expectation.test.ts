import { describe, expect, it } from 'vitest'
import type { Pieces } from '../pieces.js'
import { toCharacterWords } from './character-words.js'
import { digamma, prune, reestimate } from './expectation.js'
import { seedPieces } from './seed-pieces.js'
import { WordCounts } from './word-counts.js'

function wordsOf(counted: Record<string, number>) {
  const counts = new WordCounts()
  for (const [word, count] of Object.entries(counted)) counts.add(word, 0, word.length, count)
  return toCharacterWords(counts, [...new Set(Object.keys(counted).join(''))])
}

function spelled(words: ReturnType<typeof wordsOf>, { starts, lengths }: Pieces): string[] {
  const text = (start: number, length: number) =>
    Array.from(words.symbols.subarray(start, start + length), (symbol) => words.characters[symbol]).join('')
  return Array.from(starts, (start, piece) => text(start, lengths[piece]))
}

describe('digamma', () => {
  it.each([
    // ψ(1) = −γ, ψ(1/2) = −γ − 2 ln 2, ψ(n + 1) = ψ(n) + 1/n
    [1, -0.5772156649015329],
    [0.5, -1.9635100260214235],
    [2, 0.4227843350984671],
    [10, 2.251752589066721],
    [1e6, 13.81551005796427],
  ])('ψ(%d)', (x, value) => expect(digamma(x)).toBeCloseTo(value, 9))
})

describe('seedPieces', () => {
  it('has the substrings that occur twice, unless they always go on the same way', () => {
    const words = wordsOf({ abab: 2, abc: 1, xyz: 1, xyw: 1 })
    const pieces = seedPieces(words, { longest: 3, limit: 100 })
    const found = spelled(words, pieces)
    expect(found.slice(0, 7).sort()).toEqual(['a', 'b', 'c', 'w', 'x', 'y', 'z'])
    // ab 5 times; aba and bab twice; ba twice, but always as bab; xy twice with different ends; abc, xyz, yz … once.
    expect(new Map(found.slice(7).map((piece, i) => [piece, Math.exp(pieces.scores[7 + i])]))).toEqual(
      new Map([
        ['ab', expect.closeTo(10 / 43, 9)],
        ['aba', expect.closeTo(6 / 43, 9)],
        ['bab', expect.closeTo(6 / 43, 9)],
        ['xy', expect.closeTo(4 / 43, 9)],
      ]),
    )
  })

  it('keeps the heaviest at a limit', () => {
    const words = wordsOf({ abab: 2, xyz: 1, xyw: 1 })
    expect(spelled(words, seedPieces(words, { longest: 3, limit: 7 })).slice(6)).toEqual(['ab'])
  })
})

describe('reestimate', () => {
  it('takes the expected counts through the digamma function, without pieces that are not expected', () => {
    const words = wordsOf({ ab: 8, c: 1 })
    const pieces = { ...seedPieces(words, { longest: 2, limit: 9 }), scores: Float64Array.of(-1, -1, -1, -2) }
    // ab as one piece and as two are equally likely: 4 and 4.
    const result = reestimate(words, pieces)
    expect(spelled(words, result)).toEqual(['a', 'b', 'c', 'ab'])
    const sum = digamma(4 + 4 + 1 + 4)
    expect([...result.scores].map((score) => score + sum)).toEqual(
      [4, 4, 1, 4].map((count) => expect.closeTo(digamma(count), 9)),
    )
    const unlikely = { ...pieces, scores: Float64Array.of(-1, -1, -1, -20) }
    expect(spelled(words, reestimate(words, unlikely))).toEqual(['a', 'b', 'c'])
  })
})

describe('prune', () => {
  it('drops the pieces that are missed least, never a character', () => {
    const words = wordsOf({ abab: 50, cdcd: 3, e: 1 })
    const pieces = seedPieces(words, { longest: 2, limit: 20 })
    expect(spelled(words, pieces)).toEqual(['a', 'b', 'c', 'd', 'e', 'ab', 'ba', 'cd', 'dc'])
    expect(spelled(words, prune(words, pieces, 6))).toEqual(['a', 'b', 'c', 'd', 'e', 'ab'])
    expect(spelled(words, prune(words, pieces, 2))).toEqual(['a', 'b', 'c', 'd', 'e'])
  })
})
