import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import {
  milliseconds,
  note,
  openMpEnvironment,
  python,
  pythonImports,
  runBenchmark,
  wholeNumber,
} from './command-line.js'
import { describeMachine, formatMachine, formatTable, interleave, type Measurement, summarize } from './harness.js'
import { BenchmarkError, Side, type Turn } from './side.js'
import { type Comparison, compare, median } from './statistics.js'
import { countDifferent, openMarian, type TranslationModel, writeRandomModel } from './translate-model.js'

/** Who is measured, in the order of the table. */
const competitors = { heddle: 'Heddle', pytorch: 'PyTorch', ctranslate2: 'CTranslate2' } as const

type Key = keyof typeof competitors
type PeerKey = Exclude<Key, 'heddle'>

/** What was measured of one side, in seconds for all texts and bytes. */
interface Figures {
  readonly median: number
  readonly best: number
  readonly sentencesPerSecond: number
  /** Tokens of the translations. */
  readonly tokensPerSecond: number
  readonly tokens: number
  /** Processor time of all threads. */
  readonly processor: number
  readonly peakMemory: number
  readonly coresUsed: number | null
  readonly coresUsedIdle: number | null
  readonly version: string
}

/** A peer's figures next to ours: the ratio of the processor times, and how many texts it translates otherwise. */
type PeerResult = Comparison & Figures & { readonly processorRatio: number; readonly different: number }

/** Sentences of a batch, where the side does not choose. */
const batchSize = 32
const beams = 4
/** Tokens of each translation where the weights are random, whose texts end nowhere. */
const randomTokens = 15
/** Most tokens of a translation that ends where the model ends it. */
const mostTokens = 100

/** The share of the texts for which another search may find something else, where it decides when it ends. */
const mayDiffer = 0.02

const usage = `usage: npm run bench -- translate [options]

Times the translation of sentences by beam search (${beams} beams, float32), from text to text, in Heddle, PyTorch (generate of
transformers) and CTranslate2, in turns: the same Transformer with the same weights.

  --model DIR     a Transformer with its tokenizer, in Marian's format (default: one of random weights, 3 + 3 layers of
                  width 256)
  --texts FILE    a sentence a line, plain or .gz (default: Multi30k's German test sentences below HEDDLE_DATA)
  --count N       how many of them (default 500)
  --tokens N      tokens of every translation (default ${randomTokens} where weights are random; else translations end where the
                  model ends them)
  --groups N      turns of each side (default 5)
  --quick         2 turns on 16 sentences: whether it works, not how fast it is
  --no-peers      Heddle alone
  --json          print one JSON object instead of the table

The Python is HEDDLE_PYTHON, or else python3. What it does not import of torch, transformers and ctranslate2 is left out;
transformers is needed for CTranslate2 too, to convert the model.`

interface Options {
  readonly model: string | undefined
  readonly texts: string
  readonly count: number
  /** Undefined where translations end by themselves. */
  readonly tokens: number | undefined
  readonly groups: number
  readonly quick: boolean
  readonly peers: boolean
  readonly json: boolean
}

/**
 * Runs the translation benchmark.
 *
 * @param args the words after its name
 * @returns the exit code: 0 success, 1 failure while running, 2 wrong usage
 */
export function run(args: readonly string[]): Promise<number> {
  return runBenchmark({ name: 'translate', usage, parse: parseOptions, measure }, args)
}

async function measure(options: Options, folder: string): Promise<void> {
  const loadBefore = loadavg()[0]
  const texts = readTexts(options)
  const model = await openMarian(options.model ?? (await writeRandomModel(texts, folder)), texts)
  const keys: Key[] = ['heddle', ...(options.peers ? findPeers() : [])]
  const sides: Side[] = []
  try {
    const different = await startSides(sides, keys, { model, folder, options })
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
      const comparison = compare(measured[0].groups, measured[i].groups)
      peers[key] = { ...comparison, ...figures[i], processorRatio, different: different[i] }
    }
    print(options, { heddle, peers, sentences: texts.length, parameters: sides[0].ready.parameters, loadBefore })
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
  }
}

/** What the sides start from. */
interface Start {
  readonly model: TranslationModel
  readonly folder: string
  readonly options: Options
}

/**
 * Starts the sides, each of which translates all texts once.
 *
 * @returns how many texts each of them translates otherwise than the first one
 * @throws BenchmarkError where these are more than rules of their own explain
 */
