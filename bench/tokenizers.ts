import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { trainTokenizer } from 'heddle/tokenizers'
import { describeMachine, formatMachine, formatTable, interleave, type Measurement, summarize } from './harness.js'
import { mobyDick, writeNaturalText } from './natural-text.js'
import { BenchmarkError, Side, type Turn } from './side.js'
import { type Comparison, compare } from './statistics.js'

/** What both sides do, and on how much text. */
interface Case {
  readonly description: string
  readonly megabytes: number
  readonly work:
    | { readonly job: 'train'; readonly type: 'bpe' | 'unigram' | 'wordpiece'; readonly vocabularySize: number }
    | { readonly job: 'file' | 'lines'; readonly tokenizer: 'bpe' | 'unigram' | 'wordpiece' }
}

/** What was measured of one side of a case. */
interface Figures {
  /** Seconds, median. */
  readonly median: number
  readonly best: number
  readonly megabytesPerSecond: number
  /** Bytes. */
  readonly peakMemory: number
  readonly coresUsed: number | null
  readonly tokens: number
}

type CaseResult = (Comparison | typeof noComparison) & {
  readonly name: string
  readonly megabytes: number
  readonly heddle: Figures
  readonly huggingFace: Figures | null
}

const cases: Readonly<Record<string, Case>> = {
  'train-bpe': {
    description: 'trains byte-level BPE to 16,000 tokens',
    megabytes: 20,
    work: { job: 'train', type: 'bpe', vocabularySize: 16_000 },
  },
  'train-wordpiece': {
    description: 'trains WordPiece to 16,000 tokens',
    megabytes: 20,
    work: { job: 'train', type: 'wordpiece', vocabularySize: 16_000 },
  },
  'train-unigram': {
    description: 'trains a unigram model to 8,000 tokens',
    megabytes: 2,
    work: { job: 'train', type: 'unigram', vocabularySize: 8_000 },
  },
  'encode-bpe': {
    description: 'encodes a file to ids with byte-level BPE',
    megabytes: 10,
    work: { job: 'file', tokenizer: 'bpe' },
  },
  'encode-wordpiece': {
    description: 'encodes a file to ids with WordPiece',
    megabytes: 5,
    work: { job: 'file', tokenizer: 'wordpiece' },
  },
  'lines-bpe': {
    description: 'encodes lines to ids, tokens and offsets with byte-level BPE',
    megabytes: 5,
    work: { job: 'lines', tokenizer: 'bpe' },
  },
  'lines-wordpiece': {
    description: 'encodes lines to ids, tokens and offsets with WordPiece',
    megabytes: 5,
    work: { job: 'lines', tokenizer: 'wordpiece' },
  },
  'lines-unigram': {
    description: 'encodes lines to ids, tokens and offsets with a unigram model',
    megabytes: 5,
    work: { job: 'lines', tokenizer: 'unigram' },
  },
}

const noComparison = { ratio: null, ratioSpread: null, bestRatio: null }

/** Tokens of the tokenizers that are only used to encode; they are trained on Moby Dick. */
const encodingSize = 8000

const usage = `usage: npm run bench -- tokenizers [options]

Times the training of tokenizers and encoding with them in Heddle and in Python's tokenizers (Hugging Face), in turns.
The text follows Moby Dick word by word, with some words made up, so that it can be of any length.

  --case NAME      the work to measure (default all), again for more:
${Object.entries(cases)
  .map(([name, { description, megabytes }]) => `                     ${name.padEnd(18)}${description}, ${megabytes} MB`)
  .join('\n')}
  --megabytes N    length of the text, for all cases
  --groups N       turns of each side (default 3)
  --quick          1 turn on 0.2 MB: whether it works, not how fast it is
  --json           print one JSON object instead of the table

The Python is HEDDLE_PYTHON, or else python3; where it does not import tokenizers only Heddle is measured.`

interface Options {
  readonly names: readonly string[]
  readonly megabytes: number | undefined
  readonly groups: number
  readonly quick: boolean
  readonly json: boolean
  readonly help: boolean
}

/**
 * Runs the tokenizer benchmark.
 *
 * @param args the words after its name
 * @returns the exit code: 0 success, 1 failure while running, 2 wrong usage
 */
