import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { followsScheme, legalTags } from '../../data/tag-scheme.js'
import { collectLogits, decodeWords, emptyLogits } from './tagging-decoding.js'

const tags = ['O', 'B-A', 'I-A', 'B-B', 'I-B']
const legal = legalTags(tags, 'BIO')

/** Logits that favour one tag by far. */
const sure = (tag: string) => Float32Array.from(tags, (each) => (each === tag ? 9 : 0))

describe('decoding of words', () => {
  it('finds the likeliest of all legal sequences', () => {
    const row = fc.array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: 5, maxLength: 5 })
    const check = (rows: number[][]) => {
      const probabilities = rows.map((logits) => {
        const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
        return logits.map((logit) => Math.exp(logit) / total)
      })
      const all = sequences(rows.length).filter((sequence) => followsScheme(sequence, 'BIO'))
      const likelihood = (sequence: string[]) =>
        sequence.reduce((product, tag, i) => product * probabilities[i][tags.indexOf(tag)], 1)
      const found = decodeWords(
        rows.map((logits) => Float32Array.from(logits)),
        legal,
      )
      const sequence = found.map(({ tag }) => tag)
      expect(followsScheme(sequence, 'BIO')).toBe(true)
      expect(likelihood(sequence)).toBeGreaterThan(Math.max(...all.map(likelihood)) * (1 - 1e-4))
      for (const [i, { tag, score }] of found.entries()) expect(score).toBeCloseTo(probabilities[i][tags.indexOf(tag)])
    }
    fc.assert(fc.property(fc.array(row, { minLength: 1, maxLength: 4 }), check))
  })

  it('takes words without logits for O, but for what an entity around them asks for', () => {
    const tagsOf = (...rows: (Float32Array | undefined)[]) => decodeWords(rows, legal).map(({ tag }) => tag)
    expect(tagsOf(undefined, undefined)).toEqual(['O', 'O'])
    expect(tagsOf(sure('B-A'), undefined, sure('O'))).toEqual(['B-A', 'O', 'O'])
    expect(tagsOf(sure('B-A'), undefined, sure('I-A'))).toEqual(['B-A', 'I-A', 'I-A'])
    expect(decodeWords([undefined, sure('O')], legal)[0].score).toBeUndefined()
    const reversed = legalTags([...tags].reverse(), 'BIO')
    expect(decodeWords([undefined], reversed)).toEqual([{ tag: 'O', score: undefined }])
  })

  it('puts the logits of windows where their words are', () => {
    const window = (sentence: number, ...words: number[]) => ({
      ...{ ids: new Int32Array(4), segments: new Uint8Array(4), places: new Int32Array(words.length) },
      ...{ sentence, words: Int32Array.from(words) },
    })
    const sentences = emptyLogits([3, 2])
    collectLogits(Float32Array.of(1, 2, 3, 4, 5, 6), [window(1, 1), window(0, 0, 2)], sentences)
    expect(sentences).toEqual([
      [Float32Array.of(3, 4), undefined, Float32Array.of(5, 6)],
      [undefined, Float32Array.of(1, 2)],
    ])
  })
})

/** All sequences of so many tags. */
function sequences(length: number): string[][] {
  if (length === 0) return [[]]
  return sequences(length - 1).flatMap((sequence) => tags.map((tag) => [...sequence, tag]))
}
