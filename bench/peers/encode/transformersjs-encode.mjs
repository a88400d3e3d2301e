/**
 * transformers.js's side of the encoding benchmark, in the words of heddle-encode.ts: takes the same CONFIG, whose model is
 * a folder with config.json, the tokenizer's files and onnx/model.onnx.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { env, pipeline } from '@huggingface/transformers'

const { model, texts: textsFile, batchSize, sorted, embeddings } = JSON.parse(process.argv[2])
const texts = JSON.parse(readFileSync(textsFile, 'utf8'))

env.localModelPath = dirname(model)
env.allowRemoteModels = false
const extractor = await pipeline('feature-extraction', basename(model), { dtype: 'fp32', device: 'cpu' })
const { tokenizer } = extractor

/** The texts' places in the order of their lengths, where that is asked for, else as they are given. */
function order() {
  const places = texts.map((_, i) => i)
  if (!sorted) return places
  const lengths = texts.map((text) => tokenizer.encode(text).length)
  return places.sort((a, b) => lengths[a] - lengths[b])
}

function* batches(places) {
  for (let i = 0; i < places.length; i += batchSize) yield places.slice(i, i + batchSize)
}

/** The embeddings of all texts in their order, as rows of one array. */
async function encode() {
  let all
  for (const places of batches(order())) {
    const { data, dims } = await extractor(
      places.map((place) => texts[place]),
      { pooling: 'mean', normalize: true },
    )
    const width = dims[1]
    all ??= new Float32Array(texts.length * width)
    for (const [i, place] of places.entries()) all.set(data.subarray(i * width, (i + 1) * width), place * width)
  }
  return all
}

/** Only tokenizes. Returns how many tokens the model would compute, padding included. */
function tokenize() {
  let tokens = 0
  for (const places of batches(order())) {
    const { input_ids } = tokenizer(
      places.map((place) => texts[place]),
      { padding: true, truncation: true },
    )
    tokens += input_ids.size
  }
  return tokens
}

function processorSeconds() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

function answer(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

writeFileSync(embeddings, await encode())
answer({
  ready: true,
  version: env.version,
  parameters: 0,
  backend: `onnxruntime-node ${env.backends.onnx.versions?.node ?? 'of an unknown version'}`,
})
for await (const line of createInterface({ input: process.stdin })) {
  const seconds = []
  const phases = { tokenizing: [], processor: [] }
  let tokens = 0
  for (let i = 0; i < JSON.parse(line).steps; i++) {
    const start = performance.now()
    const busy = processorSeconds()
    await encode()
    seconds.push((performance.now() - start) / 1000)
    phases.processor.push(processorSeconds() - busy)
    const startTokenizing = performance.now()
    tokens = tokenize()
    phases.tokenizing.push((performance.now() - startTokenizing) / 1000)
  }
  answer({ seconds, phases, peakRss: process.resourceUsage().maxRSS * 1024, loss: tokens })
}
process.exit()
