import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  describeMachine,
  formatMachine,
  formatTable,
  interleave,
  type Measurement,
  type Summary,
  summarize,
} from './harness.js'
import {
  checkSameTraining,
  isInstalled,
  type JavaScriptPeer,
  javaScriptPeers,
  peersFolder,
  startPeer,
} from './javascript-peers.js'
import { BenchmarkError, Side, type Turn } from './side.js'
import { type Comparison, compare } from './statistics.js'

/** A model and the batches that it is trained on; both sides take it as it is. */
interface Config {
  readonly layers: number
  readonly heads: number
  readonly width: number
  readonly contextLength: number
  readonly batchSize: number
  readonly vocabularySize: number
  readonly dropout: number
  readonly bias: boolean
  readonly activation: 'gelu' | 'gelu_new'
}

/** A model that is measured, and the steps of a turn: about a second's worth. */
interface Case {
  readonly description: string
  readonly steps: number
  /** Steps of a turn of TensorFlow.js and of jax-js, which are measured only where this is given. */
  readonly peerSteps?: number
  readonly config: Config
}

type Figures = Summary & { readonly tokensPerSecond: number }

/** What was measured of TensorFlow.js or jax-js. */
type PeerResult = Comparison & Figures & { readonly version: string; readonly backend: string; readonly steps: number }

/** What was measured of a case; the ratio and PyTorch's figures are null where PyTorch is missing. */
type CaseResult = (Comparison | typeof noComparison) & {
  readonly name: string
  readonly parameters: number
  readonly config: Config
  readonly groups: number
  readonly steps: number
  readonly heddle: Figures
  readonly pytorch: Figures | null
  /** Of those that are installed, in cases that have them. */
  readonly peers: Readonly<Partial<Record<JavaScriptPeer['key'], PeerResult>>>
  readonly versions: { readonly onnxruntime: string; readonly torch: string | null }
}

const characters = { vocabularySize: 65, dropout: 0, bias: false, activation: 'gelu' } as const

const cases: Readonly<Record<string, Case>> = {
  'gpt-6x384': {
    description: 'a GPT for characters, 6 layers of width 384',
    steps: 2,
    config: { ...characters, layers: 6, heads: 6, width: 384, contextLength: 256, batchSize: 12 },
  },
  'gpt2-small': {
    description: 'the shape of GPT-2 small',
    steps: 1,
    config: {
      ...{ layers: 12, heads: 12, width: 768, contextLength: 256, batchSize: 2 },
      ...{ vocabularySize: 50257, dropout: 0, bias: true, activation: 'gelu_new' },
    },
  },
  'gpt-4x128': {
    description: "nanoGPT's character model for a CPU",
    steps: 20,
    peerSteps: 3,
    config: { ...characters, layers: 4, heads: 4, width: 128, contextLength: 64, batchSize: 12 },
  },
  tiny: {
    description: 'too small to mean anything: tries the benchmark itself',
    steps: 5,
    peerSteps: 5,
    config: { ...characters, layers: 2, heads: 2, width: 32, contextLength: 16, batchSize: 4 },
  },
}

const noComparison = { ratio: null, ratioSpread: null, bestRatio: null }

const mainCase = 'gpt-6x384'
const allCases = [mainCase, 'gpt2-small', 'gpt-4x128']

const usage = `usage: npm run bench -- training [options]

Times full training steps (forward, backward, clip, AdamW) of the same models in Heddle and in PyTorch, in turns;
gpt-4x128 in TensorFlow.js and jax-js too.

  --case NAME   the model to measure (default ${mainCase}), again for more of them:
${Object.entries(cases)
  .map(([name, { description }]) => `                  ${name.padEnd(12)}${description}`)
  .join('\n')}
  --all         ${allCases.join(', ')}
  --groups N    turns of each side (default 10)
  --quick       3 turns of one step: whether it works, not how fast it is
  --compile     PyTorch with torch.compile
  --no-peers    without TensorFlow.js and jax-js
  --json        print one JSON object instead of the table

PyTorch is what HEDDLE_PYTHON, or else python3, imports; TensorFlow.js and jax-js are what
\`npm install --prefix bench/peers\` installs. What is missing is left out.`

interface Options {
  readonly names: readonly string[]
  readonly groups: number
  readonly quick: boolean
  readonly compile: boolean
  readonly peers: boolean
  readonly json: boolean
  readonly help: boolean
}

/**
 * Runs the training benchmark.
 *
 * @param args the words after its name
 * @returns the exit code: 0 success, 1 failure while running, 2 wrong usage
 */
export async function run(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args)
    if (options.help) process.stdout.write(`${usage}\n`)
    else await measure(options)
    return 0
  } catch (error) {
    if (!(error instanceof BenchmarkError)) throw error
    process.stderr.write(`bench training: ${error.message}\n`)
    return error.exitCode
  }
}

