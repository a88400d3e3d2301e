import { describe, expect, it } from 'vitest'
import type { Question } from '../../data/squad.js'
import { encoderFeeds } from '../../models/encoder.js'
import { BertForQuestionAnswering } from '../../models/index.js'
import { initialize } from '../../nn/index.js'
import { compile, float32 } from '../../runtime/index.js'
import { createTokenizer } from '../../tokenizers/node.js'
import { bertTemplate, letters } from '../../tokenizers/sequences.testing.js'
import { Trainer } from '../trainer.js'
import { type AnsweredWindow, Answering, answerGraph, markAnswer } from './answering.js'
import { encodeQuestions } from './answering-windows.js'
import { ExampleObjective } from './examples.js'

const tokenizer = createTokenizer(JSON.stringify(letters({ post_processor: bertTemplate })))

function makeModel(): BertForQuestionAnswering {
  const sizes = { vocabularySize: 14, contextLength: 32, layers: 1, heads: 2, width: 16, dropout: 0, deviation: 0.3 }
  const model = new BertForQuestionAnswering(sizes)
  initialize(model.parameters(), 1)
  return model
}

/** A question whose answer is a part of its context; without one where the part is not there. */
function ask(question: string, context: string, answer: string): Question {
  const start = context.indexOf(answer)
  const answers = start < 0 ? [] : [{ text: answer, start }]
  const place = { id: '1', article: 0, file: 'test', place: 'line 1' }
  return { ...place, question, context, answers, isImpossible: start < 0 }
}

async function windowsOf(questions: readonly Question[], maxLength = 32): Promise<AnsweredWindow[]> {
  return (await encodeQuestions(questions, tokenizer, { maxLength, stride: 1 })).map(markAnswer)
}

/** −log softmax(scores)[target] in double precision. */
function crossEntropy(scores: readonly number[], target: number): number {
  const total = scores.reduce((sum, score) => sum + Math.exp(score), 0)
  return Math.log(total) - scores[target]
}

describe('markAnswer', () => {
  it('marks the tokens of the answer in the window that holds all of it, [CLS] in the others', async () => {
    // 中 😀 ab ##a | ##a . 中, behind [CLS] a b [SEP].
    const [first, second] = await windowsOf([ask('a b', '中😀 aba. 中', '😀 aba')], 9)
    expect([first.start, first.end]).toEqual([5, 7])
    expect([second.start, second.end]).toEqual([0, 0])
    const [before, after] = await windowsOf([ask('a b', '中😀 aba. 中', '. 中')], 9)
    expect([before.start, before.end]).toEqual([0, 0])
    expect([after.start, after.end]).toEqual([5, 6])
  })

  it('marks [CLS] where there is no answer, and the first answer that has a place', async () => {
    const [impossible] = await windowsOf([ask('a', 'b b', 'ab')])
    expect([impossible.start, impossible.end]).toEqual([0, 0])
    const question = ask('a', 'b ab', 'ab')
    const answers = [{ text: '中', start: undefined }, ...question.answers, { text: 'b', start: 0 }]
    const [free] = await windowsOf([{ ...question, answers }])
    expect([free.start, free.end]).toEqual([4, 4])
  })
})

describe('Answering', () => {
  it('has the mean of the cross-entropies of start and end over the tokens of each window as its loss', async () => {
    const model = makeModel()
    const windows = await windowsOf([
      ask('a', 'b 中 ab', '中'),
      ask('b a b', '中 😀 . . ab a b', '. ab'),
      ask('b', 'a', 'b'),
    ])
    const task = new Answering(model)
    const { inputs, loss } = task.graph()
    const program = await compile({ inputs, outputs: { loss } })
    const batch = float32((await program.run(task.feeds(windows))).loss)[0]
    const { inputs: alone, start, end } = answerGraph(model)
    const single = await compile({ inputs: alone, outputs: { start, end } })
    const losses: number[] = []
    for (const window of windows) {
      const scores = await single.run(encoderFeeds([window]))
      expect(scores.start.shape).toEqual([1, window.ids.length])
      losses.push(crossEntropy([...float32(scores.start)], window.start))
      losses.push(crossEntropy([...float32(scores.end)], window.end))
    }
    expect(batch).toBeCloseTo(losses.reduce((a, b) => a + b) / losses.length, 5)
    await Promise.all([program.dispose(), single.dispose()])
  })

  it('learns where the answer is, and that there is none', async () => {
    const questions = Array.from({ length: 60 }, (_, i) => {
      const words = ['ab', '.', 'b', 'a'].map((_, j, all) => all[(i * 7 + j * 3) % 4])
      words.splice(i % 5, 0, i % 3 === 0 ? '中' : '😀 .')
      const [question, answer] = i % 2 === 0 ? ['a', '中'] : ['b', '😀 .']
      return ask(question, words.join(' '), answer)
    })
    expect(questions.filter(({ isImpossible }) => isImpossible).length).toBeGreaterThan(10)
    const model = makeModel()
    const objective = new ExampleObjective(new Answering(model), {
      train: await windowsOf(questions),
      validation: await windowsOf(questions.slice(0, 20)),
      batchSize: 10,
      seed: 1,
    })
    const options = { betas: [0.9, 0.99], weightDecay: 0, clip: 1, accumulate: 1, seed: 0 } as const
    const trainer = new Trainer(model.parameters(), objective, options)
    const before = await trainer.evaluate()
    for (let step = 0; step < 80; step++) await trainer.step(1e-2)
    const after = await trainer.evaluate()
    trainer.dispose()
    expect(before?.metrics?.exactMatch).toBeLessThan(0.8)
    expect(after?.loss).toBeLessThan(0.1)
    expect(after?.metrics).toMatchObject({ exactMatch: 1, hasAnswerF1: 1, noAnswerF1: 1 })
  })
})
