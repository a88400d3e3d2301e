import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openMpEnvironment, python } from './command-line.js'
import { checkSameTraining, type JavaScriptPeer, startPeer } from './javascript-peers.js'
import { naturalPairs, tokensOf } from './pair-batches.js'
import { Side } from './side.js'
import type { Case, GPTSizes, TransformerSizes } from './training-cases.js'

/** Who is measured beside Heddle. */
export interface Peers {
  readonly hasPyTorch: boolean
  /** Whether PyTorch goes through `torch.compile`. */
  readonly compile: boolean
  readonly javaScript: readonly JavaScriptPeer[]
}

/** Settings of training a Transformer that both sides share. */
const transformerTraining = { learningRate: 1e-4, warmupSteps: 5 }

/**
 * Losses of a Transformer's first steps, of about 9, that differ by more are of another model, other batches or another
 * optimizer.
 */
const transformerTolerance = 2e-4

/**
 * Starts Heddle, PyTorch where there is one, and the JavaScript peers, and checks that they train the same.
 *
 * @param sides where they are put as soon as they run, Heddle first
 * @returns the tokens of a step
 * @throws BenchmarkError where one does not start or trains something else
 */
export async function startSides(sides: Side[], each: Case, peers: Peers): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
  try {
    if (each.model === 'transformer') return await startTransformers(sides, each.config, { ...peers, folder })
    await startGPTs(sides, each.config, { ...peers, folder })
    return each.config.batchSize * each.config.contextLength
  } finally {
    rmSync(folder, { recursive: true })
  }
}

type Start = Peers & { readonly folder: string }

async function startGPTs(sides: Side[], config: GPTSizes, { hasPyTorch, compile, javaScript, folder }: Start) {
  const startFile = join(folder, 'start.safetensors')
  const words = [JSON.stringify(config)]
  sides.push(await startHeddle('heddle-training.js', [...words, ...(javaScript.length === 0 ? [] : [startFile])]))
  if (hasPyTorch) sides.push(await startPyTorch('pytorch_training.py', [...words, ...(compile ? ['compile'] : [])]))
  // The JavaScript peers begin with Heddle's weights and get its batches.
  for (const peer of javaScript) sides.push(await startPeer(peer, config, startFile))
  for (const other of sides.slice(1)) checkSameTraining(sides[0], other)
}

async function startTransformers(
  sides: Side[],
  { labelSmoothing, batchTokens, ...model }: TransformerSizes,
  { hasPyTorch, compile, folder }: Start,
): Promise<number> {
  const pairs = naturalPairs({ ...model, batchTokens })
  const [batches, start] = [join(folder, 'batches.json'), join(folder, 'start.safetensors')]
  writeFileSync(batches, JSON.stringify(pairs))
  const config = { ...transformerTraining, model, labelSmoothing, batches, start, compile }
  const words = [JSON.stringify(config)]
  sides.push(await startHeddle('heddle-transformer.js', words))
  if (hasPyTorch) sides.push(await startPyTorch('pytorch_transformer.py', words))
  for (const other of sides.slice(1)) checkSameTraining(sides[0], other, transformerTolerance)
  return pairs.flat().reduce((sum, pair) => sum + tokensOf(pair), 0) / pairs.length
}

function startHeddle(script: string, words: readonly string[]): Promise<Side> {
  const path = fileURLToPath(new URL(`peers/${script}`, import.meta.url))
  return Side.start({ name: 'Heddle', command: process.execPath, arguments: [path, ...words] })
}

function startPyTorch(script: string, words: readonly string[]): Promise<Side> {
  // This file runs from dist/bench/.
  const path = fileURLToPath(new URL(`../../bench/peers/${script}`, import.meta.url))
  const environment = openMpEnvironment()
  return Side.start({ name: 'PyTorch', command: python(), arguments: [path, ...words], environment })
}
