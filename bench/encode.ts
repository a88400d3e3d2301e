import { existsSync, readFileSync, writeFileSync } from 'node:fs'
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
import { checkEmbeddings, writeOnnxFolder } from './encode-model.js'
import { describeMachine, formatMachine, formatTable, interleave, type Measurement, summarize } from './harness.js'
import { peersFolder } from './javascript-peers.js'
import { BenchmarkError, Side, type SideCommand, type Turn } from './side.js'
import { type Comparison, compare, median } from './statistics.js'

/** Who is measured, in the order of the table. */
const competitors = {
  heddle: { name: 'Heddle', sorted: true },
  transformersjs: { name: 'transformers.js', sorted: false },
  transformersjsSorted: { name: 'transformers.js, sorted', sorted: true },
  pytorch: { name: 'PyTorch', sorted: false },
  pytorchSorted: { name: 'PyTorch, sorted', sorted: true },
} as const

type Key = keyof typeof competitors
type PeerKey = Exclude<Key, 'heddle'>

/** What was measured of one side, in seconds for all texts and bytes. */
interface Figures {
  readonly median: number
  readonly best: number
  readonly textsPerSecond: number
  /** Of tokenizing alone, which is part of the other times too. */
  readonly tokenizing: number
  /** Processor time of all threads. */
  readonly processor: number
  /** Tokens that the model computes, padding included. */
  readonly tokens: number
  readonly peakMemory: number
  readonly coresUsed: number | null
  readonly coresUsedIdle: number | null
  readonly version: string
}

/** A peer's figures next to ours; `processorRatio` is the ratio of the processor times. */
type PeerResult = Comparison & Figures & { readonly processorRatio: number }

/** Texts of a batch. */
const batchSize = 32

const usage = `usage: npm run bench -- encode [options]

Times the encoding of sentences to vectors (float32, the mean of their tokens, of length 1), from text to vector, in
Heddle, transformers.js and PyTorch, in turns; the last two with batches as they come and with batches sorted by length.

  --model DIR     checkpoint of a BERT with its tokenizer (default: the variable HEDDLE_MINILM)
  --texts FILE    a sentence a line, up to the first tab (default: SST-2's test sentences below HEDDLE_DATA)
  --count N       how many of them (default 512)
  --groups N      turns of each side (default 5)
  --quick         2 turns on 32 sentences: whether it works, not how fast it is
  --no-peers      Heddle alone
  --json          print one JSON object instead of the table

transformers.js is what \`npm install --prefix bench/peers/encode\` installs; PyTorch is what HEDDLE_PYTHON, or else
python3, imports together with transformers. What is missing is left out.`

interface Options {
  readonly model: string
  readonly texts: string
  readonly count: number
  readonly groups: number
  readonly quick: boolean
  readonly peers: boolean
  readonly json: boolean
}

/**
 * Runs the encoding benchmark.
 *
 * @param args the words after its name
 * @returns the exit code: 0 success, 1 failure while running, 2 wrong usage
 */
export function run(args: readonly string[]): Promise<number> {
  return runBenchmark({ name: 'encode', usage, parse: parseOptions, measure }, args)
}

async function measure(options: Options, folder: string): Promise<void> {
  const loadBefore = loadavg()[0]
  const texts = readTexts(options)
  const keys: Key[] = ['heddle', ...(options.peers ? findPeers() : [])]
  const sides: Side[] = []
  try {
    await startSides(sides, keys, { model: options.model, texts, folder })
    const onGroup = (group: number, last: readonly Turn[]) => {
      const times = last.map(({ seconds }, i) => `${sides[i].name} ${seconds.map(milliseconds).join(' ')}`)
      note(`turn ${group + 1} of ${options.groups}: ${times.join('; ')} ms`)
    }
    const measured = await interleave(sides, { groups: options.groups, steps: 1, onGroup })
    const figures = measured.map((each, i) => figuresOf(each, texts.length, sides[i].ready))
    const [heddle] = figures
    const peers: Partial<Record<PeerKey, PeerResult>> = {}
    for (const [i, key] of keys.entries()) {
      if (key === 'heddle') continue
      const processorRatio = figures[i].processor / heddle.processor
      peers[key] = { ...compare(measured[0].groups, measured[i].groups), ...figures[i], processorRatio }
    }
    print(options, { heddle, peers, sentences: texts.length, loadBefore })
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
  }
}

