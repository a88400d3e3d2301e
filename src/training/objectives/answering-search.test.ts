import { describe, expect, it } from 'vitest'
import { AnswerSearch, type AnswerSearchOptions, type AnswerSpan } from './answering-search.js'
import type { QuestionWindow } from './answering-windows.js'

/** Twelve words of one letter, tokens 0 … 11 of the context, each with the space before it. */
const context = 'a b c d e f g h i j k l'
const tokens = {
  starts: Int32Array.from({ length: 12 }, (_, i) => Math.max(0, 2 * i - 1)),
  ends: Int32Array.from({ length: 12 }, (_, i) => 2 * i + 1),
}

/** A window of a question of two tokens with [CLS] and [SEP], so that the context begins at 4. */
function window(first: number, last: number): QuestionWindow {
  const length = 4 + last - first + 1
  const sequence = { ids: new Int32Array(length), segments: new Uint8Array(length) }
  return { ...sequence, question: { question: '', context }, context: tokens, first, last, offset: 4 }
}

const windows = [window(0, 6), window(4, 10), window(8, 12)]

/** Numbers between −3 and 3 that look random, rounded so that float32 has them exactly. */
function logits(seed: number): Float32Array {
  return Float32Array.from({ length: 11 }, (_, i) => Math.round(Math.sin(seed * 37.7 + i * 12.9) * 96) / 32)
}

function search(options: AnswerSearchOptions): AnswerSearch {
  const found = new AnswerSearch(context, options)
  for (const [i, each] of windows.entries()) found.add(each, logits(2 * i), logits(2 * i + 1))
  return found
}

/** Every span of every window, without a look at what is faster. */
function bruteForce(longest: number): { spans: AnswerSpan[]; noAnswer: number } {
  const best = new Map<string, { start: number; end: number; logit: number }>()
  let total = 0
  for (const [w, { first, last }] of windows.entries()) {
    for (let i = first; i < last; i++) {
      for (let j = first; j < last; j++) {
        if (j < i || j - i + 1 > longest) continue
        const logit = logits(2 * w)[4 + i - first] + logits(2 * w + 1)[4 + j - first]
        total += Math.exp(logit)
        const earlier = best.get(`${i} ${j}`)
        if ((earlier?.logit ?? -99) < logit) best.set(`${i} ${j}`, { start: 2 * i, end: 2 * j + 1, logit })
      }
    }
  }
  const none = Math.exp(Math.min(...windows.map((_, w) => logits(2 * w)[0] + logits(2 * w + 1)[0])))
  const sorted = [...best.values()].sort((a, b) => b.logit - a.logit)
  const spans = sorted.map(({ start, end, logit }) => ({ start, end, score: Math.exp(logit) / (total + none) }))
  return { spans, noAnswer: none / (total + none) }
}

describe('AnswerSearch', () => {
  for (const maxAnswerLength of [1, 3, 30]) {
    it(`finds what looking at everything finds, answers of at most ${maxAnswerLength} tokens`, () => {
      const { answers, noAnswerScore } = search({ topK: 20, maxAnswerLength })
      const { spans, noAnswer } = bruteForce(maxAnswerLength)
      const expected = spans.slice(0, 20)
      expect(answers.map(({ score }) => score.toFixed(12))).toEqual(expected.map(({ score }) => score.toFixed(12)))
      expect(noAnswerScore).toBeCloseTo(noAnswer, 12)
      // Spans of equal logits may come in any order.
      const key = ({ start, end, score }: AnswerSpan) => `${score.toFixed(12)} ${start} ${end}`
      const all = new Set(spans.map(key))
      expect(answers.filter((answer) => !all.has(key(answer)))).toEqual([])
      expect(new Set(answers.map(key)).size).toBe(expected.length)
    })
  }

  it('keeps one answer where no more are asked for', () => {
    const [best] = search({ topK: 5 }).answers
    expect(search({}).answers).toEqual([best])
  })

  it('leaves out the space that a token has before its word', () => {
    const [{ start, end }] = search({}).answers
    expect(context.slice(start, end)).toMatch(/^\S(.*\S)?$/)
  })

  it('is certain that there is no answer in a text without tokens', () => {
    const empty = { starts: new Int32Array(0), ends: new Int32Array(0) }
    const found = new AnswerSearch('')
    found.add({ ...window(0, 0), context: empty, offset: -1 }, logits(1), logits(2))
    expect(found.answers).toEqual([])
    expect(found.noAnswerScore).toBe(1)
  })

  it('computes probabilities of logits whose exponential is too large for a number', () => {
    const found = new AnswerSearch(context)
    const high = logits(3).map((logit) => logit + 2000)
    found.add(windows[0], high, high)
    expect(found.answers[0].score).toBeGreaterThan(0)
    expect(found.answers[0].score + found.noAnswerScore).toBeLessThanOrEqual(1)
  })
})
