import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import type { GPTConfig } from '../models/index.js'
import { tinyModel, tinyObjective, tinyOptions } from './tiny.testing.js'
import { Trainer } from './trainer.js'
import { restoreTrainingState, saveTrainingState } from './training-state.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-state-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const fitState = { seconds: 12.345678901234567, recentLosses: [2.5, 1 / 3], evaluationsSinceBest: 2 }

function makeTrainer(changes: Partial<GPTConfig> = {}) {
  const model = tinyModel({ dropout: 0.2, ...changes })
  return { model, trainer: new Trainer(model.parameters(), tinyObjective(model, 4), tinyOptions) }
}

/** Everything that an update depends on or changes. */
function stateOf({ memory, steps }: Trainer) {
  const slots = [...memory].map(({ name, value, firstMoment, secondMoment }) => ({
    name,
    value: [...value],
    firstMoment: [...firstMoment],
    secondMoment: [...secondMoment],
  }))
  return { steps, slots }
}

describe('training state', () => {
  it('lets a training go on to the bit', async () => {
    const { model, trainer } = makeTrainer()
    for (let step = 0; step < 3; step++) await trainer.step(0.01)
    saveTrainingState(folder, trainer, fitState)
    const weights = structuredClone(Object.values(model.parameters()).map(({ data }) => data!))

    const other = makeTrainer()
    for (const [i, { data }] of Object.values(other.model.parameters()).entries()) data!.set(weights[i])
    expect(restoreTrainingState(folder, other.trainer)).toMatchObject(fitState)
    expect(stateOf(other.trainer)).toEqual(stateOf(trainer))
    expect(await other.trainer.step(0.01)).toEqual(await trainer.step(0.01))
    expect(stateOf(other.trainer)).toEqual(stateOf(trainer))
    expect(other.trainer.steps).toBe(4)
    trainer.dispose()
    other.trainer.dispose()
  })

  it('says what is wrong with a directory that has none, or another', () => {
    const { trainer } = makeTrainer()
    const restore = () => restoreTrainingState(folder, trainer)
    expect(restore).toThrow(CheckpointError)
    expect(restore).toThrow(/no training_state\.json; this checkpoint cannot be resumed/)

    saveTrainingState(folder, trainer, fitState)
    writeFileSync(join(folder, 'training_state.json'), '{"step": -1, "seconds": 0, "recentLosses": []}')
    expect(restore).toThrow(/training_state\.json: 'step' is not what a training writes/)

    saveTrainingState(folder, makeTrainer({ layers: 1 }).trainer, fitState)
    expect(restore).toThrow(/expected 8 numbers for 'transformer\.h\.1\.ln_1\.weight', got none/)
    saveTrainingState(folder, makeTrainer({ vocabularySize: 12 }).trainer, fitState)
    expect(restore).toThrow(CheckpointError)
    expect(restore).toThrow(/expected 88 numbers for 'transformer\.wte\.weight', got 96/)
    rmSync(join(folder, 'training_state.safetensors'))
    expect(restore).toThrow(/training_state\.safetensors: no such file/)
  })
})
