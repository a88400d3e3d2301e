import { describe, expect, it } from 'vitest'
import { RandomStream } from '../runtime/random.js'
import { SentencePairs } from './sentence-pairs.js'
import { numberedDocuments, storeOf } from './sentence-store.testing.js'

const documentOf = (id: number) => Math.floor(id / 100_000) - 1

/** Documents of 1 to 30 sentences of 1 to 12 tokens. */
function randomDocuments(count: number): number[][][] {
  const random = new RandomStream(3, 'documents')
  const lengths = () => Array.from({ length: 1 + random.integer(30) }, () => 1 + random.integer(12))
  return numberedDocuments(Array.from({ length: count }, lengths))
}

/** The pairs of an epoch as tokens. */
function pairsOf(pairs: SentencePairs, epoch = 0) {
  return Array.from({ length: pairs.count }, (_, index) => {
    const { first, second, follows } = pairs.sequence(index, epoch)
    return { first: Array.from(first.ids), second: Array.from(second?.ids ?? []), follows }
  })
}

describe('SentencePairs', () => {
  const documents = randomDocuments(400)
  const store = storeOf(documents)
  const length = 40
  const make = (seed = 5) => new SentencePairs(store, { length, seed })
  const pairs = pairsOf(make())
  const sentences = new Map(documents.flat().map((sentence) => [sentence[0], sentence]))

  it('are two runs of tokens, each of one document, together at most as long as asked for', () => {
    for (const { first, second } of pairs) {
      expect(first.length + second.length).toBeLessThanOrEqual(length)
      for (const text of [first, second]) {
        expect(text.length).toBeGreaterThan(0)
        expect(text).toEqual(text.map((_, i) => text[0] + i))
      }
    }
  })

  it('follow each other in one document, or are of two', () => {
    for (const { first, second, follows } of pairs) {
      const isSame = documentOf(first[0]) === documentOf(second[0])
      expect(isSame).toBe(follows)
      if (!follows) continue
      expect(second[0]).toBeGreaterThan(first.at(-1) ?? 0)
      // Where nothing was cut off, they touch.
      if (first.length + second.length < length) expect(second[0]).toBe((first.at(-1) ?? 0) + 1)
    }
  })

  it('begin and end with sentences where nothing was cut off', () => {
    const ends = new Set(documents.flat().map((sentence) => sentence.at(-1)))
    const whole = pairs.filter(({ first, second }) => first.length + second.length < length)
    expect(whole.length).toBeGreaterThan(100)
    for (const text of whole.flatMap(({ first, second }) => [first, second])) {
      expect(sentences.has(text[0])).toBe(true)
      expect(ends.has(text.at(-1))).toBe(true)
    }
  })

  it('follow in half of the cases', () => {
    const following = pairs.filter(({ follows }) => follows).length
    expect(pairs.length).toBeGreaterThan(1000)
    expect(Math.abs(following - pairs.length / 2)).toBeLessThan(5 * Math.sqrt(pairs.length / 4))
  })

  it('take others from all documents evenly', () => {
    const small = storeOf(numberedDocuments(Array.from({ length: 5 }, () => Array.from({ length: 500 }, () => 3))))
    const found = pairsOf(new SentencePairs(small, { length: 12, seed: 1 })).filter(({ follows }) => !follows)
    for (let from = 0; from < 5; from++) {
      const own = found.filter(({ first }) => documentOf(first[0]) === from)
      for (let to = 0; to < 5; to++) {
        const count = own.filter(({ second }) => documentOf(second[0]) === to).length
        const expected = to === from ? 0 : own.length / 4
        expect(Math.abs(count - expected)).toBeLessThanOrEqual(5 * Math.sqrt(expected))
      }
    }
  })

  it('are cut at the beginning and the end of the longer text alike', () => {
    const long = storeOf(numberedDocuments(Array.from({ length: 300 }, () => [60, 30])))
    let [before, behind] = [0, 0]
    for (const { first, second, follows } of pairsOf(new SentencePairs(long, { length: 50, seed: 2, shortShare: 0 }))) {
      expect(first.length + second.length).toBe(50)
      expect(Math.abs(first.length - second.length)).toBeLessThanOrEqual(1)
      if (!follows) continue
      before += first[0] % 100_000
      behind += 59 - ((first.at(-1) ?? 0) % 100_000)
    }
    const cut = before + behind
    expect(cut).toBeGreaterThan(3000)
    expect(Math.abs(before - cut / 2)).toBeLessThan(5 * Math.sqrt(cut / 4))
  })

  it('are shorter in one case of ten', () => {
    // With sentences of one token a pair has as many tokens as its target.
    const ones = storeOf(numberedDocuments(Array.from({ length: 20 }, () => Array.from({ length: 3000 }, () => 1))))
    const found = pairsOf(new SentencePairs(ones, { length: 30, seed: 4 })).filter(({ follows }) => follows)
    const short = found.filter(({ first, second }) => first.length + second.length < 30).length
    // One random target of 29 is the largest.
    const expected = 0.1 * (28 / 29) * found.length
    // Of each document the last pair is shorter because the document ends.
    expect(Math.abs(short - expected)).toBeLessThan(20 + 5 * Math.sqrt(expected))
  })

  it('go through every document, but for a last sentence without one that follows', () => {
    // So long that nothing is cut off.
    const found = pairsOf(new SentencePairs(store, { length: 600, seed: 8, shortShare: 0.5 }))
    for (const [index, document] of documents.entries()) {
      let next = document[0][0]
      for (const { first, second, follows } of found.filter(({ first }) => documentOf(first[0]) === index)) {
        expect(first[0]).toBe(next)
        next = 1 + ((follows ? second : first).at(-1) ?? 0)
      }
      const left = document.findIndex(([first]) => first === next)
      expect([-1, document.length - 1]).toContain(left)
      if (left < 0) expect(next).toBe(1 + (document.at(-1)?.at(-1) ?? 0))
    }
  })

  it('depend on seed and epoch alone', () => {
    const again = make()
    const second = pairsOf(again, 1)
    expect(pairsOf(again, 0)).toEqual(pairs)
    expect(second).not.toEqual(pairs)
    expect(pairsOf(make(), 1)).toEqual(second)
    expect(pairsOf(make(6))).not.toEqual(pairs)
  })

  it('are none where no document has two sentences', () => {
    expect(new SentencePairs(storeOf([[[10]], [[20]]]), { length: 8, seed: 1 }).count).toBe(0)
  })
})
