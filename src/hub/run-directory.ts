import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import { readJson, writeFileAtomically } from './files.js'
import { findGguf, isGgufFile } from './gguf/find.js'

/** What a training run's directory says about itself, in `run.json`. */
const schema = z.object({
  status: z.enum(['running', 'stopped', 'finished', 'failed']),
  /** The newest checkpoint's folder, e.g. `checkpoint-500`. */
  last: z.string().optional(),
  /** The checkpoint of the best evaluation. */
  best: z.string().optional(),
  /** The best evaluation's loss. */
  bestLoss: z.number().optional(),
  /** What the best evaluation measured beside the loss. */
  bestMetrics: z.record(z.string(), z.number()).optional(),
  /** How the run finished. */
  result: z
    .object({
      steps: z.int(),
      seconds: z.number(),
      tokensPerSecond: z.number(),
      trainLoss: z.number(),
      validationLoss: z.number().optional(),
      metrics: z.record(z.string(), z.number()).optional(),
      parameters: z.int(),
    })
    .optional(),
})

/** The state of a training run. */
export type RunState = z.infer<typeof schema>

const fileName = 'run.json'

/** Reads a run's state, or nothing where the directory is not a run's. @throws CheckpointError for a damaged file */
export function readRun(directory: string): RunState | undefined {
  const path = join(directory, fileName)
  if (!existsSync(path)) return undefined
  const result = schema.safeParse(readJson(path))
  if (result.success) return result.data
  const [{ path: key, message }] = result.error.issues
  throw new CheckpointError(`${path}: '${key.join('.')}' is not what a training run writes: ${message}`)
}

/** Replaces a run's state, whole or not at all. */
export function writeRun(directory: string, state: RunState): void {
  writeFileAtomically(join(directory, fileName), `${JSON.stringify(state, null, 2)}\n`)
}

/**
 * The checkpoint directory that a path stands for: itself, or a training run's best checkpoint, else its last. A GGUF file,
 * also the only one of a directory, stands for itself.
 *
 * @throws CheckpointError where it is neither
 */
export function resolveCheckpoint(path: string): string {
  if (isGgufFile(path) || existsSync(join(path, 'config.json'))) return path
  const run = readRun(path)
  const name = run?.best ?? run?.last
  if (name !== undefined) return join(path, name)
  if (run !== undefined) throw new CheckpointError(`${path}: this training run has not saved a checkpoint yet`)
  if (!existsSync(path))
    throw new CheckpointError(`${path}: no such directory; give one with config.json and model.safetensors`)
  const file = findGguf(path)
  if (file !== undefined) return file
  const kind = statSync(path).isDirectory() ? 'has no config.json' : 'is not a directory'
  throw new CheckpointError(`${path}: ${kind}; give a Hugging Face checkpoint or a training run`)
}
