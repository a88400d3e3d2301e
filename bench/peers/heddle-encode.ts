/**
 * Our side of the encoding benchmark. Takes CONFIG as JSON: model (a checkpoint's folder), texts (a file with a JSON list
 * of them), batchSize, sorted (whether batches are put together by length) and embeddings, a file that it writes the
 * texts' vectors to: float32 rows in the order of the texts. Says when it is warm, and answers each line {"steps": n} of
 * its input with the times of encoding all texts n times, of tokenizing them alone, and the processor's.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { TextEmbedder } from 'heddle/tasks'
import { loadTokenizer } from 'heddle/tokenizers'
import { env } from 'onnxruntime-node'

interface Config {
  readonly model: string
  readonly texts: string
  readonly embeddings: string
}

function joined(rows: readonly Float32Array[], width: number): Float32Array {
  const all = new Float32Array(rows.length * width)
  for (const [i, row] of rows.entries()) all.set(row, i * width)
  return all
}

function processorSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

function answer(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const config: Config = JSON.parse(process.argv[2])
const texts: string[] = JSON.parse(readFileSync(config.texts, 'utf8'))
// Batches of 32, sorted by length, is what it does by itself.
const embedder = await TextEmbedder.load(config.model, { pooling: 'mean', normalized: true })
const tokenizer = await loadTokenizer(config.model)
writeFileSync(config.embeddings, joined(await embedder.embed(texts), embedder.width))
answer({ ready: true, version: env.versions.node ?? 'unknown', parameters: 0 })
for await (const line of createInterface({ input: process.stdin })) {
  const { steps }: { steps: number } = JSON.parse(line)
  const seconds: number[] = []
  const phases: Record<'tokenizing' | 'processor', number[]> = { tokenizing: [], processor: [] }
  let tokens = 0
  for (let i = 0; i < steps; i++) {
    const start = performance.now()
    const busy = processorSeconds()
    await embedder.embed(texts)
    seconds.push((performance.now() - start) / 1000)
    phases.processor.push(processorSeconds() - busy)
    const startTokenizing = performance.now()
    const encodings = await tokenizer.encodeBatch(texts)
    phases.tokenizing.push((performance.now() - startTokenizing) / 1000)
    tokens = encodings.reduce((sum, { ids }) => sum + ids.length, 0)
  }
  answer({ seconds, phases, peakRss: process.resourceUsage().maxRSS * 1024, loss: tokens })
}
