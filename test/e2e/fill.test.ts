import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  heddle,
  heddleJson,
  parseOnlyLine,
  program,
  root,
  start,
  type TrainOutput,
  temporaryFolder,
  writeTinyTraining,
} from './command.js'

interface FillOutput {
  readonly text: string
  readonly masks: readonly (readonly { token: string; id: number; score: number; text: string }[])[]
}

interface Report {
  readonly examples: number
  readonly metrics: Readonly<Record<string, number>>
}

const at = temporaryFolder()

/** Documents on the sea or on bread, whose sentences each have words that tell the others. */
const documents = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    Array.from({ length: 4 }, (_, j) =>
      i % 2 === 0
        ? `The ${['old', 'grey', 'great'][(i + j) % 3]} whale swam in the ${['cold', 'deep'][(i * j) % 2]} sea.`
        : `My ${['young', 'good', 'kind'][(i + j) % 3]} baker sold bread to the ${['rich', 'poor'][(i * j) % 2]} man.`,
    ).join(' '),
  ).join('\n\n')

const text = at('text.txt')
const other = at('other.txt')
const recipe = join(root, 'recipes/bert-pretraining.yaml')
const small = [
  ...['layers=2', 'heads=2', 'width=32', 'contextLength=40', 'dropout=0.1', 'deviation=0.15'].map(
    (size) => `model.${size}`,
  ),
  ...['steps=400', 'batchSize=8', 'learningRate=5e-3', 'evaluateEvery=100', 'checkpointEvery=100'].map(
    (size) => `train.${size}`,
  ),
  ...['tokenizer.vocabularySize=100', 'masking.nextSentence=true'],
]

const train = (out: string, ...args: string[]) => [
  ...['train', recipe, '--set', `data.train=${text}`, ...small],
  ...['--out', out, ...args],
]

let trained: TrainOutput & { readonly metrics: Readonly<Record<string, number>> }
beforeAll(async () => {
  writeFileSync(text, documents(100))
  writeFileSync(other, documents(16))
  trained = await heddleJson(...train(at('bert')))
})

const fill = (...args: string[]) => heddle('fill', '--model', at('bert'), ...args)

describe("BERT's pretraining", () => {
  it('learns to guess better than without context, and which texts follow', () => {
    const { metrics } = trained
    expect(metrics.maskedLoss).toBeLessThan(0.7 * metrics.unigramLoss)
    expect(metrics.maskedAccuracy).toBeGreaterThan(2 * metrics.unigramAccuracy)
    expect(metrics.perplexity).toBeCloseTo(Math.exp(metrics.maskedLoss), 6)
    expect(metrics.nextSentenceLoss).toBeLessThan(Math.log(2))
    expect(metrics.nextSentenceAccuracy).toBeGreaterThan(0.5)
  })

  it('is measured on other texts, the same every time', async () => {
    const evaluate = () => heddleJson<Report>('eval', '--model', at('bert'), '--task', 'masked-lm', '--data', other)
    const report = await evaluate()
    expect(Object.keys(report)).toEqual(['examples', 'metrics'])
    expect(report.metrics.accuracy).toBeGreaterThan(2 * report.metrics.unigramAccuracy)
    expect(report.metrics.loss).toBeLessThan(0.7 * report.metrics.unigramLoss)
    expect(report.metrics.perplexity).toBeCloseTo(Math.exp(report.metrics.loss), 6)
    expect(await evaluate()).toEqual(report)
  })

  it('ends where an uninterrupted run ends after Ctrl-C and --resume', async () => {
    const out = at('interrupted')
    const running = start(process.execPath, [program, ...train(out, '--json')])
    await running.says(/^step 1\d\d\//m)
    running.process.kill('SIGINT')
    const stopped = parseOnlyLine<TrainOutput>(await running.ended)
    expect(stopped.interrupted).toBe(true)
    const resumed = await heddleJson<typeof trained>(...train(out, '--resume'))
    expect(resumed.metrics).toEqual(trained.metrics)
    expect(resumed.trainLoss).toBe(trained.trainLoss)
  })
})

describe('heddle fill', () => {
  it('guesses a word, and prints guesses with probabilities and the whole text', async () => {
    const { code, stdout } = await fill('--text', 'The old [MASK] swam in the cold sea.', '--top-k', '3')
    expect(code).toBe(0)
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatch(/^[01]\.\d{4}\twhale\tThe old whale swam in the cold sea\.$/)
  })

  it('prints JSON with a list for each mask', async () => {
    const outcome = await fill('--text', 'My good [MASK] sold [MASK] to the rich man.', '--json')
    const { text, masks } = parseOnlyLine<FillOutput>(outcome)
    expect(text).toBe('My good [MASK] sold [MASK] to the rich man.')
    expect(masks.map((fills) => fills.length)).toEqual([5, 5])
    expect(masks[0][0]).toMatchObject({ token: 'baker', text: 'My good baker sold [MASK] to the rich man.' })
    expect(masks[1][0]).toMatchObject({ token: 'bread', text: 'My good [MASK] sold bread to the rich man.' })
    for (const fills of masks) {
      const scores = fills.map(({ score }) => score)
      expect(scores).toEqual([...scores].sort((a, b) => b - a))
      expect(scores.every((score) => score >= 0 && score <= 1)).toBe(true)
    }
  })

  it('reads a file, a text a line', async () => {
    writeFileSync(at('lines.txt'), 'The [MASK] whale.\nThe deep [MASK].\n')
    const { stdout } = await fill('--file', at('lines.txt'), '--json', '--top-k', '1')
    const results = stdout
      .trimEnd()
      .split('\n')
      .map((line): FillOutput => JSON.parse(line))
    expect(results.map(({ text }) => text)).toEqual(readFileSync(at('lines.txt'), 'utf8').trimEnd().split('\n'))
  })

  it('says where there is no mask', async () => {
    const { code, stderr } = await fill('--text', 'The old whale.')
    expect(code).toBe(2)
    expect(stderr).toBe('heddle: fill: there is no [MASK] in "The old whale."; put one where a word is to be guessed\n')
  })

  it('says where the model guesses no words', async () => {
    const { recipeFile } = writeTinyTraining(at, { train: { steps: 1 } })
    await heddleJson('train', recipeFile, '--out', at('gpt'))
    const { code, stderr } = await heddle('fill', '--model', at('gpt'), '--text', '[MASK]')
    expect(code).toBe(3)
    expect(stderr).toMatch(/^heddle: .*: filling masks needs a masked language model, this is a GPT\n$/)
  })
})