async function measure(options: Options): Promise<void> {
  const loadBefore = loadavg()[0]
  const python = findPython()
  if (python === undefined) {
    note('no PyTorch here: left out (set HEDDLE_PYTHON to a Python that imports torch)')
  }
  const results: CaseResult[] = []
  for (const name of options.names) {
    results.push(await measureCase(name, { ...options, python, javaScript: findPeers(name, options) }))
  }
  const machine = describeMachine(loadBefore)
  const { ratio, ratioSpread, bestRatio, versions } = results[0]
  const { quick, compile } = options
  const figures = { ratio, ratioSpread, bestRatio, quick, compile, cases: results, machine, versions }
  const text = [...results.map(reportCase), `${formatVersions(versions)}; ${formatMachine(machine)}`].join('\n\n')
  process.stdout.write(`${options.json ? JSON.stringify({ benchmark: 'training', ...figures }) : text}\n`)
}

/** What a case is measured with. */
interface CaseOptions extends Options {
  readonly python: string | undefined
  readonly javaScript: readonly JavaScriptPeer[]
}

async function measureCase(name: string, options: CaseOptions): Promise<CaseResult> {
  const { config, steps, peerSteps = steps } = cases[name]
  const turns = options.quick ? { groups: 3, steps: 1 } : { groups: options.groups, steps }
  const sides: Side[] = []
  try {
    note(`${name}: warming up`)
    await startSides(sides, config, options)
    const [ours, ...others] = sides
    for (const other of others) checkSameTraining(ours, other)
    const onGroup = (group: number, last: readonly Turn[]) => {
      const times = last.map(({ seconds }, i) => `${sides[i].name} ${seconds.map(milliseconds).join(' ')}`)
      note(`${name}: turn ${group + 1} of ${turns.groups}: ${times.join(', ')}`)
    }
    const peersFrom = sides.length - options.javaScript.length
    const ownSteps = sides.map((_, i) => (i < peersFrom || options.quick ? turns.steps : peerSteps))
    const measured = await interleave(sides, { ...turns, steps: ownSteps, onGroup })
    const [heddle, torch] = measured.slice(0, peersFrom)
    const peers: Partial<Record<JavaScriptPeer['key'], PeerResult>> = {}
    for (const [i, { key }] of options.javaScript.entries()) {
      const at = peersFrom + i
      const { version, backend = 'unknown' } = sides[at].ready
      const comparison = compare(heddle.groups, measured[at].groups)
      peers[key] = { ...comparison, ...withSpeed(measured[at], config), version, backend, steps: ownSteps[at] }
    }
    return {
      ...{ name, parameters: ours.ready.parameters, config, ...turns },
      ...(torch === undefined ? noComparison : compare(heddle.groups, torch.groups)),
      heddle: withSpeed(heddle, config),
      pytorch: torch === undefined ? null : withSpeed(torch, config),
      peers,
      versions: { onnxruntime: ours.ready.version, torch: torch === undefined ? null : others[0].ready.version },
    }
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
  }
}

