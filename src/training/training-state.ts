import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import { readJson, readSafetensors, writeFileAtomically } from '../hub/files.js'
import { serializeSafetensors } from '../hub/safetensors.js'
import type { FitState } from './fit.js'
import type { Trainer } from './trainer.js'

const momentsFile = 'training_state.safetensors'
const stateFile = 'training_state.json'

const schema = z.object({
  step: z.int().nonnegative(),
  seconds: z.number().nonnegative(),
  recentLosses: z.array(z.number()),
  evaluationsSinceBest: z.int().nonnegative().default(0),
})

/** Writes what a training needs beside the model to go on exactly: the optimizer's moments, the step and {@link FitState}. */
export function saveTrainingState(directory: string, trainer: Trainer, state: FitState): void {
  const moments = [...trainer.memory].flatMap(({ name, firstMoment, secondMoment }) => [
    { name: `${name}.first_moment`, dtype: 'F32' as const, shape: [firstMoment.length], data: firstMoment },
    { name: `${name}.second_moment`, dtype: 'F32' as const, shape: [secondMoment.length], data: secondMoment },
  ])
  writeFileAtomically(join(directory, momentsFile), serializeSafetensors(moments))
  writeFileAtomically(join(directory, stateFile), `${JSON.stringify({ ...state, step: trainer.steps })}\n`)
}

/**
 * Puts a trainer where a saved one was; its model must have been loaded from the same directory.
 *
 * @returns where the training stood
 * @throws CheckpointError where the state is missing, damaged or of another model
 */
export function restoreTrainingState(directory: string, trainer: Trainer): FitState {
  const path = join(directory, stateFile)
  if (!existsSync(path)) throw new CheckpointError(`${directory}: no ${stateFile}; this checkpoint cannot be resumed`)
  const state = schema.safeParse(readJson(path))
  if (!state.success) {
    const [{ path: key, message }] = state.error.issues
    throw new CheckpointError(`${path}: '${key.join('.')}' is not what a training writes: ${message}`)
  }
  const moments = readSafetensors(join(directory, momentsFile))
  for (const { name, firstMoment, secondMoment } of trainer.memory) {
    copyMoment(directory, moments.get(`${name}.first_moment`)?.data, firstMoment, name)
    copyMoment(directory, moments.get(`${name}.second_moment`)?.data, secondMoment, name)
  }
  trainer.optimizer.steps = state.data.step
  return state.data
}

function copyMoment(directory: string, from: Float32Array | undefined, to: Float32Array, name: string): void {
  if (from?.length !== to.length) {
    throw new CheckpointError(
      `${join(directory, momentsFile)}: expected ${to.length} numbers for '${name}', got ${from?.length ?? 'none'}`,
    )
  }
  to.set(from)
}