export async function run(args: readonly string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
  try {
    const options = parseOptions(args)
    if (options.help) process.stdout.write(`${usage}\n`)
    else await measure(options, folder)
    return 0
  } catch (error) {
    if (!(error instanceof BenchmarkError)) throw error
    process.stderr.write(`bench tokenizers: ${error.message}\n`)
    return error.exitCode
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function measure(options: Options, folder: string): Promise<void> {
  const loadBefore = loadavg()[0]
  const python = findPython()
  if (python === undefined) {
    note('no tokenizers here (set HEDDLE_PYTHON to a Python that imports them): only Heddle is measured')
  }
  const results: CaseResult[] = []
  for (const name of options.names) results.push(await measureCase(name, { options, folder, python }))
  const machine = describeMachine(loadBefore)
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ benchmark: 'tokenizers', quick: options.quick, cases: results, machine })}\n`,
    )
  } else process.stdout.write(`${[...results.map(reportCase), formatMachine(machine)].join('\n\n')}\n`)
}

async function measureCase(
  name: string,
  { options, folder, python }: { options: Options; folder: string; python: string | undefined },
): Promise<CaseResult> {
  const { work, megabytes: usual } = cases[name]
  const file = join(folder, `${name}.txt`)
  note(`${name}: writing the text`)
  writeNaturalText(file, (options.quick ? 0.2 : (options.megabytes ?? usual)) * 1e6)
  const tokenizer = work.job === 'train' ? undefined : await trainFor(work.tokenizer, folder)
  const config = JSON.stringify({ ...work, file, tokenizer })
  const sides: Side[] = []
  try {
    sides.push(await startHeddle(config))
    if (python !== undefined) sides.push(await startPython(python, config))
    const onGroup = (group: number, last: readonly Turn[]) => {
      const times = last.map(({ seconds }, i) => `${sides[i].name} ${seconds.map((s) => s.toFixed(2)).join(' ')}`)
      note(`${name}: turn ${group + 1} of ${options.groups}: ${times.join(', ')} s`)
    }
    const [ours, peer] = await interleave(sides, { groups: options.groups, steps: 1, onGroup })
    const megabytes = statSync(file).size / 1e6
    return {
      ...{ name, megabytes },
      ...(peer === undefined ? noComparison : compare(ours.groups, peer.groups)),
      heddle: figures(ours, megabytes),
      huggingFace: peer === undefined ? null : figures(peer, megabytes),
    }
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
  }
}

/** Trains a tokenizer that both sides encode with. Returns the path of its file. */
async function trainFor(type: 'bpe' | 'unigram' | 'wordpiece', folder: string): Promise<string> {
  const path = join(folder, `${type}.json`)
  writeFileSync(path, await trainTokenizer([mobyDick()], { type, vocabularySize: encodingSize }))
  return path
}

function startHeddle(config: string): Promise<Side> {
  const script = fileURLToPath(new URL('peers/heddle-tokenizers.js', import.meta.url))
  return Side.start({ name: 'Heddle', command: process.execPath, arguments: [script, config] })
}

function startPython(python: string, config: string): Promise<Side> {
  // This file runs from dist/bench/.
  const script = fileURLToPath(new URL('../../bench/peers/hf_tokenizers.py', import.meta.url))
  return Side.start({ name: 'Hugging Face', command: python, arguments: [script, config] })
}

/** The Python that has tokenizers, where there is one. */
function findPython(): string | undefined {
  const python = process.env.HEDDLE_PYTHON ?? 'python3'
  return spawnSync(python, ['-c', 'import tokenizers']).status === 0 ? python : undefined
}

function figures(measurement: Measurement, megabytes: number): Figures {
  const { median, best, peakMemory, coresUsed, loss: tokens } = summarize(measurement)
  return { median, best, megabytesPerSecond: megabytes / median, peakMemory, coresUsed, tokens }
}

function reportCase({ name, megabytes, heddle, huggingFace, ...comparison }: CaseResult): string {
  const rows = [
    ['', 'median s', 'best s', 'MB/s', 'peak MB', 'cores', 'tokens'],
    row('Heddle', heddle),
    ...(huggingFace === null ? [] : [row('Hugging Face', huggingFace)]),
  ]
  return [
    `${name}: ${cases[name].description}, ${megabytes.toFixed(1)} MB`,
    '',
    formatTable(rows),
    '',
    formatRatio(comparison),
  ].join('\n')
}

function row(name: string, side: Figures): string[] {
  return [
    name,
    side.median.toFixed(2),
    side.best.toFixed(2),
    side.megabytesPerSecond.toFixed(2),
    (side.peakMemory / 2 ** 20).toFixed(0),
    side.coresUsed?.toFixed(2) ?? '?',
    String(side.tokens),
  ]
}

function formatRatio({ ratio, ratioSpread, bestRatio }: Comparison | typeof noComparison): string {
  if (ratio === null) return "No ratio: Python's tokenizers are not here."
  const [low, high] = ratioSpread.map((value) => value.toFixed(2))
  return `Ratio ${ratio.toFixed(2)} (middle half of the turns ${low} to ${high}, best turns ${bestRatio.toFixed(2)})`
}

function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

function parseOptions(args: readonly string[]): Options {
  const values = parseWords(args)
  const names = values.case ?? Object.keys(cases)
  const unknown = names.find((name) => !Object.hasOwn(cases, name))
  if (unknown !== undefined) {
    throw new BenchmarkError(`--case: '${unknown}' is unknown (valid: ${Object.keys(cases).join(', ')})`, 2)
  }
  const { quick = false, json = false, help = false } = values
  const groups = quick ? 1 : Number(values.groups ?? 3)
  if (!Number.isSafeInteger(groups) || groups < 1) {
    throw new BenchmarkError(`--groups must be a whole number of 1 or more, got '${values.groups}'`, 2)
  }
  const megabytes = values.megabytes === undefined ? undefined : Number(values.megabytes)
  if (megabytes !== undefined && !(megabytes > 0)) {
    throw new BenchmarkError(`--megabytes must be a number above 0, got '${values.megabytes}'`, 2)
  }
  return { names, megabytes, groups, quick, json, help }
}

function parseWords(args: readonly string[]) {
  const flag = { type: 'boolean' } as const
  const words = { type: 'string' } as const
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ case: { ...words, multiple: true }, groups: words, megabytes: words },
        ...{ quick: flag, json: flag, help: flag },
      },
    }).values
  } catch (error) {
    throw new BenchmarkError(`${error instanceof Error ? error.message : error}\n\n${usage}`, 2)
  }
}