/** Starts the sides, each of which encodes all texts once, and compares what came out. */
async function startSides(
  sides: Side[],
  keys: readonly Key[],
  { model, texts, folder }: { model: string; texts: readonly string[]; folder: string },
): Promise<void> {
  const textsFile = join(folder, 'texts.json')
  writeFileSync(textsFile, JSON.stringify(texts))
  const onnxModel = keys.some(isTransformersJs) ? writeOnnxFolder(model, folder) : model
  for (const key of keys) {
    const embeddings = join(folder, `${key}.f32`)
    const own = isTransformersJs(key) ? onnxModel : model
    const { name, sorted } = competitors[key]
    note(`${name}: warming up`)
    const config = JSON.stringify({ model: own, texts: textsFile, batchSize, sorted, embeddings })
    sides.push(await Side.start({ name, ...commandOf(key), arguments: [scriptOf(key), config] }))
    if (key !== 'heddle') checkEmbeddings(name, join(folder, 'heddle.f32'), embeddings, texts.length)
  }
}

function isTransformersJs(key: Key): boolean {
  return key.startsWith('transformersjs')
}

function commandOf(key: Key): Pick<SideCommand, 'command' | 'environment'> {
  if (!key.startsWith('pytorch')) return { command: process.execPath }
  return { command: python(), environment: openMpEnvironment() }
}

function scriptOf(key: Key): string {
  // This file runs from dist/bench/.
  if (key === 'heddle') return fileURLToPath(new URL('peers/heddle-encode.js', import.meta.url))
  if (isTransformersJs(key)) return join(peersFolder(), 'encode', 'transformersjs-encode.mjs')
  return fileURLToPath(new URL('../../bench/peers/pytorch_encode.py', import.meta.url))
}

function findPeers(): PeerKey[] {
  const isInstalled = existsSync(join(peersFolder(), 'encode/node_modules/@huggingface/transformers/package.json'))
  if (!isInstalled) {
    note('transformers.js is not installed: left out (npm install --prefix bench/peers/encode installs it)')
  }
  const hasPython = pythonImports('torch', 'transformers')
  if (!hasPython) note('no PyTorch here: left out (set HEDDLE_PYTHON to a Python that imports torch and transformers)')
  const transformersJs: PeerKey[] = ['transformersjs', 'transformersjsSorted']
  const pytorch: PeerKey[] = ['pytorch', 'pytorchSorted']
  return [...(isInstalled ? transformersJs : []), ...(hasPython ? pytorch : [])]
}

function readTexts({ texts: path, count }: Options): string[] {
  if (!existsSync(path)) throw new BenchmarkError(`--texts: there is no file ${path}`, 2)
  const lines = readFileSync(path, 'utf8').split('\n')
  const texts = lines.map((line) => line.split('\t')[0].trim()).filter((text) => text !== '')
  if (texts.length === 0) throw new BenchmarkError(`--texts: ${path} has no text`, 2)
  return texts.slice(0, count)
}

function figuresOf(measurement: Measurement, texts: number, { version, backend }: Side['ready']): Figures {
  const { phases, loss: tokens, ...summary } = summarize(measurement)
  return {
    ...{ median: summary.median, best: summary.best, textsPerSecond: texts / summary.median },
    ...{ tokenizing: phases.tokenizing, processor: median(measurement.phases.processor), tokens },
    ...{ peakMemory: summary.peakMemory, coresUsed: summary.coresUsed, coresUsedIdle: summary.coresUsedIdle },
    version: backend === undefined ? version : `${version}, ${backend}`,
  }
}

