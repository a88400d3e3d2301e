import { describe, expect, it } from 'vitest'
import { createTokenizer } from '../../tokenizers/node.js'
import { bertTemplate, letters } from '../../tokenizers/sequences.testing.js'
import { coveringTokens, encodeQuestions, windowSizes } from './answering-windows.js'

/** a 5, b 6, ab 7, ##a 8, ##b 9, ##bb 10, . 11, 中 12, 😀 13; [CLS] 2, [SEP] 3. */
const tokenizer = createTokenizer(JSON.stringify(letters({ post_processor: bertTemplate })))

const context = '中😀 aba. 中'
// 中 😀 ab ##a . 中 in UTF-16 code units, of which the emoji has two.
const starts = [0, 1, 4, 6, 7, 9]
const ends = [1, 3, 6, 7, 8, 10]

describe('encodeQuestions', () => {
  it('cuts a context into windows that overlap, each with the question', async () => {
    const question = { question: ' a b ', context }
    const windows = await encodeQuestions([question], tokenizer, { maxLength: 9, stride: 1 })
    expect(windows.map(({ ids }) => [...ids])).toEqual([
      [2, 5, 6, 3, 12, 13, 7, 8, 3],
      [2, 5, 6, 3, 8, 11, 12, 3],
    ])
    expect(windows.map(({ segments }) => [...segments])).toEqual([
      [0, 0, 0, 0, 1, 1, 1, 1, 1],
      [0, 0, 0, 0, 1, 1, 1, 1],
    ])
    expect(windows.map(({ first, last, offset }) => [first, last, offset])).toEqual([
      [0, 4, 4],
      [3, 6, 4],
    ])
    for (const window of windows) {
      expect(window.question).toBe(question)
      expect([...window.context.starts]).toEqual(starts)
      expect([...window.context.ends]).toEqual(ends)
    }
  })

  it('keeps the order of many questions', async () => {
    const questions = Array.from({ length: 1100 }, (_, i) => ({ question: 'a', context: 'b '.repeat(1 + (i % 7)) }))
    const windows = await encodeQuestions(questions, tokenizer, { maxLength: 30, stride: 5 })
    expect(windows.map(({ question }) => questions.indexOf(question))).toEqual(questions.map((_, i) => i))
    expect(windows.map(({ ids }) => ids.length)).toEqual(questions.map((_, i) => 5 + (i % 7)))
  })

  it('shortens a question that would leave no room, and the overlap with it', async () => {
    const question = { question: 'a '.repeat(20), context: 'b '.repeat(7) }
    const windows = await encodeQuestions([question], tokenizer, { maxLength: 12, stride: 100 })
    // 4 of the question and 3 special tokens leave 5 for the context, of which 2 are in common.
    expect(windows.map(({ first, last }) => [first, last])).toEqual([
      [0, 5],
      [3, 7],
    ])
  })
})

describe('windowSizes', () => {
  it('takes what is asked for, else what BERT was trained with, as far as the model goes', () => {
    expect(windowSizes({}, { contextLength: 512 })).toEqual({ maxLength: 384, stride: 128 })
    expect(windowSizes({}, { contextLength: 60 })).toEqual({ maxLength: 60, stride: 20 })
    expect(windowSizes({ maxLength: 100, stride: 7 }, { contextLength: 512 })).toEqual({ maxLength: 100, stride: 7 })
    expect(windowSizes({ maxLength: 1000 }, { contextLength: 512 })).toEqual({ maxLength: 512, stride: 128 })
  })
})

describe('coveringTokens', () => {
  const tokens = { starts: Int32Array.from(starts), ends: Int32Array.from(ends) }
  const covering = (start: number, end: number) => coveringTokens(tokens, { start, end })

  it('finds the tokens of a part whose borders are theirs', () => {
    expect(covering(1, 3)).toEqual({ first: 1, last: 1 })
    expect(covering(1, 7)).toEqual({ first: 1, last: 3 })
    expect(covering(9, 10)).toEqual({ first: 5, last: 5 })
  })

  it('takes whole tokens where a border is within one, and the nearest where it is between two', () => {
    expect(covering(5, 7)).toEqual({ first: 2, last: 3 })
    expect(covering(3, 6)).toEqual({ first: 2, last: 2 })
    expect(covering(8, 9)).toEqual({ first: 4, last: 5 })
  })

  it('finds none in a text without tokens', () => {
    expect(coveringTokens({ starts: new Int32Array(0), ends: new Int32Array(0) }, { start: 0, end: 1 })).toBe(undefined)
  })
})
