/**
 * What the JavaScript peers of the training benchmark have in common: a CONFIG as heddle-training.ts takes it, the
 * weights and batches that Heddle began with, and the lines of JSON.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** The optimizer of all sides: AdamW, with decay of the matrices alone, and gradients clipped to a norm. */
export const adamw = { learningRate: 1e-3, betas: [0.9, 0.99], epsilon: 1e-8, weightDecay: 0.1, clip: 1 }

/** ε of the layer norms. */
export const normEpsilon = 1e-5

/** What is added to the attention scores of later positions: exp of it is 0. */
export const hidden = -1e9

/**
 * Trains as the benchmark asks: first Heddle's batches, then random ones until its input ends.
 *
 * @param create from the configuration and the weights (a Map of names to { shape, data: Float32Array }) to a training:
 *   { version, backend, step({ ids, targets: Int32Array [B·T] }) → Promise of the loss before the update }
 */
export async function serve(create) {
  const config = readConfig(process.argv[2])
  const { weights, batches } = readStart(process.argv[3])
  const { version, backend, step } = await create(config, weights)
  const losses = []
  for (const batch of batches) losses.push(await step(batch))
  const parameters = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0)
  answer({ ready: true, version, backend, parameters, losses })
  for await (const line of createInterface({ input: process.stdin })) {
    const seconds = []
    let loss
    for (let i = 0; i < JSON.parse(line).steps; i++) {
      const start = performance.now()
      loss = await step(randomBatch(config))
      seconds.push((performance.now() - start) / 1000)
    }
    answer({ seconds, peakRss: process.resourceUsage().maxRSS * 1024, loss })
  }
  // Threads of an engine would keep the process alive.
  process.exit()
}

/** The causal mask that is added to attention scores: float32 [T, T], rows are queries. */
export function causalMask(length) {
  return Float32Array.from({ length: length * length }, (_, i) => (i % length > Math.floor(i / length) ? hidden : 0))
}

/** The installed version of a package. */
export function versionOf(name) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
}

function readConfig(text) {
  const config = JSON.parse(text)
  const { bias, activation, dropout } = config
  if (bias || activation !== 'gelu' || dropout !== 0) {
    throw new Error(`a peer has no biases, gelu and no dropout, got ${JSON.stringify({ bias, activation, dropout })}`)
  }
  return config
}

/** Reads what Heddle wrote: its weights, and its first batches as int32 tensors `batch.0.ids`, `batch.0.targets` …  */
function readStart(path) {
  const weights = readSafetensors(path)
  const batches = []
  for (let i = 0; weights.has(`batch.${i}.ids`); i++) {
    const [ids, targets] = ['ids', 'targets'].map((part) => {
      const { data } = weights.get(`batch.${i}.${part}`)
      weights.delete(`batch.${i}.${part}`)
      return data
    })
    batches.push({ ids, targets })
  }
  return { weights, batches }
}

function readSafetensors(path) {
  const file = readFileSync(path)
  const dataStart = 8 + Number(file.readBigUInt64LE())
  const { __metadata__, ...entries } = JSON.parse(file.toString('utf8', 8, dataStart))
  const read = ({ dtype, shape, data_offsets: [begin, end] }) => {
    const bytes = new Uint8Array(file.subarray(dataStart + begin, dataStart + end))
    return { shape, data: new { F32: Float32Array, I32: Int32Array }[dtype](bytes.buffer) }
  }
  return new Map(Object.entries(entries).map(([name, entry]) => [name, read(entry)]))
}

function randomBatch({ batchSize, contextLength, vocabularySize }) {
  const ids = new Int32Array(batchSize * contextLength)
  const targets = new Int32Array(ids.length)
  let token = Math.floor(Math.random() * vocabularySize)
  for (let i = 0; i < ids.length; i++) {
    ids[i] = token
    token = Math.floor(Math.random() * vocabularySize)
    targets[i] = token
  }
  return { ids, targets }
}

function answer(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}
