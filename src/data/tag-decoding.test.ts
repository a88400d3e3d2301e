import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeTags } from './tag-decoding.js'
import { legalTags, type TagScheme } from './tag-scheme.js'

/** Each scheme's tags for two types, and its legal sequences as a grammar of tags that each end with a space. */
const schemes: { scheme: TagScheme; tags: string[]; grammar: RegExp }[] = [
  { scheme: 'BIO', tags: ['O', 'B-X', 'I-X', 'B-Y', 'I-Y'], grammar: /^(O |B-(\w) (I-\2 )*)*$/ },
  { scheme: 'BMES', tags: ['B', 'M', 'E', 'S'], grammar: /^(S |B (M )*E )*$/ },
  {
    scheme: 'BIOES',
    tags: ['I-X', 'O', 'B-X', 'E-X', 'S-Y', 'B-Y', 'E-Y'],
    grammar: /^(O |S-\w |B-(\w) (I-\2 )*E-\2 )*$/,
  },
]

/** Every sequence of the tags' indices of a length. */
function allSequences(tags: number, length: number): number[][] {
  if (length === 0) return [[]]
  const shorter = allSequences(tags, length - 1)
  return shorter.flatMap((sequence) => Array.from({ length: tags }, (_, tag) => [...sequence, tag]))
}

const sumOf = (scores: Float32Array, tags: number, sequence: ArrayLike<number>) =>
  Array.from(sequence).reduce((sum, tag, token) => sum + scores[token * tags + tag], 0)

describe('decodeTags', () => {
  it.each(schemes)('finds the best legal sequence of $scheme that there is', ({ scheme, tags, grammar }) => {
    const legal = legalTags(tags, scheme)
    const spell = (sequence: ArrayLike<number>) => Array.from(sequence, (tag) => `${tags[tag]} `).join('')
    const sequences = [1, 2, 3, 4].map((length) =>
      allSequences(tags.length, length).filter((sequence) => grammar.test(spell(sequence))),
    )
    const lengths = fc.integer({ min: 1, max: 4 })
    // Whole numbers have exact sums, and many equal ones.
    const given = lengths.chain((length) => {
      const size = length * tags.length
      return fc.array(fc.integer({ min: -9, max: 0 }), { minLength: size, maxLength: size })
    })
    fc.assert(
      fc.property(given, (numbers) => {
        const scores = Float32Array.from(numbers)
        const found = decodeTags(scores, legal)
        expect(spell(found)).toMatch(grammar)
        const sums = sequences[found.length - 1].map((sequence) => sumOf(scores, tags.length, sequence))
        expect(sumOf(scores, tags.length, found)).toBe(Math.max(...sums))
      }),
      { numRuns: 150, seed: 5 },
    )
  })

  it('gives up the best tag of a token for a legal sequence', () => {
    const tags = ['O', 'B-X', 'M-X', 'E-X', 'S-X']
    const scores = Float32Array.from([
      ...[-3, -0.1, -9, -9, -2], // alone: B-X
      ...[-0.5, -9, -1, -2, -9], // alone: O, which leaves B-X open
      ...[-9, -9, -9, -0.1, -9], // alone: E-X
    ])
    expect(Array.from(decodeTags(scores, legalTags(tags, 'BMES')), (tag) => tags[tag])).toEqual(['B-X', 'M-X', 'E-X'])
  })

  it('is the best tag of every token where all are legal', () => {
    const scores = Float32Array.from([-1, -2, -3, -0.5, -0.25, -9, -7, -6, -5, -0.5, -0.25, -9])
    expect([...decodeTags(scores, legalTags(['O', 'B-X', 'I-X'], 'BIO'))]).toEqual([0, 1, 2, 1])
  })

  it('prefers legal to likely, even where a legal tag has no chance', () => {
    const scores = Float32Array.from([-Infinity, -1, 0, -Infinity, -Infinity, 0])
    expect([...decodeTags(scores, legalTags(['O', 'E-X', 'B-X'], 'BIOES'))]).toEqual([2, 1])
  })

  it('takes no tokens, and refuses what it cannot decode', () => {
    const words = legalTags(['B', 'M', 'E'], 'BMES')
    expect(decodeTags(new Float32Array(0), words)).toHaveLength(0)
    expect(() => decodeTags(new Float32Array(4), words)).toThrow(/\[T, 3\], got 4 numbers/)
    expect(() => decodeTags(new Float32Array(3), words)).toThrow(/a legal sequence of 1 tags, found none of B, M, E/)
    expect(() => decodeTags(new Float32Array(6).fill(Number.NaN), words)).toThrow(/expected numbers as scores/)
  })
})
