import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ClassificationResult } from '../../src/tasks/text-classifier.js'
import {
  heddleJson,
  type Outcome,
  parseOnlyLine,
  program,
  root,
  start,
  type TrainOutput,
  temporaryFolder,
} from './command.js'

// The walk-through of the README, "Fine-tune on your own CSV", on letters to a shop that are made up here.

const commands = {
  train:
    'heddle train recipes/sst2.yaml --set data.train=tickets.csv train.epochs=20 train.learningRate=1e-3 --out runs/tickets',
  evaluate: 'heddle eval --model runs/tickets --task classification --data tickets-test.csv',
  one: "heddle classify --model runs/tickets --text 'Hello, my parcel has not arrived.'",
  many: 'heddle classify --model runs/tickets --file inbox.txt',
}

const at = temporaryFolder()

const topics = {
  billing: [
    'my card was charged twice',
    'the invoice is wrong',
    'I want a refund',
    'the price on the bill is too high',
  ],
  shipping: ['my parcel has not arrived', 'where is my order', 'the box was damaged', 'the courier never came'],
  account: ['I cannot log in', 'I forgot my password', 'please delete my profile', 'the reset link does not work'],
}
const openings = ['', 'Hello, ', 'Hi there, ', '"Dear team", ', 'Sorry to bother you, ', 'Good morning: ']
const endings = ['.', '!', '. Thank you.', ', can you help?', '. Please answer soon.']

interface Ticket {
  readonly text: string
  readonly topic: string
}

const tickets: readonly Ticket[] = Object.entries(topics).flatMap(([topic, matters]) =>
  matters.flatMap((matter) =>
    openings.flatMap((opening) => endings.map((ending) => ({ text: `${opening}${matter}${ending}`, topic }))),
  ),
)

/** Every seventh letter is kept from the training. */
const isForTest = (_: Ticket, i: number) => i % 7 === 3

function writeTable(name: string, rows: readonly Ticket[]): void {
  const quoted = rows.map(({ text, topic }) => `"${text.replaceAll('"', '""')}",${topic}`)
  writeFileSync(at(name), `text,label\n${quoted.join('\n')}\n`)
}

/** Runs a command as a user types it. */
function run(command: string): Promise<Outcome> {
  const PATH = [at('bin'), process.env.PATH].join(delimiter)
  return start('bash', ['-c', command], { cwd: at(), env: { PATH } }).ended
}

describe('fine-tuning on a CSV file', () => {
  const test = tickets.filter(isForTest)
  let trained: TrainOutput

  beforeAll(async () => {
    mkdirSync(at('bin'))
    symlinkSync(program, at('bin', 'heddle'))
    cpSync(join(root, 'recipes'), at('recipes'), { recursive: true })
    writeTable(
      'tickets.csv',
      tickets.filter((ticket, i) => !isForTest(ticket, i)),
    )
    writeTable('tickets-test.csv', test)
    writeFileSync(at('inbox.txt'), test.map(({ text }) => `${text}\n`).join(''))
    trained = parseOnlyLine<TrainOutput>(await run(`${commands.train} --json 2>training.log`))
  })

  it('trains a classifier', () => {
    // 309 letters without those for the test, of which 278 are learnt from in batches of 32, 20 times.
    expect(tickets.length - test.length).toBe(309)
    expect(trained.steps).toBe(20 * Math.ceil(Math.floor(309 * 0.9) / 32))
    expect(trained).toMatchObject({ metrics: { accuracy: expect.any(Number) } })
  })

  it('is right about letters that it has not seen', async () => {
    const outcome = await run(`${commands.evaluate} --json`)
    const { examples, metrics } = parseOnlyLine<{ examples: number; metrics: Record<string, number> }>(outcome)
    expect(examples).toBe(test.length)
    expect(metrics.accuracy).toBeGreaterThan(0.95)
    const plain = await run(commands.evaluate)
    expect(plain.stdout).toBe(
      `${Object.entries(metrics)
        .map(([name, value]) => `${name} ${value.toFixed(4)}`)
        .join(', ')} over ${examples} examples\n`,
    )
  })

  it('says what a letter is about, and with what probability', async () => {
    const result = parseOnlyLine<ClassificationResult>(await run(`${commands.one} --json`))
    expect(result.label).toBe('shipping')
    expect(Object.keys(result.scores ?? {})).toEqual(['account', 'billing', 'shipping'])
    const total = Object.values(result.scores ?? {}).reduce((sum, score) => sum + score, 0)
    expect(total).toBeCloseTo(1, 6)
    expect(await run(commands.one)).toEqual({
      code: 0,
      stdout: `shipping ${result.score?.toFixed(4)}\n`,
      stderr: '',
    })
  })

  it('sorts a file of letters', async () => {
    const { code, stdout } = await run(commands.many)
    expect(code).toBe(0)
    const lines = stdout.trimEnd().split('\n')
    const found = lines.map((line) => /^(\w+) \d\.\d{4}\t(.*)$/.exec(line) ?? [])
    expect(found.map(([, , text]) => text)).toEqual(test.map(({ text }) => text))
    const right = found.filter(([, label], i) => label === test[i].topic).length
    expect(right / test.length).toBeGreaterThan(0.95)
  })
})

describe('the recipes of known data sets', () => {
  const short = ['train.epochs=1', 'train.evaluateEvery=100']

  async function trainAndEvaluate(recipe: string, files: { train: string; validation: string }, test: string) {
    const sets = [`data.train=${files.train}`, `data.validation=${files.validation}`, ...short]
    const out = at(`runs-${recipe}`)
    const train = ['train', join(root, 'recipes', `${recipe}.yaml`), '--set', ...sets, '--out', out]
    const trained = await heddleJson<TrainOutput & { metrics: object }>(...train)
    const report = await heddleJson<{ examples: number; metrics: object }>(
      ...['eval', '--model', out, '--task', 'classification', '--data', test],
    )
    return { trained, report }
  }

  it('read files of four columns without a header, as CoLA has them, also to measure the model', async () => {
    const row = (i: number) => `made up\t${i % 3 === 0 ? 0 : 1}\t${i % 3 === 0 ? '*' : ''}\tThe "book ${i}, is read.`
    const write = (name: string, count: number) => {
      writeFileSync(at(name), Array.from({ length: count }, (_, i) => `${row(i)}\n`).join(''))
      return at(name)
    }
    const files = { train: write('cola-train.tsv', 40), validation: write('cola-dev.tsv', 9) }
    const { trained, report } = await trainAndEvaluate('cola', files, files.validation)
    expect(trained.steps).toBe(2)
    expect(report).toMatchObject({ examples: 9, metrics: trained.metrics })
    expect(trained.metrics).toHaveProperty('matthews')
  })

  it('read reviews with their labels in front, as ChnSentiCorp has them', async () => {
    const write = (name: string, count: number) => {
      const rows = Array.from({ length: count }, (_, i) => `${i % 2},"房间${i % 2 ? '很干净' : '太小了'},第${i}次"\n`)
      writeFileSync(at(name), `label,review\n${rows.join('')}`)
      return at(name)
    }
    const files = { train: write('reviews-train.csv', 40), validation: write('reviews-dev.csv', 9) }
    const { trained, report } = await trainAndEvaluate('chnsenticorp', files, files.validation)
    expect(trained.steps).toBe(2)
    expect(report).toMatchObject({ examples: 9, metrics: trained.metrics })
  })
})