async function startSides(sides: Side[], keys: readonly Key[], start: Start): Promise<number[]> {
  const { model, folder, options } = start
  const different: number[] = []
  for (const key of keys) {
    note(`${competitors[key]}: warming up`)
    const translations = join(folder, `${key}-translations.json`)
    sides.push(await startSide(key, start, translations))
    const [ours, theirs] = ['heddle-translations.json', `${key}-translations.json`].map((name) =>
      JSON.parse(readFileSync(join(folder, name), 'utf8')),
    )
    const count = await countDifferent(model, ours, theirs)
    const allowed = options.tokens === undefined ? Math.floor(mayDiffer * model.texts.length) : 0
    if (count > allowed) {
      const some = `${count} of ${model.texts.length} texts`
      throw new BenchmarkError(`not the same translations: ${some} are others in ${competitors[key]} than in Heddle`)
    }
    different.push(count)
  }
  return different
}

function startSide(key: Key, { model, folder, options }: Start, translations: string): Promise<Side> {
  const texts = join(folder, 'texts.json')
  writeFileSync(texts, JSON.stringify(model.texts))
  const most = options.tokens ?? Math.min(mostTokens, model.model.config.contextLength)
  const search = { batchSize, beams, minNewTokens: options.tokens ?? 0, maxNewTokens: most }
  const own = key === 'ctranslate2' ? convert(model.folder, folder) : model.folder
  const words = [scriptOf(key), JSON.stringify({ ...search, model: own, texts, translations })]
  const name = competitors[key]
  if (key === 'heddle') return Side.start({ name, command: process.execPath, arguments: words })
  return Side.start({ name, command: python(), arguments: words, environment: openMpEnvironment() })
}

/** Makes CTranslate2's model of a checkpoint. @returns its folder */
function convert(checkpoint: string, folder: string): string {
  const converted = join(folder, 'ctranslate2-model')
  const words = [scriptOf('ctranslate2'), 'convert', checkpoint, converted]
  const { status, stderr } = spawnSync(python(), words, { encoding: 'utf8' })
  if (status === 0) return converted
  throw new BenchmarkError(`CTranslate2 could not convert the model:\n${stderr.trim()}`)
}

function scriptOf(key: Key): string {
  // This file runs from dist/bench/.
  if (key === 'heddle') return fileURLToPath(new URL('peers/heddle-translate.js', import.meta.url))
  return fileURLToPath(new URL(`../../bench/peers/${key}_translate.py`, import.meta.url))
}

function findPeers(): PeerKey[] {
  const hasTransformers = pythonImports('torch', 'transformers')
  if (!hasTransformers) {
    note('no PyTorch here: left out (set HEDDLE_PYTHON to a Python that imports torch and transformers)')
  }
  const hasCTranslate2 = hasTransformers && pythonImports('ctranslate2')
  if (!hasCTranslate2) note('no CTranslate2 here: left out (bench/peers/requirements.txt has its version)')
  return [...(hasTransformers ? (['pytorch'] as const) : []), ...(hasCTranslate2 ? (['ctranslate2'] as const) : [])]
}

function readTexts({ texts: path, count }: Options): string[] {
  if (!existsSync(path)) throw new BenchmarkError(`--texts: there is no file ${path}`, 2)
  const bytes = readFileSync(path)
  const lines = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n')
  const texts = lines.map((line) => line.trim()).filter((text) => text !== '')
  if (texts.length === 0) throw new BenchmarkError(`--texts: ${path} has no text`, 2)
  return texts.slice(0, count)
}

function figuresOf(measurement: Measurement, sentences: number, { version, backend }: Side['ready']): Figures {
  const { median: seconds, best, loss: tokens, peakMemory, coresUsed, coresUsedIdle } = summarize(measurement)
  return {
    ...{ median: seconds, best, sentencesPerSecond: sentences / seconds, tokensPerSecond: tokens / seconds, tokens },
    ...{ processor: median(measurement.phases.processor), peakMemory, coresUsed, coresUsedIdle },
    version: backend === undefined ? version : `${version}, ${backend}`,
  }
}

interface Report {
  readonly heddle: Figures
  readonly peers: Partial<Record<PeerKey, PeerResult>>
  readonly sentences: number
  readonly parameters: number
  readonly loadBefore: number
}

