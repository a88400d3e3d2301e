import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { milliseconds, note, pythonImports, wholeNumber } from './command-line.js'
import {
  describeMachine,
  formatMachine,
  formatTable,
  interleave,
  type Measurement,
  type Summary,
  summarize,
} from './harness.js'
import { isInstalled, type JavaScriptPeer, javaScriptPeers, peersFolder } from './javascript-peers.js'
import { BenchmarkError, type Side, type Turn } from './side.js'
import { type Comparison, compare } from './statistics.js'
import { allCases, type Case, cases, describeCase, mainCase } from './training-cases.js'
import { type Peers, startSides } from './training-sides.js'

type Figures = Summary & { readonly tokensPerSecond: number }

/** What was measured of TensorFlow.js or jax-js. */
type PeerResult = Comparison & Figures & { readonly version: string; readonly backend: string; readonly steps: number }

/** What was measured of a case; the ratio and PyTorch's figures are null where PyTorch is missing. */
type CaseResult = (Comparison | typeof noComparison) & {
  readonly name: string
  readonly parameters: number
  readonly config: Case['config']
  readonly groups: number
  readonly steps: number
  readonly heddle: Figures
  readonly pytorch: Figures | null
  /** Of those that are installed, in cases that have them. */
  readonly peers: Readonly<Partial<Record<JavaScriptPeer['key'], PeerResult>>>
  readonly versions: { readonly onnxruntime: string; readonly torch: string | null }
}

const noComparison = { ratio: null, ratioSpread: null, bestRatio: null }

const usage = `usage: npm run bench -- training [options]

Times full training steps (forward, backward, clip, AdamW) of the same models in Heddle and in PyTorch, in turns;
gpt-4x128 in TensorFlow.js and jax-js too. Transformers train on the same pairs in both.

  --case NAME   the model to measure (default ${mainCase}), again for more of them:
${Object.entries(cases)
  .map(([name, { description }]) => `                  ${name.padEnd(27)}${description}`)
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
  const hasPyTorch = pythonImports('torch')
  if (!hasPyTorch) {
    note('no PyTorch here: left out (set HEDDLE_PYTHON to a Python that imports torch)')
  }
  const results: CaseResult[] = []
  for (const name of options.names) {
    results.push(await measureCase(name, { ...options, hasPyTorch, javaScript: findPeers(name, options) }))
  }
  const machine = describeMachine(loadBefore)
  const { ratio, ratioSpread, bestRatio, versions } = results[0]
  const { quick, compile } = options
  const figures = { ratio, ratioSpread, bestRatio, quick, compile, cases: results, machine, versions }
  const text = [...results.map(reportCase), `${formatVersions(versions)}; ${formatMachine(machine)}`].join('\n\n')
  process.stdout.write(`${options.json ? JSON.stringify({ benchmark: 'training', ...figures }) : text}\n`)
}

async function measureCase(name: string, options: Options & Peers): Promise<CaseResult> {
  const { config, steps, peerSteps = steps } = cases[name]
  const turns = options.quick ? { groups: 3, steps: 1 } : { groups: options.groups, steps }
  const sides: Side[] = []
  try {
    note(`${name}: warming up`)
    const tokens = await startSides(sides, cases[name], options)
    const [ours, ...others] = sides
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
      peers[key] = { ...comparison, ...withSpeed(measured[at], tokens), version, backend, steps: ownSteps[at] }
    }
    return {
      ...{ name, parameters: ours.ready.parameters, config, ...turns },
      ...(torch === undefined ? noComparison : compare(heddle.groups, torch.groups)),
      heddle: withSpeed(heddle, tokens),
      pytorch: torch === undefined ? null : withSpeed(torch, tokens),
      peers,
      versions: { onnxruntime: ours.ready.version, torch: torch === undefined ? null : others[0].ready.version },
    }
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
  }
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

function withSpeed(measurement: Measurement, tokens: number): Figures {
  const summary = summarize(measurement)
  return { ...summary, tokensPerSecond: tokens / summary.median }
}

function reportCase(result: CaseResult): string {
  const { name, parameters, groups, steps, heddle, pytorch } = result
  const peers = javaScriptPeers.flatMap(({ key, name }) => {
    const figures = result.peers[key]
    return figures === undefined ? [] : [{ name, figures }]
  })
  const size = `${(parameters / 1e6).toPrecision(3)}M parameters`
  const phases = Object.entries(heddle.phases).map(([phase, seconds]) => `${phase} ${milliseconds(seconds)} ms`)
  return [
    `${name}: ${size}, ${describeCase(cases[name])}; ${groups} turns, ${steps} steps each`,
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

function parseOptions(args: readonly string[]): Options {
  const values = parseWords(args)
  const names = values.all ? allCases : (values.case ?? [mainCase])
  const unknown = names.find((name) => !Object.hasOwn(cases, name))
  if (unknown !== undefined) {
    throw new BenchmarkError(`--case: '${unknown}' is unknown (valid: ${Object.keys(cases).join(', ')})`, 2)
  }
  const groups = wholeNumber('groups', values.groups ?? '10')
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
