import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../errors.js'
import { RandomStream } from '../../runtime/random.js'
import { trainCharacterTokenizer } from '../../tokenizers/characters.js'
import { createTokenizer } from '../../tokenizers/node.js'
import { SpanCorruption, sentinelTokens, TextInfilling } from './corruption.js'

const tokenizer = createTokenizer(trainCharacterTokenizer('abc', ['<pad>', '</s>', '<mask>', ...sentinelTokens]))
const mask = tokenizer.specialTokens.mask!.id
const sentinels = sentinelTokens.map((token) => tokenizer.tokenToId(token)!)
const isSentinel = (id: number) => sentinels.includes(id)

/** Tokens no two of which are equal, and none of them special. */
const textOf = (length: number, sentenceStarts = [0]) => ({
  ids: Array.from({ length }, (_, i) => 1000 + i),
  sentenceStarts,
})
const lengths = fc.integer({ min: 1, max: 300 })
const seeds = fc.integer({ min: 0, max: 1000 })
const shares = fc.double({ min: 0.01, max: 0.95, noNaN: true })
const spans = fc.double({ min: 1, max: 10, noNaN: true })

/** A source with what the target has behind each sentinel put in place of it. */
function restored(source: readonly number[], target: readonly number[]): number[] {
  return source.flatMap((id) => {
    if (!isSentinel(id)) return [id]
    const start = target.indexOf(id) + 1
    return target.slice(
      start,
      target.findIndex((other, i) => i >= start && isSentinel(other)),
    )
  })
}

describe('SpanCorruption', () => {
  it('drops spans that the target has, so that both together are the text', () => {
    fc.assert(
      fc.property(lengths, seeds, shares, spans, (length, seed, share, meanSpan) => {
        const corruption = new SpanCorruption(tokenizer, { share, meanSpan })
        const text = textOf(length)
        const { source, target } = corruption.corrupt(text, new RandomStream(seed, 'test'))
        expect(restored(source, target)).toEqual(text.ids)
        const marks = source.filter(isSentinel)
        expect(marks).toEqual(sentinels.slice(0, marks.length))
        // One more marks the end.
        expect(target.filter(isSentinel)).toEqual(sentinels.slice(0, marks.length + 1))
        expect(target.at(-1)).toBe(sentinels[marks.length])
        // No two spans touch, none is empty.
        for (const side of [source, target]) {
          expect(side.some((id, i) => isSentinel(id) && isSentinel(side[i + 1]))).toBe(false)
        }
        expect(Math.max(source.length, target.length)).toBe(corruption.longest(length))
      }),
    )
  })

  it('drops 15 % in spans of 3 on the average, anywhere', () => {
    const corruption = new SpanCorruption(tokenizer, { share: 0.15, meanSpan: 3 })
    const dropped = new Float64Array(200)
    for (let seed = 0; seed < 400; seed++) {
      const { source, target } = corruption.corrupt(textOf(200), new RandomStream(seed, 'test'))
      expect(source.filter(isSentinel).length).toBe(10)
      expect(target.length).toBe(30 + 11)
      for (const id of target) if (!isSentinel(id)) dropped[id - 1000]++
    }
    // Each of ten parts of the text lost about 15 % of its 20 tokens in each of the 400 texts.
    for (let part = 0; part < 10; part++) {
      const count = dropped.subarray(20 * part, 20 * part + 20).reduce((a, b) => a + b)
      expect(count / (400 * 20)).toBeGreaterThan(0.12)
      expect(count / (400 * 20)).toBeLessThan(0.18)
    }
  })

  it('is a function of the stream, and has no more spans than there are sentinels', () => {
    const corruption = new SpanCorruption(tokenizer, { share: 0.15, meanSpan: 3 })
    const corrupt = (seed: number, step = 0) => corruption.corrupt(textOf(90), new RandomStream(seed, 'test', step))
    expect(corrupt(1)).toEqual(corrupt(1))
    expect(corrupt(2)).not.toEqual(corrupt(1))
    expect(corrupt(1, 1)).not.toEqual(corrupt(1))
    const { source } = corruption.corrupt(textOf(4000), new RandomStream(1, 'test'))
    expect(source.filter(isSentinel).length).toBe(99)
  })

  it('needs sentinels', () => {
    const plain = createTokenizer(trainCharacterTokenizer('abc', ['<pad>', '</s>']))
    expect(() => new SpanCorruption(plain, { share: 0.15, meanSpan: 3 })).toThrow(ConfigError)
  })
})