/** Starts Heddle, PyTorch where there is one, and the JavaScript peers from Heddle's weights and batches. */
async function startSides(sides: Side[], config: Config, { python, javaScript, compile }: CaseOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
  try {
    const startFile = join(folder, 'start.safetensors')
    sides.push(await startHeddle(config, javaScript.length === 0 ? [] : [startFile]))
    if (python !== undefined) sides.push(await startPyTorch(python, config, compile))
    for (const peer of javaScript) sides.push(await startPeer(peer, config, startFile))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function startHeddle(config: Config, startFile: readonly string[]): Promise<Side> {
  const script = fileURLToPath(new URL('peers/heddle-training.js', import.meta.url))
  const words = [script, JSON.stringify(config), ...startFile]
  return Side.start({ name: 'Heddle', command: process.execPath, arguments: words })
}

function startPyTorch(python: string, config: Config, compiled: boolean): Promise<Side> {
  // This file runs from dist/bench/.
  const script = fileURLToPath(new URL('../../bench/peers/pytorch_training.py', import.meta.url))
  return Side.start({
    name: 'PyTorch',
    command: python,
    arguments: [script, JSON.stringify(config), ...(compiled ? ['compile'] : [])],
    environment: {
      // As many threads as our engine takes. Without PASSIVE they spin after each operation, which slows PyTorch too.
      OMP_NUM_THREADS: process.env.OMP_NUM_THREADS ?? String(availableParallelism()),
      OMP_WAIT_POLICY: 'PASSIVE',
    },
  })
}

/** The Python that has PyTorch, where there is one. */
function findPython(): string | undefined {
  const python = process.env.HEDDLE_PYTHON ?? 'python3'
  return spawnSync(python, ['-c', 'import torch']).status === 0 ? python : undefined
}

/** The JavaScript peers that a case is measured with. */
function findPeers(name: string, { peers }: Options): readonly JavaScriptPeer[] {
  if (!peers || cases[name].peerSteps === undefined) return []
  const missing = javaScriptPeers.filter((peer) => !isInstalled(peer, peersFolder()))
  if (missing.length > 0) {
    const names = missing.map((peer) => peer.name).join(' and ')
    note(`${name}: ${names} not installed: left out (npm install --prefix bench/peers installs them)`)
  }
  return javaScriptPeers.filter((peer) => !missing.includes(peer))
}

function withSpeed(measurement: Measurement, { batchSize, contextLength }: Config): Figures {
  const summary = summarize(measurement)
  return { ...summary, tokensPerSecond: (batchSize * contextLength) / summary.median }
}

function reportCase(result: CaseResult): string {
  const { name, parameters, config, groups, steps, heddle, pytorch } = result
  const peers = javaScriptPeers.flatMap(({ key, name }) => {
    const figures = result.peers[key]
    return figures === undefined ? [] : [{ name, figures }]
  })
  const { layers, heads, width, contextLength, batchSize, vocabularySize } = config
  const model = `${(parameters / 1e6).toPrecision(3)}M parameters, ${layers} layers, ${heads} heads, width ${width}`
  const batches = `context ${contextLength}, batch ${batchSize}, vocabulary ${vocabularySize}`
  const phases = Object.entries(heddle.phases).map(([phase, seconds]) => `${phase} ${milliseconds(seconds)} ms`)
  return [
    `${name}: ${model}, ${batches}; ${groups} turns, ${steps} steps each`,
    '',
    formatTable([
      ['', 'median ms', 'best ms', 'tokens/s', 'peak MB', 'cores', 'cores idle', 'loss'],
      row('Heddle', heddle),
      ...(pytorch === null ? [] : [row('PyTorch', pytorch)]),
      ...peers.map(({ name, figures }) => row(name, figures)),
    ]),
    '',
    `Heddle's step: ${phases.join(', ')}`,
    formatRatio('Ratio', result),
    ...peers.map(({ name, figures }) => {
      const { version, backend, steps } = figures
      return `${formatRatio(`${name}'s ratio`, figures)}; ${version}, ${backend}, ${steps} steps a turn`
    }),
  ].join('\n')
}

function formatRatio(name: string, { ratio, ratioSpread, bestRatio }: Comparison | typeof noComparison): string {
  if (ratio === null) return 'No ratio: there is no PyTorch here.'
  const [low, high] = ratioSpread.map((value) => value.toFixed(2))
  return `${name} ${ratio.toFixed(2)} (middle half of the turns ${low} to ${high}, best steps ${bestRatio.toFixed(2)})`
}

function row(name: string, summary: Figures): string[] {
  return [
    name,
    milliseconds(summary.median),
    milliseconds(summary.best),
    summary.tokensPerSecond.toFixed(0),
    (summary.peakMemory / 2 ** 20).toFixed(0),
    summary.coresUsed?.toFixed(2) ?? '?',
    summary.coresUsedIdle?.toFixed(2) ?? '?',
    summary.loss.toFixed(3),
  ]
}

function formatVersions({ onnxruntime, torch }: CaseResult['versions']): string {
  return torch === null ? `onnxruntime ${onnxruntime}` : `onnxruntime ${onnxruntime}, torch ${torch}`
}

function milliseconds(seconds: number): string {
  return (seconds * 1000).toFixed(1)
}

function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

function parseOptions(args: readonly string[]): Options {
  const values = parseWords(args)
  const names = values.all ? allCases : (values.case ?? [mainCase])
  const unknown = names.find((name) => !Object.hasOwn(cases, name))
  if (unknown !== undefined) {
    throw new BenchmarkError(`--case: '${unknown}' is unknown (valid: ${Object.keys(cases).join(', ')})`, 2)
  }
  const groups = Number(values.groups ?? 10)
  if (!Number.isSafeInteger(groups) || groups < 1) {
    throw new BenchmarkError(`--groups must be a whole number of 1 or more, got '${values.groups}'`, 2)
  }
  const { quick = false, compile = false, json = false, help = false } = values
  return { names, groups, quick, compile, json, help, peers: !values['no-peers'] }
}

function parseWords(args: readonly string[]) {
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ case: { type: 'string', multiple: true }, groups: { type: 'string' } },
        ...{ all: flag, quick: flag, compile: flag, 'no-peers': flag, json: flag, help: flag },
      },
    }).values
  } catch (error) {
    throw new BenchmarkError(`${error instanceof Error ? error.message : error}\n\n${usage}`, 2)
  }
}
