import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  milliseconds,
  note,
  openMpEnvironment,
  python,
  pythonImports,
  runBenchmark,
  wholeNumber,
} from './command-line.js'
import { type FinetuneStart, writeStart } from './finetune-start.js'
import {
  describeMachine,
  formatMachine,
  formatTable,
  interleave,
  type Measurement,
  type Summary,
  summarize,
} from './harness.js'
import { BenchmarkError, Side, type Turn } from './side.js'
import { type Comparison, compare, median } from './statistics.js'

/** A side's figures: the times are seconds for a thousand tokens, of the whole step and of its parts. */
interface Figures extends Omit<Summary, 'best'> {
  /** Processor time of all threads together. */
  readonly processor: number
  readonly tokensPerSecond: number
  readonly version: string
}

/** `processorRatio` is the ratio of the processor times. */
type Ratios = Omit<Comparison, 'bestRatio'> & { readonly processorRatio: number }

const learningRate = 5e-5
const dropout = 0.1
/** Steps without dropout, in which both sides must have the same losses. */
const comparedSteps = 4
/** Losses that differ by more are of another model, other batches or another optimizer. */
const lossTolerance = 2e-4

const usage = `usage: npm run bench -- finetune [options]

Times full steps of fine-tuning a BERT as a classifier of sentences (forward, backward, clip, AdamW; float32, dropout
${dropout}) on the same batches of 32 real sentences of similar length, in Heddle and in PyTorch, in turns.

  --model DIR     checkpoint of a BERT with its tokenizer (default: the variable HEDDLE_MINILM)
  --texts FILE    a sentence, a tab and 0 or 1 on each line (default: SST-2's training sentences below HEDDLE_DATA)
  --groups N      turns of each side (default 8)
  --steps N       steps of a turn (default 4)
  --warmup N      steps that are not measured (default 4)
  --quick         2 turns of one step: whether it works, not how fast it is
  --compile       PyTorch with torch.compile and dynamic shapes
  --json          print one JSON object instead of the table

PyTorch is what HEDDLE_PYTHON, or else python3, imports together with transformers. Where it is missing only Heddle is
measured.`

interface Options {
  readonly model: string
  readonly texts: string
  readonly groups: number
  readonly steps: number
  readonly warmup: number
  readonly quick: boolean
  readonly compile: boolean
  readonly json: boolean
}

/**
 * Runs the fine-tuning benchmark.
 *
 * @param args the words after its name
 * @returns the exit code: 0 success, 1 failure while running, 2 wrong usage
 */
export function run(args: readonly string[]): Promise<number> {
  return runBenchmark({ name: 'finetune', usage, parse: parseOptions, measure }, args)
}

async function measure(options: Options, folder: string): Promise<void> {
  const loadBefore = loadavg()[0]
  const hasPyTorch = pythonImports('torch', 'transformers')
  if (!hasPyTorch) note('no PyTorch here: left out (set HEDDLE_PYTHON to a Python that imports torch and transformers)')
  const start = (probability: number) => writeStart(options.model, options.texts, { folder, dropout: probability })
  if (hasPyTorch) await compareTraining(await start(0))
  const given = await start(dropout)
  const { groups, steps, warmup } = options
  const sides: Side[] = []
  try {
    note('warming up')
    sides.push(await startHeddle(given, warmup))
    if (hasPyTorch) sides.push(await startPyTorch(given, warmup, options.compile))
    const onGroup = (group: number, last: readonly Turn[]) => {
      const times = last.map(({ seconds }, i) => `${sides[i].name} ${seconds.map(milliseconds).join(' ')}`)
      note(`turn ${group + 1} of ${groups}: ${times.join('; ')} ms`)
    }
    const measured = await interleave(sides, { groups, steps, onGroup })
    const tokens = Array.from({ length: groups * steps }, (_, i) => given.tokens[(warmup + i) % given.tokens.length])
    const perToken = measured.map((each) => perThousandTokens(each, tokens))
    const figures = perToken.map((each, i) => figuresOf(each, measured[i], tokens, sides[i].ready))
    const [heddle, pytorch] = figures
    const ratios = pytorch === undefined ? undefined : ratiosOf(perToken)
    print(options, { heddle, pytorch, ratios, parameters: sides[0].ready.parameters, loadBefore })
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
  }
}

/** Has both sides train a few steps without dropout. @throws BenchmarkError where they do not train the same */
async function compareTraining(given: FinetuneStart): Promise<void> {
  note('comparing the first steps without dropout')
  const sides: Side[] = []
  try {
    sides.push(await startHeddle(given, comparedSteps), await startPyTorch(given, comparedSteps, false))
    const [ours, theirs] = sides.map(({ ready }) => ready)
    if (ours.parameters !== theirs.parameters) {
      throw new BenchmarkError(`not the same model: ${ours.parameters} and ${theirs.parameters} parameters`)
    }
    const [a = [], b = []] = [ours.losses, theirs.losses]
    if (a.length === b.length && a.every((loss, i) => Math.abs(loss - b[i]) <= lossTolerance)) return
    const list = (losses: readonly number[]) => losses.map((loss) => loss.toFixed(5)).join(' ')
    throw new BenchmarkError(`not the same training: losses ${list(a)} in Heddle, ${list(b)} in PyTorch`)
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
  }
}

function startHeddle({ model, batches }: FinetuneStart, warmupSteps: number): Promise<Side> {
  const script = fileURLToPath(new URL('peers/heddle-finetune.js', import.meta.url))
  const config = JSON.stringify({ model, batches, warmupSteps, learningRate })
  return Side.start({ name: 'Heddle', command: process.execPath, arguments: [script, config] })
}