interface Report {
  readonly heddle: Figures
  readonly peers: Partial<Record<PeerKey, PeerResult>>
  readonly sentences: number
  readonly loadBefore: number
}

function print(options: Options, { heddle, peers, sentences, loadBefore }: Report): void {
  const machine = describeMachine(loadBefore)
  const { model, quick, groups } = options
  if (options.json) {
    const { ratio = null, ratioSpread = null, bestRatio = null } = peers.transformersjs ?? {}
    const setup = { benchmark: 'encode', quick, groups, sentences, batchSize, model }
    process.stdout.write(`${JSON.stringify({ ...setup, ratio, ratioSpread, bestRatio, heddle, peers, machine })}\n`)
    return
  }
  const others = Object.entries(peers).map(([key, result]) => ({ name: nameOf(key), result }))
  const rows = [{ name: competitors.heddle.name, result: heddle }, ...others].map(({ name, result }) =>
    row(name, result),
  )
  const header = ['', 'median ms', 'best ms', 'processor ms', 'tokenizing ms', 'texts/s', 'tokens', 'peak MB', 'cores']
  const lines = [
    `${sentences} sentences in batches of ${batchSize}, float32, ${model}; ${groups} turns`,
    '',
    formatTable([header, ...rows]),
    '',
    ...others.map(({ name, result }) => formatRatio(name, result)),
    ...(others.length === 0 ? ['No ratio: no other program is here.'] : []),
    '',
    `onnxruntime-node ${heddle.version}${others.map(({ name, result }) => `; ${name} ${result.version}`).join('')}`,
    formatMachine(machine),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function nameOf(key: string): string {
  return Object.entries(competitors).find(([known]) => known === key)?.[1].name ?? key
}

function row(name: string, figures: Figures): string[] {
  return [
    name,
    milliseconds(figures.median),
    milliseconds(figures.best),
    milliseconds(figures.processor),
    milliseconds(figures.tokenizing),
    figures.textsPerSecond.toFixed(1),
    String(figures.tokens),
    (figures.peakMemory / 2 ** 20).toFixed(0),
    figures.coresUsed?.toFixed(2) ?? '?',
  ]
}

function formatRatio(name: string, { ratio, ratioSpread, bestRatio, processorRatio }: PeerResult): string {
  const [low, high] = ratioSpread.map((value) => value.toFixed(2))
  const spread = `middle half of the turns ${low} to ${high}, best turns ${bestRatio.toFixed(2)}`
  return `Ratio to ${name}: ${ratio.toFixed(2)} (${spread}; processor time ${processorRatio.toFixed(2)})`
}

function parseOptions(args: readonly string[]): Options | 'help' {
  const values = parseWords(args)
  if (values.help) return 'help'
  const { quick = false, json = false } = values
  const model = values.model ?? process.env.HEDDLE_MINILM
  if (model === undefined) throw new BenchmarkError('--model DIR or the variable HEDDLE_MINILM is needed', 2)
  const data = process.env.HEDDLE_DATA
  const texts = values.texts ?? (data === undefined ? undefined : join(data, 'classification/sst2/test.tsv'))
  if (texts === undefined) throw new BenchmarkError('--texts FILE or the variable HEDDLE_DATA is needed', 2)
  const count = wholeNumber('count', values.count ?? (quick ? '32' : '512'))
  const groups = quick ? 2 : wholeNumber('groups', values.groups ?? '5')
  return { model, texts, count, groups, quick, peers: !values['no-peers'], json }
}

function parseWords(args: readonly string[]) {
  const flag = { type: 'boolean' } as const
  const words = { type: 'string' } as const
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ model: words, texts: words, count: words, groups: words },
        ...{ quick: flag, 'no-peers': flag, json: flag, help: flag },
      },
    }).values
  } catch (error) {
    throw new BenchmarkError(`${error instanceof Error ? error.message : error}\n\n${usage}`, 2)
  }
}
