import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { heddle, heddleJson, program, start, type TrainOutput, temporaryFolder, writeTinyTraining } from './command.js'

interface Output extends TrainOutput {
  readonly metrics: { readonly bleu: number; readonly tokenAccuracy: number }
}

const at = temporaryFolder()
const words = ['null', 'eins', 'zwei', 'drei', 'vier', 'fünf', 'sechs', 'sieben', 'acht', 'neun']

/** Numbers of one to four digits, in words and in digits. */
const numbers = Array.from({ length: 3000 }, (_, i) => String(1000 + ((i * 7919 + 13) % 9000)).slice(0, 1 + (i % 4)))
const source = numbers.map((digits) => [...digits].map((digit) => words[Number(digit)]).join(' '))
const target = numbers.map((digits) => [...digits].join(' '))

const write = (name: string, lines: readonly string[]) => {
  writeFileSync(at(name), lines.map((line) => `${line}\n`).join(''))
  return at(name)
}
const pair = [write('numbers.de', source), write('numbers.digits', target)]

const recipeFile = at('translation.yaml')
const recipe = {
  model: { type: 'transformer', layers: 1, heads: 4, width: 32, innerWidth: 64, contextLength: 24, dropout: 0.02 },
  tokenizer: { type: 'bpe', vocabularySize: 310 },
  data: { train: pair, lowercase: true },
  objective: 'seq2seq',
  train: {
    steps: 400,
    batchTokens: 600,
    learningRate: 8e-3,
    schedule: 'noam',
    warmup: 60,
    betas: [0.9, 0.98],
    epsilon: 1e-9,
    weightDecay: 0,
    evaluateEvery: 60,
    checkpointEvery: 40,
    average: 3,
    metric: 'bleu',
  },
}
writeFileSync(recipeFile, JSON.stringify(recipe))

let whole: Output
beforeAll(async () => {
  whole = await heddleJson<Output>('train', recipeFile, '--out', at('whole'))
})

const train = (out: string, ...args: string[]) => ['train', recipeFile, '--out', out, ...args]
const readRun = (out: string) => JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))

/** Everything that the end of a run leaves and that does not depend on time. */
function endOf(out: string) {
  const { last, best, bestLoss, bestMetrics } = readRun(out)
  const contents = [last, 'checkpoint-average'].map((name) => readFileSync(join(out, name, 'model.safetensors')))
  const log = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')
  const figures = log.map((line) => {
    const { time: _time, tokensPerSecond: _speed, memory: _memory, ...entry } = JSON.parse(line)
    return entry
  })
  const weights = contents.map((bytes) => bytes.toString('base64'))
  return { last, best, bestLoss, bestMetrics, weights, figures, entries: readdirSync(out).sort() }
}