function startPyTorch({ model, batches }: FinetuneStart, warmupSteps: number, compiled: boolean): Promise<Side> {
  // This file runs from dist/bench/.
  const script = fileURLToPath(new URL('../../bench/peers/pytorch_finetune.py', import.meta.url))
  const config = JSON.stringify({ model, batches, warmupSteps, learningRate, compile: compiled })
  const environment = openMpEnvironment()
  return Side.start({ name: 'PyTorch', command: python(), arguments: [script, config], environment })
}

/** The times divided by the tokens of their batches, which differ several times over. */
function perThousandTokens(measurement: Measurement, tokens: readonly number[]): Measurement {
  const perStep = (seconds: readonly number[], first = 0) =>
    seconds.map((value, i) => (1000 * value) / tokens[first + i])
  const { groups, phases } = measurement
  return {
    ...measurement,
    groups: groups.map((group, i) => perStep(group, i * group.length)),
    phases: Object.fromEntries(Object.entries(phases).map(([name, seconds]) => [name, perStep(seconds)])),
  }
}

function figuresOf(
  perToken: Measurement,
  { groups }: Measurement,
  tokens: readonly number[],
  { version, backend }: Side['ready'],
): Figures {
  const { phases, best: _, ...summary } = summarize(perToken)
  const { processor, ...parts } = phases
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
  return {
    ...{ ...summary, phases: parts, processor },
    tokensPerSecond: sum(tokens) / sum(groups.flat()),
    version: backend === undefined ? version : `${version}, ${backend}`,
  }
}

function ratiosOf([ours, theirs]: readonly Measurement[]): Ratios {
  const { ratio, ratioSpread } = compare(ours.groups, theirs.groups)
  return { ratio, ratioSpread, processorRatio: median(theirs.phases.processor) / median(ours.phases.processor) }
}

interface Report {
  readonly heddle: Figures
  readonly pytorch: Figures | undefined
  readonly ratios: Ratios | undefined
  readonly parameters: number
  readonly loadBefore: number
}

function print(options: Options, { heddle, pytorch, ratios, parameters, loadBefore }: Report): void {
  const machine = describeMachine(loadBefore)
  const { model, quick, compile, groups, steps, warmup } = options
  if (options.json) {
    const setup = { benchmark: 'finetune', quick, compile, groups, steps, warmup, model, parameters }
    const comparison = ratios ?? { ratio: null, ratioSpread: null, processorRatio: null }
    const result = { ...setup, ...comparison, heddle, pytorch: pytorch ?? null, machine }
    process.stdout.write(`${JSON.stringify(result)}\n`)
    return
  }
  const phases = Object.entries(heddle.phases).map(([phase, seconds]) => `${phase} ${milliseconds(seconds)} ms`)
  const lines = [
    `${(parameters / 1e6).toPrecision(3)}M parameters, batches of 32, dropout ${dropout}, ${model}; ${groups} turns, ${steps} steps each`,
    '',
    formatTable([
      ['ms for 1000 tokens', 'median', 'processor', 'tokens/s', 'peak MB', 'cores', 'cores idle', 'loss'],
      row('Heddle', heddle),
      ...(pytorch === undefined ? [] : [row('PyTorch', pytorch)]),
    ]),
    '',
    `Heddle's 1000 tokens: ${phases.join(', ')}`,
    formatRatio(ratios),
    '',
    `onnxruntime-node ${heddle.version}${pytorch === undefined ? '' : `; torch ${pytorch.version}`}`,
    formatMachine(machine),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function row(name: string, figures: Figures): string[] {
  return [
    name,
    milliseconds(figures.median),
    milliseconds(figures.processor),
    figures.tokensPerSecond.toFixed(0),
    (figures.peakMemory / 2 ** 20).toFixed(0),
    figures.coresUsed?.toFixed(2) ?? '?',
    figures.coresUsedIdle?.toFixed(2) ?? '?',
    figures.loss.toFixed(3),
  ]
}

function formatRatio(ratios: Ratios | undefined): string {
  if (ratios === undefined) return 'No ratio: there is no PyTorch here.'
  const [low, high] = ratios.ratioSpread.map((value) => value.toFixed(2))
  const rest = `middle half of the turns ${low} to ${high}; processor time ${ratios.processorRatio.toFixed(2)}`
  return `Ratio ${ratios.ratio.toFixed(2)} (${rest})`
}

function parseOptions(args: readonly string[]): Options | 'help' {
  const values = parseWords(args)
  if (values.help) return 'help'
  const { quick = false, compile = false, json = false } = values
  const model = values.model ?? process.env.HEDDLE_MINILM
  if (model === undefined) throw new BenchmarkError('--model DIR or the variable HEDDLE_MINILM is needed', 2)
  const data = process.env.HEDDLE_DATA
  const texts = values.texts ?? (data === undefined ? undefined : join(data, 'classification/sst2/train.tsv'))
  if (texts === undefined) throw new BenchmarkError('--texts FILE or the variable HEDDLE_DATA is needed', 2)
  const turns = {
    groups: quick ? 2 : wholeNumber('groups', values.groups ?? '8'),
    steps: quick ? 1 : wholeNumber('steps', values.steps ?? '4'),
    warmup: quick ? 1 : wholeNumber('warmup', values.warmup ?? '4'),
  }
  return { model, texts, ...turns, quick, compile, json }
}

function parseWords(args: readonly string[]) {
  const flag = { type: 'boolean' } as const
  const words = { type: 'string' } as const
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ model: words, texts: words, groups: words, steps: words, warmup: words },
        ...{ quick: flag, compile: flag, json: flag, help: flag },
      },
    }).values
  } catch (error) {
    throw new BenchmarkError(`${error instanceof Error ? error.message : error}\n\n${usage}`, 2)
  }
}
