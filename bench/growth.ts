import { existsSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { drawCharts } from './chart.js'
import { milliseconds, note, runBenchmark, wholeNumber } from './command-line.js'
import { describeMachine, formatMachine, formatTable } from './harness.js'
import { evenPairs } from './pair-batches.js'
import { BenchmarkError, Side } from './side.js'
import { median } from './statistics.js'
import { type TransformerSizes, translator } from './training-cases.js'

/** What a training step on pairs of one length takes. */
interface TrainingPoint {
  /** Tokens of each source and of each target. */
  readonly length: number
  /** Pairs of a batch. */
  readonly pairs: number
  /** Seconds. */
  readonly median: number
  readonly best: number
  readonly tokensPerSecond: number
  /** Bytes of the whole process. */
  readonly peakMemory: number
}

/** What a token takes that is written behind others. */
interface DecodingPoint {
  /** The token's number in its target; the mean is of this one and those before it. */
  readonly position: number
  /** Seconds. */
  readonly mean: number
}

/** The model that is measured, and where. */
interface Plan {
  readonly sizes: TransformerSizes
  /** Each twice the one before. */
  readonly lengths: readonly number[]
}

const plan: Plan = {
  sizes: { ...translator, contextLength: 2048, batchTokens: 4096 },
  lengths: [64, 128, 256, 512, 1024, 2048],
}

const quickPlan: Plan = {
  sizes: {
    ...{ encoderLayers: 1, decoderLayers: 1, heads: 2, width: 32, innerWidth: 64, contextLength: 256 },
    ...{ vocabularySize: 100, dropout: 0, labelSmoothing: 0.1, batchTokens: 512 },
  },
  lengths: [64, 128, 256],
}

/** Tokens up to a position whose times are averaged: more than a cache is filled with before it grows. */
const window = 32
/** Tokens of the source that targets are written from. */
const sourceTokens = 32

const usage = `usage: npm run bench -- growth [options]

Measures how a Transformer's training steps (time and peak memory) grow with the length of sources and targets, in batches
of as many tokens, and the time of writing a token with the number of tokens before it.

  --steps N      steps of each length (default 5)
  --repeats N    targets that are written from the start to the end of the context (default 3)
  --svg FILE     draw the curves
  --quick        a tiny model and short lengths: whether it works, not how time and memory grow
  --json         print one JSON object instead of the tables`

interface Options {
  readonly steps: number
  readonly repeats: number
  readonly svg: string | undefined
  readonly quick: boolean
  readonly json: boolean
}

/**
 * Runs the benchmark of growth.
 *
 * @param args the words after its name
 * @returns the exit code: 0 success, 1 failure while running, 2 wrong usage
 */
export function run(args: readonly string[]): Promise<number> {
  return runBenchmark({ name: 'growth', usage, parse: parseOptions, measure }, args)
}

async function measure(options: Options, folder: string): Promise<void> {
  const loadBefore = loadavg()[0]
  const chosen = options.quick ? quickPlan : plan
  const training: TrainingPoint[] = []
  for (const length of chosen.lengths) {
    note(`training: pairs of ${length} tokens`)
    training.push(await measureTraining(chosen.sizes, length, { steps: options.steps, folder }))
  }
  note('decoding')
  const decoding = await measureDecoding(chosen, options.repeats)
  if (options.svg !== undefined) writeFileSync(options.svg, draw(training, decoding))
  print(options, { chosen, training, decoding, loadBefore })
}

/** Trains in a process of its own, whose most memory is that of this length. */
async function measureTraining(
  { labelSmoothing, batchTokens, ...model }: TransformerSizes,
  length: number,
  { steps, folder }: { steps: number; folder: string },
): Promise<TrainingPoint> {
  const pairs = evenPairs(length, { ...model, batchTokens })
  const batches = join(folder, 'batches.json')
  writeFileSync(batches, JSON.stringify(pairs))
  const side = await start('heddle-transformer.js', {
    model,
    labelSmoothing,
    learningRate: 1e-4,
    warmupSteps: 2,
    batches,
  })
  try {
    const { seconds } = await side.turn(steps)
    const count = pairs[0].length
    return {
      ...{ length, pairs: count, median: median(seconds), best: Math.min(...seconds) },
      tokensPerSecond: (2 * length * count) / median(seconds),
      peakMemory: side.peakMemory(),
    }
  } finally {
    await side.stop()
  }
}

/** Writes targets up to the end of the context. The time of a position is the median of the targets'. */
async function measureDecoding({ sizes, lengths }: Plan, repeats: number): Promise<DecodingPoint[]> {
  const { labelSmoothing: _, batchTokens: __, ...model } = sizes
  const side = await start('heddle-decode.js', { model, sourceTokens })
  try {
    const targets: (readonly number[])[] = []
    for (let i = 0; i < repeats; i++) targets.push((await side.turn(Math.max(...lengths))).seconds)
    const times = targets[0].map((_, position) => median(targets.map((seconds) => seconds[position])))
    return lengths.map((position) => {
      const some = times.slice(position - window, position)
      return { position, mean: some.reduce((sum, seconds) => sum + seconds, 0) / some.length }
    })
  } finally {
    await side.stop()
  }
}

function start(script: string, config: object): Promise<Side> {
  const path = fileURLToPath(new URL(`peers/${script}`, import.meta.url))
  return Side.start({ name: 'Heddle', command: process.execPath, arguments: [path, JSON.stringify(config)] })
}

function draw(training: readonly TrainingPoint[], decoding: readonly DecodingPoint[]): string {
  const axis = 'tokens of each source and target'
  return drawCharts([
    {
      title: 'training step, ms',
      axis,
      points: training.map(({ length, median }) => ({ x: length, y: 1000 * median })),
    },
    {
      title: 'peak memory, MB',
      axis,
      points: training.map(({ length, peakMemory }) => ({ x: length, y: peakMemory / 2 ** 20 })),
    },
    {
      title: 'writing a token, ms',
      axis: 'position of the token',
      points: decoding.map(({ position, mean }) => ({ x: position, y: 1000 * mean })),
    },
  ])
}

interface Report {
  readonly chosen: Plan
  readonly training: readonly TrainingPoint[]
  readonly decoding: readonly DecodingPoint[]
  readonly loadBefore: number
}

function print({ quick, steps, repeats, json }: Options, { chosen, training, decoding, loadBefore }: Report): void {
  const machine = describeMachine(loadBefore)
  const { sizes } = chosen
  if (json) {
    const setup = { benchmark: 'growth', quick, steps, repeats, config: sizes }
    process.stdout.write(`${JSON.stringify({ ...setup, training, decoding, machine })}\n`)
    return
  }
  const model = `${sizes.encoderLayers} + ${sizes.decoderLayers} layers of width ${sizes.width}`
  const lines = [
    `Training steps of ${sizes.batchTokens} tokens of sources and targets, ${model}; ${steps} steps each`,
    '',
    formatTable([['length', 'pairs', 'median ms', 'best ms', 'tokens/s', 'peak MB'], ...training.map(trainingRow)]),
    '',
    `Writing a target a token at a time from a source of ${sourceTokens}; ${repeats} targets, means of ${window} tokens`,
    '',
    formatTable([['position', 'ms'], ...decoding.map(({ position, mean }) => [String(position), ms(mean)])]),
    '',
    formatMachine(machine),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function trainingRow({ length, pairs, median, best, tokensPerSecond, peakMemory }: TrainingPoint): string[] {
  const memory = (peakMemory / 2 ** 20).toFixed(0)
  return [String(length), String(pairs), milliseconds(median), milliseconds(best), tokensPerSecond.toFixed(0), memory]
}

/** Seconds as milliseconds, where these are few. */
function ms(seconds: number): string {
  return (seconds * 1000).toFixed(2)
}

function parseOptions(args: readonly string[]): Options | 'help' {
  const values = parseWords(args)
  if (values.help) return 'help'
  const { svg, quick = false, json = false } = values
  if (svg !== undefined && !existsSync(dirname(resolve(svg)))) {
    throw new BenchmarkError(`--svg: there is no folder ${dirname(resolve(svg))}`, 2)
  }
  const steps = wholeNumber('steps', values.steps ?? (quick ? '2' : '5'))
  const repeats = wholeNumber('repeats', values.repeats ?? (quick ? '1' : '3'))
  return { steps, repeats, svg, quick, json }
}

function parseWords(args: readonly string[]) {
  const flag = { type: 'boolean' } as const
  const words = { type: 'string' } as const
  try {
    return parseArgs({
      args: [...args],
      options: { ...{ steps: words, repeats: words, svg: words }, ...{ quick: flag, json: flag, help: flag } },
    }).values
  } catch (error) {
    throw new BenchmarkError(`${error instanceof Error ? error.message : error}\n\n${usage}`, 2)
  }
}
