import { beforeAll, describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import { saveModel } from '../hub/checkpoint.js'
import { writeDataSettings } from '../hub/data-settings.js'
import { encoderFeeds, encoderInputs } from '../models/encoder.js'
import { BertForQuestionAnswering } from '../models/index.js'
import { initialize } from '../nn/index.js'
import { compile, float32 } from '../runtime/index.js'
import { createTokenizer } from '../tokenizers/node.js'
import { saveTokenizer } from '../tokenizers/save.js'
import { bertTemplate, letters } from '../tokenizers/sequences.testing.js'
import { QuestionAnswering } from './question-answering.js'
import { saveRandomModel, temporaryFolder } from './saved-model.testing.js'

const at = temporaryFolder()
const tokenizer = createTokenizer(JSON.stringify(letters({ post_processor: bertTemplate })))
const sizes = { vocabularySize: 14, contextLength: 32, layers: 1, heads: 2, width: 8, deviation: 0.6 }

/** 😀 takes two UTF-16 code units. */
const short = { question: 'a b', context: '😀 ab 中. b' }
/** More tokens than a window has room for. */
const long = { question: 'ab', context: '中 😀 a . b ab ba . '.repeat(6) }

let model: BertForQuestionAnswering

beforeAll(() => {
  model = new BertForQuestionAnswering(sizes)
  initialize(model.parameters(), 3)
  saveModel(at('model'), model)
  saveTokenizer(at('model'), tokenizer, sizes)
})

/** The logits of a sequence, from the model itself. */
async function logitsOf(ids: number[], segments: number[]) {
  const { inputs, input } = encoderInputs()
  const { start, end } = model.forward(input)
  const program = await compile({ inputs, outputs: { start, end } })
  const logits = await program.run(encoderFeeds([{ ids, segments }]))
  await program.dispose()
  return { start: [...float32(logits.start)], end: [...float32(logits.end)] }
}

describe('QuestionAnswering', () => {
  it("finds the span with the highest sum of the model's logits, and its place in the text", async () => {
    // [CLS] a b [SEP] 😀 ab 中 . b [SEP]
    const { start, end } = await logitsOf([2, 5, 6, 3, 13, 7, 12, 11, 6, 3], [0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    const [starts, ends] = [
      [0, 3, 6, 7, 9],
      [2, 5, 7, 8, 10],
    ]
    const spans = starts.flatMap((from, i) =>
      ends.slice(i).map((to, j) => ({ from, to, weight: Math.exp(start[4 + i] + end[4 + i + j]) })),
    )
    const none = Math.exp(start[0] + end[0])
    const total = spans.reduce((sum, { weight }) => sum + weight, none)
    const answering = await QuestionAnswering.load(at('model'))
    const { alternatives, noAnswerScore, ...best } = await answering.answer(short, { topK: 15 })
    const expected = spans
      .sort((a, b) => b.weight - a.weight)
      .map(({ from, to, weight }) => {
        return { answer: short.context.slice(from, to), score: expect.closeTo(weight / total, 5), start: from, end: to }
      })
    expect(alternatives).toEqual(expected)
    expect(best).toEqual(alternatives[0])
    expect(noAnswerScore).toBeCloseTo(none / total, 5)
    expect(alternatives.reduce((sum, { score }) => sum + score, noAnswerScore)).toBeCloseTo(1, 5)
    const single = await answering.answer(short, { maxAnswerLength: 1 })
    expect(ends.indexOf(single.end)).toBe(starts.indexOf(single.start))
    await answering.dispose()
  })

  it('says that there is no answer where that is likelier than the threshold', async () => {
    const answering = await QuestionAnswering.load(at('model'))
    const { noAnswerScore } = await answering.answer(short)
    const below = await answering.answer(short, { noAnswerThreshold: noAnswerScore * 0.99 })
    expect(below).toMatchObject({ answer: '', score: noAnswerScore, start: 0, end: 0 })
    expect(below.alternatives.length).toBe(1)
    expect((await answering.answer(short, { noAnswerThreshold: noAnswerScore })).answer).not.toBe('')
    expect(await answering.answer({ question: 'a', context: '' })).toMatchObject({ answer: '', score: 1, start: 0 })
    await answering.dispose()
  })

  it('reads texts of any length, and many at once as one by one', async () => {
    const answering = await QuestionAnswering.load(at('model'))
    const questions = Array.from({ length: 40 }, (_, i) =>
      i % 3 === 0 ? long : { ...short, question: 'b '.repeat(i % 5) },
    )
    const together = await answering.answerBatch(questions, { topK: 3 })
    const [alone, other] = [
      await answering.answer(long, { topK: 3 }),
      await answering.answer(questions[1], { topK: 3 }),
    ]
    expect(together.length).toBe(40)
    for (const [i, { answer, start, end, score }] of together.entries()) {
      expect(questions[i].context.slice(start, end)).toBe(answer)
      expect(answer).not.toBe('')
      if (i % 3 !== 0 && i !== 1) continue
      const expected = i === 1 ? other : alone
      expect({ start, end }).toEqual({ start: expected.start, end: expected.end })
      expect(score).toBeCloseTo(expected.score, 5)
    }
    await answering.dispose()
  })

  it('cuts texts into windows as the training did', async () => {
    saveModel(at('windows'), model)
    saveTokenizer(at('windows'), tokenizer, sizes)
    writeDataSettings(at('windows'), { maxLength: 12, stride: 2 })
    const [usual, narrow] = await Promise.all(['model', 'windows'].map((name) => QuestionAnswering.load(at(name))))
    const [wide, cut] = [await usual.answer(long), await narrow.answer(long)]
    expect(wide.noAnswerScore).not.toBeCloseTo(cut.noAnswerScore, 4)
    await Promise.all([usual.dispose(), narrow.dispose()])
  })

  it('refuses a model that has no head for answers', async () => {
    saveRandomModel(at('gpt'), 'ab')
    await expect(QuestionAnswering.load(at('gpt'))).rejects.toThrow(CheckpointError)
  })
})
