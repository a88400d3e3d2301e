import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { AnsweringReport, AnswerResult } from '../../src/tasks/index.js'
import { heddle, heddleJson, program, type TrainOutput, temporaryFolder } from './command.js'

const at = temporaryFolder()

const people = ['anna', 'ben', 'carl', 'dora', 'emil', 'fay']
const cities = ['rome', 'oslo', 'lima', 'bonn', 'kyoto']
const colours = ['red', 'blue', 'green', 'white']

/** An article with one paragraph and two questions about it; emojis take two UTF-16 code units and are one character. */
function article(i: number) {
  const [person, city, colour] = [people[i % 6], cities[(i * 3) % 5], colours[(i * 7) % 4]]
  const sentences = [`${person} lives in ${city}.`, `the favourite colour is ${colour}.`]
  const context = `🐳 ${(i % 2 === 0 ? sentences : sentences.reverse()).join(' ')}`
  const ask = (question: string, text: string, j: number) => {
    const answers = [{ text, answer_start: [...context.slice(0, context.indexOf(text))].length }]
    return { id: `${i}-${j}`, question, answers }
  }
  const qas = [ask(`where does ${person} live?`, city, 0), ask(`which colour does ${person} like?`, colour, 1)]
  return { title: `article ${i}`, paragraphs: [{ context, qas }] }
}

const articles = Array.from({ length: 40 }, (_, i) => article(i))
const model = at('run')
let trained: TrainOutput & { readonly metrics: Record<string, number> }

beforeAll(async () => {
  writeFileSync(at('questions.json'), JSON.stringify({ data: articles }))
  const recipe = {
    model: { type: 'bert', layers: 1, heads: 2, width: 32, contextLength: 40, dropout: 0 },
    tokenizer: { type: 'wordpiece', vocabularySize: 150 },
    data: { train: at('questions.json'), trainArticles: 0.8 },
    objective: 'answering',
    train: { steps: 120, batchSize: 16, learningRate: 5e-3, warmup: 10, evaluateEvery: 1000 },
  }
  writeFileSync(at('recipe.yaml'), JSON.stringify(recipe))
  trained = await heddleJson('train', at('recipe.yaml'), '--out', model)
})

const answer = (...args: string[]) => heddleJson<AnswerResult>('answer', '--model', model, ...args)
const [{ context }] = articles[1].paragraphs

describe('heddle answer', () => {
  it('finds the answer in a text, with its place', async () => {
    const where = await answer('--question', 'where does ben live?', '--context', context)
    expect(where).toMatchObject({ answer: 'bonn', start: context.indexOf('bonn'), end: context.indexOf('bonn') + 4 })
    expect(where.alternatives).toEqual([{ answer: 'bonn', score: where.score, start: where.start, end: where.end }])
    writeFileSync(at('context.txt'), context)
    const args = ['--question', 'which colour does ben like?', '--context-file', at('context.txt'), '--top-k', '3']
    const which = await answer(...args)
    expect(which).toMatchObject({ answer: 'white' })
    expect(which.alternatives.length).toBe(3)
    const { stdout } = await heddle('answer', '--model', model, ...args)
    expect(stdout.split('\n')[0]).toBe(`${which.score.toFixed(4)}\twhite`)
    expect(stdout).toMatch(/\t\(no answer\)\n$/)
    const silent = await heddle('answer', '--model', model, ...args.slice(0, 4), '--threshold', '0')
    expect(silent).toEqual({ code: 0, stdout: '\n', stderr: '' })
  })

  it('answers the questions of a file and of standard input, one result a line', async () => {
    const { code, stdout } = await heddle('answer', '--model', model, '--file', at('questions.json'), '--json')
    expect(code).toBe(0)
    const results: (AnswerResult & { id: string })[] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const questions = articles.flatMap(({ paragraphs: [{ qas }] }) => qas)
    expect(results.map(({ id }) => id)).toEqual(questions.map(({ id }) => id))
    const right = results.filter((result, i) => result.answer === questions[i].answers[0].text)
    expect(right.length).toBeGreaterThan(70)
    const input = `${JSON.stringify({ question: 'where does ben live?', context })}\n\n`
    const args = [program, 'answer', '--model', model]
    expect(spawnSync(process.execPath, args, { input, encoding: 'utf8' }).stdout).toBe('bonn\n')
    const wrong = spawnSync(process.execPath, args, { input: `${input}{"question": 1}\n`, encoding: 'utf8' })
    expect(wrong.status).toBe(3)
    expect(wrong.stderr).toMatch(/^heddle: standard input:3: expected \{"question": …, "context": …\}, got/)
  })

  it('says what is missing', async () => {
    const { code, stderr } = await heddle('answer', '--model', model, '--question', 'where?')
    expect(code).toBe(2)
    expect(stderr).toMatch(/^heddle: answer: give --question TEXT with --context TEXT/)
  })
})

describe('heddle eval --task answering', () => {
  const evaluate = (...args: string[]) =>
    heddleJson<AnsweringReport>('eval', '--model', model, '--task', 'answering', ...args)

  it('measures the articles that were held out as the training did', async () => {
    const heldOut = await evaluate('--data', at('questions.json'), '--held-out')
    expect(heldOut).toEqual({ examples: 16, scoring: 'squad-1.1', metrics: trained.metrics })
    expect(heldOut.metrics.f1).toBeGreaterThan(0.8)
    writeFileSync(at('rest.json'), JSON.stringify({ data: articles.slice(32) }))
    expect(await evaluate('--data', at('rest.json'))).toEqual(heldOut)
    expect((await evaluate('--data', at('questions.json'))).examples).toBe(80)
  })

  it('knows what belongs together', async () => {
    const other = await heddle('eval', '--model', model, '--task', 'relation', '--data', at('rest.json'), '--held-out')
    expect([other.code, other.stderr]).toEqual([
      2,
      'heddle: eval: --held-out goes with --task answering, translation or summarization, not relation\n',
    ])
    for (const task of ['relation', 'multiple-choice']) {
      const { code, stderr } = await heddle('eval', '--model', model, '--task', task, '--data', at('rest.json'))
      expect(code).toBe(3)
      expect(stderr).toMatch(new RegExp(`${task} needs a model trained for it, this is a BertForQuestionAnswering`))
    }
  })
})