describe('TextInfilling', () => {
  const rules = { share: 0.3, meanSpan: 3, permuteSentences: false }

  it('keeps all but a share of the tokens in order, with a mask for each span, and asks for the whole text', () => {
    fc.assert(
      fc.property(lengths, seeds, shares, spans, (length, seed, share, meanSpan) => {
        const infilling = new TextInfilling(tokenizer, { share, meanSpan, permuteSentences: false })
        const text = textOf(length)
        const { source, target } = infilling.corrupt(text, new RandomStream(seed, 'test'))
        expect(target).toEqual(text.ids)
        const kept = source.filter((id) => id !== mask)
        expect(kept).toEqual([...kept].sort((a, b) => a - b))
        expect(length - kept.length).toBe(Math.round(share * length))
        expect(source.length).toBeLessThanOrEqual(length)
        // Where tokens are missing there is a mask.
        for (let i = 1; i < source.length; i++) {
          if (source[i] !== mask && source[i - 1] !== mask) expect(source[i]).toBe(source[i - 1] + 1)
        }
      }),
    )
  })

  it('draws lengths of spans from a Poisson distribution', () => {
    const infilling = new TextInfilling(tokenizer, rules)
    const counts = new Float64Array(12)
    let inserted = 0
    for (let seed = 0; seed < 300; seed++) {
      const { source } = infilling.corrupt(textOf(600), new RandomStream(seed, 'test'))
      let last = 999
      for (const [i, id] of source.entries()) {
        if (id === mask) continue
        const missing = id - last - 1
        if (missing > 0) counts[Math.min(11, missing)]++
        else if (source[i - 1] === mask) inserted++
        last = id
      }
    }
    const total = counts.reduce((a, b) => a + b)
    // P(k) = 3ᵏ/k! / (e³ − 1) of those that are not empty; the empty ones are e⁻³ of all.
    const weight = Math.exp(3) - 1
    for (const [k, expected] of [3, 4.5, 4.5, 3.375, 2.025].entries()) {
      expect(counts[k + 1] / total).toBeGreaterThan(expected / weight - 0.02)
      expect(counts[k + 1] / total).toBeLessThan(expected / weight + 0.02)
    }
    expect(inserted / (inserted + total)).toBeGreaterThan(0.035)
    expect(inserted / (inserted + total)).toBeLessThan(0.06)
  })

  it('puts sentences into a random order, each whole', () => {
    const infilling = new TextInfilling(tokenizer, { ...rules, share: 0.001, permuteSentences: true })
    const text = textOf(12, [0, 4, 5, 9])
    const orders = new Set<string>()
    for (let seed = 0; seed < 300; seed++) {
      const { source, target } = infilling.corrupt(text, new RandomStream(seed, 'test'))
      expect(target).toEqual(text.ids)
      expect([...source].sort((a, b) => a - b)).toEqual(text.ids)
      const sentences = ['1000 1001 1002 1003', '1004', '1005 1006 1007 1008', '1009 1010 1011']
      const order = sentences.map((sentence) => source.join(' ').indexOf(sentence))
      expect(order).not.toContain(-1)
      orders.add(order.join())
    }
    expect(orders.size).toBe(24)
  })

  it('needs a mask', () => {
    const plain = createTokenizer(trainCharacterTokenizer('abc', ['<pad>', '</s>']))
    expect(() => new TextInfilling(plain, rules)).toThrow(ConfigError)
  })
})