function print(options: Options, { heddle, peers, sentences, parameters, loadBefore }: Report): void {
  const machine = describeMachine(loadBefore)
  const { quick, groups, model = null, tokens = null } = options
  if (options.json) {
    const { ratio = null, ratioSpread = null, bestRatio = null } = peers.pytorch ?? {}
    const setup = { benchmark: 'translate', quick, groups, sentences, batchSize, beams, tokens, model, parameters }
    process.stdout.write(`${JSON.stringify({ ...setup, ratio, ratioSpread, bestRatio, heddle, peers, machine })}\n`)
    return
  }
  const others = (['pytorch', 'ctranslate2'] as const).flatMap((key) => {
    const result = peers[key]
    return result === undefined ? [] : [{ name: competitors[key], result }]
  })
  const weights = `${(parameters / 1e6).toPrecision(3)}M parameters, ${model ?? 'random weights'}`
  const ends = tokens === null ? '' : `, ${tokens} tokens each`
  const lines = [
    `${sentences} sentences${ends}, ${beams} beams, float32, ${weights}; ${groups} turns`,
    '',
    formatTable([tableHeader, row(competitors.heddle, heddle), ...others.map(({ name, result }) => row(name, result))]),
    '',
    ...others.map(({ name, result }) => formatRatio(name, result)),
    ...(others.length === 0 ? ['No ratio: no other program is here.'] : []),
    '',
    `onnxruntime-node ${heddle.version}${others.map(({ name, result }) => `; ${name} ${result.version}`).join('')}`,
    formatMachine(machine),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

const tableHeader = [
  ...['', 'median ms', 'best ms', 'processor ms', 'sentences/s', 'tokens/s', 'tokens', 'peak MB', 'cores'],
  'cores idle',
]

function row(name: string, figures: Figures): string[] {
  return [
    name,
    milliseconds(figures.median),
    milliseconds(figures.best),
    milliseconds(figures.processor),
    figures.sentencesPerSecond.toFixed(1),
    figures.tokensPerSecond.toFixed(0),
    String(figures.tokens),
    (figures.peakMemory / 2 ** 20).toFixed(0),
    figures.coresUsed?.toFixed(2) ?? '?',
    figures.coresUsedIdle?.toFixed(2) ?? '?',
  ]
}

function formatRatio(name: string, { ratio, ratioSpread, bestRatio, processorRatio, different }: PeerResult): string {
  const [low, high] = ratioSpread.map((value) => value.toFixed(2))
  const spread = `middle half of the turns ${low} to ${high}, best turns ${bestRatio.toFixed(2)}`
  const others = different === 0 ? '' : `; ${different} translations differ`
  return `Ratio to ${name}: ${ratio.toFixed(2)} (${spread}; processor time ${processorRatio.toFixed(2)})${others}`
}

function parseOptions(args: readonly string[]): Options | 'help' {
  const values = parseWords(args)
  if (values.help) return 'help'
  const { model, quick = false, json = false } = values
  const data = process.env.HEDDLE_DATA
  const usual = data === undefined ? undefined : join(data, 'mt/multi30k/test_2016_flickr.de.gz')
  const texts = values.texts ?? usual
  if (texts === undefined) throw new BenchmarkError('--texts FILE or the variable HEDDLE_DATA is needed', 2)
  const given = values.tokens ?? (model === undefined ? String(randomTokens) : undefined)
  const tokens = given === undefined ? undefined : wholeNumber('tokens', given)
  if (tokens !== undefined && tokens > mostTokens) {
    throw new BenchmarkError(`--tokens must be ${mostTokens} or less, got ${tokens}`, 2)
  }
  const count = wholeNumber('count', values.count ?? (quick ? '16' : '500'))
  const groups = quick ? 2 : wholeNumber('groups', values.groups ?? '5')
  return { model, texts, count, tokens, groups, quick, peers: !values['no-peers'], json }
}

function parseWords(args: readonly string[]) {
  const flag = { type: 'boolean' } as const
  const words = { type: 'string' } as const
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ model: words, texts: words, count: words, tokens: words, groups: words },
        ...{ quick: flag, 'no-peers': flag, json: flag, help: flag },
      },
    }).values
  } catch (error) {
    throw new BenchmarkError(`${error instanceof Error ? error.message : error}\n\n${usage}`, 2)
  }
}
