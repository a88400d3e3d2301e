import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BenchmarkError, Side } from './side.js'

/** A JavaScript library that trains the same model. */
export interface JavaScriptPeer {
  /** Its key in the result. */
  readonly key: 'tensorflowjs' | 'jaxjs'
  /** What it is called in tables and messages. */
  readonly name: string
  /** In {@link peersFolder}. */
  readonly script: string
  /** What it needs, from peers/package.json. */
  readonly packages: readonly string[]
}

/** The JavaScript libraries that the training benchmark knows. */
export const javaScriptPeers: readonly JavaScriptPeer[] = [
  {
    key: 'tensorflowjs',
    name: 'TensorFlow.js',
    script: 'tensorflowjs-training.mjs',
    packages: ['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-wasm', '@tensorflow/tfjs-layers'],
  },
  { key: 'jaxjs', name: 'jax-js', script: 'jaxjs-training.mjs', packages: ['@jax-js/jax'] },
]

/** Losses of a GPT's first steps that differ by more are of another model or optimizer; float32 explains a millionth. */
const lossTolerance = 2e-5

/** The folder of the peers' scripts and packages: HEDDLE_PEERS, or else bench/peers. */
export function peersFolder(): string {
  // This file runs from dist/bench/.
  return process.env.HEDDLE_PEERS ?? fileURLToPath(new URL('../../bench/peers', import.meta.url))
}

/** Whether the packages of a peer are installed in a folder. */
export function isInstalled(peer: JavaScriptPeer, folder: string): boolean {
  return peer.packages.every((name) => existsSync(join(folder, 'node_modules', name, 'package.json')))
}

/**
 * Starts a peer from the weights and batches that our side wrote.
 *
 * @param startFile safetensors: the weights, and the first batches
 * @throws BenchmarkError where it does not start
 */
export function startPeer({ name, script }: JavaScriptPeer, config: object, startFile: string): Promise<Side> {
  const words = [join(peersFolder(), script), JSON.stringify(config), startFile]
  return Side.start({ name, command: process.execPath, arguments: words })
}

/**
 * Checks that two sides train the same model: as many parameters, and the same losses where both tell them.
 *
 * @param tolerance by how much losses may differ
 * @throws BenchmarkError where they do not
 */
export function checkSameTraining(
  ours: Pick<Side, 'name' | 'ready'>,
  peer: Pick<Side, 'name' | 'ready'>,
  tolerance = lossTolerance,
): void {
  const { parameters, losses } = ours.ready
  if (peer.ready.parameters !== parameters) {
    throw new BenchmarkError(
      `not the same model: ${parameters} parameters in ${ours.name}, ${peer.ready.parameters} in ${peer.name}`,
    )
  }
  if (losses === undefined || peer.ready.losses === undefined) return
  const theirs = peer.ready.losses
  const differs = losses.some((loss, i) => !(Math.abs(loss - theirs[i]) <= tolerance))
  if (differs || theirs.length !== losses.length) {
    const list = (values: readonly number[]) => values.map((value) => value.toFixed(5)).join(' ')
    throw new BenchmarkError(
      `not the same training: losses ${list(losses)} in ${ours.name}, ${list(theirs)} in ${peer.name}`,
    )
  }
}
