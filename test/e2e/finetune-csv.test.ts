import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ClassificationResult } from '../../src/tasks/text-classifier.js'
import { type Outcome, parseOnlyLine, program, root, start, type TrainOutput, temporaryFolder } from './command.js'

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