describe('heddle train with objective seq2seq', () => {
  it('learns a task, and says so in BLEU', () => {
    expect(whole.metrics.bleu).toBeGreaterThan(99)
    expect(whole.metrics.tokenAccuracy).toBeGreaterThan(0.995)
    expect(whole.validationLoss).toBeLessThan(0.15)
  })

  it('keeps what was done to the texts, and averages the last checkpoints', () => {
    const { best } = readRun(at('whole'))
    expect(JSON.parse(readFileSync(at('whole', best, 'data.json'), 'utf8'))).toEqual({ lowercase: true })
    const { figures, entries } = endOf(at('whole'))
    expect(figures.at(-1)).toMatchObject({ step: 400, averaged: 3, metrics: { bleu: expect.any(Number) } })
    expect(entries).toEqual(expect.arrayContaining(['checkpoint-320', 'checkpoint-360', 'checkpoint-400']))
  })

  it('ends where an uninterrupted run ends, to the bit, after Ctrl-C and after its death', async () => {
    const out = at('stopped')
    const interrupted = start(process.execPath, [program, ...train(out, '--json')])
    await interrupted.says(/^step \d\d\d\//m)
    interrupted.process.kill('SIGINT')
    await interrupted.ended
    expect(readRun(out).status).toBe('stopped')
    const killed = start(process.execPath, [program, ...train(out, '--resume')])
    await killed.says(/^step 2[4-9]\d\//m)
    killed.process.kill('SIGKILL')
    await killed.ended
    const { steps, trainLoss, validationLoss, metrics } = await heddleJson<Output>(...train(out, '--resume'))
    expect({ steps, trainLoss, validationLoss, metrics }).toEqual({
      steps: whole.steps,
      trainLoss: whole.trainLoss,
      validationLoss: whole.validationLoss,
      metrics: whole.metrics,
    })
    expect(endOf(out)).toEqual(endOf(at('whole')))
  })

  it('writes what it makes of prompts, and takes a checkpoint to go on from', async () => {
    const sets = [`model.from=${at('whole')}`, 'train.steps=2', 'train.evaluateEvery=2', 'sample.prompts=[acht vier]']
    const { code, stderr } = await heddle(...train(at('again'), '--set', ...sets))
    expect(code).toBe(0)
    expect(stderr).toContain('\nacht vier\n→ 8 4\n')
    expect(stderr).toMatch(/bleu (99|100)\.\d{4}/)
  })
})

describe('what is wrong with parallel data exits with 3, before anything is written', () => {
  const out = at('never')
  const shorter = write('shorter.digits', target.slice(0, 2990))
  const table = write('table.tsv', ['acht\t8', 'vier', 'zwei\t2'])
  const long = write('long.de', ['neun '.repeat(3000), 'acht '.repeat(3000)])
  const none = write(
    'none.digits',
    target.map(() => ''),
  )

  it.each<[sets: string[], message: RegExp]>([
    [
      [`data.train=[${pair[0]},${shorter}]`],
      /numbers\.de has 3000 lines, .*shorter\.digits has 2990 lines: expected as/,
    ],
    [[`data.train=${table}`], /table\.tsv:2: expected 2 columns as in the first row, got 1/],
    [[`data.train=${pair[0]}`], /numbers\.de:\d+: (no column for the source|expected a table|expected \d columns)/],
    [[`data.train=[${pair[0]},${none}]`], /numbers\.de, .*none\.digits: no examples/],
    [[`data.train=[${pair[0]},${at('missing')}]`], /cannot read .*missing: no such file/],
    [
      [`data.train=[${long},${long}]`],
      /long\.de:1: \d+ source and \d+ target .*, and so it is in all 1 pairs; raise model/,
    ],
    [['data.split=[0.5,0.6]'], /data\.split: expected two or three shares that add up to 1/],
    [['model.type=bert'], /model\.type: seq2seq trains one of transformer, t5, bart, bert2bert/],
  ])('%j', async (sets, message) => {
    const { code, stdout, stderr } = await heddle(...train(out, '--set', ...sets, 'train.steps=1'))
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    expect(stderr).toMatch(message)
    expect(existsSync(out)).toBe(false)
  })

  it('a metric that is not measured, as soon as it is known', async () => {
    const { code, stderr } = await heddle(...train(at('metric'), '--set', 'train.metric=blue', 'train.steps=1'))
    expect(code).toBe(3)
    expect(stderr).toMatch(/train\.metric: expected one of loss, tokenAccuracy, perplexity, bleu, .* got blue\n/)
  })

  it('warns of empty and of too long lines by their numbers, and goes on', async () => {
    const longer = [
      write('longer.de', [...source, '', 'neun '.repeat(3000)]),
      write('longer.digits', [...target, '1', '9']),
    ]
    const sets = [`data.train=[${longer}]`, 'train.steps=1', 'train.average=null', 'data.validationExamples=2']
    const { code, stderr } = await heddle(...train(at('long'), '--set', ...sets))
    expect(code).toBe(0)
    expect(stderr).toMatch(/heddle: .*longer\.de:3001: the source is empty and the pair is left out\n/)
    expect(stderr).toMatch(
      /heddle: .*longer\.de:3002: \d+ source and 2 target tokens are more than 24, the pair is left out/,
    )
  })

  it('a checkpoint of another kind', async () => {
    const { recipeFile: other } = writeTinyTraining(at)
    await heddleJson('train', other, '--out', at('gpt'), '--set', 'train.steps=1')
    const { code, stderr } = await heddle(...train(out, '--set', `model.from=${at('gpt')}`))
    expect(code).toBe(3)
    expect(stderr).toMatch(/gpt: seq2seq needs an encoder–decoder, this is a GPT\n/)
    expect(existsSync(out)).toBe(false)
  })
})
