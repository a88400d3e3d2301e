import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TrainingError, UsageError } from '../errors.js'
import { loadModel } from '../hub/checkpoint.js'
import { readRun, writeRun } from '../hub/run-directory.js'
import { readMetrics } from './metrics-log.js'
import { parseRecipe } from './recipe.js'
import { type AverageReport, runRecipe, type TrainingRunOptions, type TrainingRunResult } from './run.js'

let folder: string
let directory: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-training-run-'))
  directory = join(folder, 'runs/one')
  writeFileSync(join(folder, 'text.txt'), 'one two three four five six seven. '.repeat(20))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const small = ['layers=1', 'heads=1', 'width=8', 'contextLength=8'].map((size) => `model.${size}`)

function recipeWith(...sets: string[]) {
  const train = ['train.steps=6', 'train.batchSize=2', 'train.evaluateEvery=2', 'train.checkpointEvery=3']
  return parseRecipe('', 'test', [...small, ...train, `data.train=${join(folder, 'text.txt')}`, ...sets])
}

/** Runs a training in the directory. */
function run(options: Partial<TrainingRunOptions> = {}) {
  return runRecipe({ recipe: recipeWith(), directory, ...options })
}

describe('runRecipe', () => {
  it('makes the directory, tells what it does, and points to its checkpoints', async () => {
    const log: string[] = []
    const result = await run({
      onStart: ({ parameters, size, step }) => log.push(`start ${parameters} ${size.count} ${step}`),
      onStep: ({ step, steps }) => log.push(`step ${step}/${steps}`),
      onEvaluate: ({ step }) => log.push(`evaluate ${step}`),
    })
    // 15 characters and the unknown token.
    const parameters = 16 * 8 + 8 * 8 + 2 * 8 + 12 * 64 + 8
    const steps = [1, 2, 3, 4, 5, 6].flatMap((step) => [`step ${step}/6`, ...(step % 2 ? [] : [`evaluate ${step}`])])
    expect(log).toEqual([`start ${parameters} 630 0`, ...steps])
    expect(result).toMatchObject({ steps: 6, parameters })
    expect(result.interrupted).toBeUndefined()
    const state = readRun(directory)
    expect(state).toMatchObject({ status: 'finished', last: 'checkpoint-6', bestLoss: result.validationLoss })
    expect(result.checkpoint).toBe(join(directory, state!.best!))
    expect(loadModel(directory).directory).toBe(result.checkpoint)
    const recipe = readFileSync(join(directory, 'recipe.yaml'), 'utf8')
    expect(parseRecipe(recipe, 'recipe.yaml')).toEqual(recipeWith())
  })

  it('refuses a directory that holds a run', async () => {
    writeRun(folder, { status: 'running' })
    await expect(run({ directory: folder })).rejects.toThrow(UsageError)
    expect(existsSync(join(folder, 'recipe.yaml'))).toBe(false)
  })

  it('returns the result of a finished run that was moved', async () => {
    const result = await run()
    const moved = join(folder, 'moved')
    cpSync(directory, moved, { recursive: true })
    const checkpoint = result.checkpoint.replace(directory, moved)
    expect(await run({ directory: moved, resume: true })).toEqual({ ...result, checkpoint })
  })

  it('ends where it would have ended, when it was stopped before the first step and in the middle', async () => {
    const whole = await run()
    const other = join(folder, 'runs/two')
    const first = await run({ directory: other, signal: AbortSignal.abort() })
    expect(first).toMatchObject({ steps: 0, interrupted: true, checkpoint: join(other, 'checkpoint-0') })
    const interrupt = new AbortController()
    const onStep = ({ step }: { step: number }) => step === 5 && interrupt.abort()
    const second = await run({ directory: other, resume: true, signal: interrupt.signal, onStep })
    expect(second).toMatchObject({ steps: 5, interrupted: true })
    expect(readRun(other)).toMatchObject({ status: 'stopped', last: 'checkpoint-5' })
    const third = await run({ directory: other, resume: true })
    const { trainLoss, validationLoss } = whole
    expect(third).toMatchObject({ steps: 6, trainLoss, validationLoss })
    const weights = [directory, other].map((place) => readFileSync(join(place, 'checkpoint-6/model.safetensors')))
    expect(weights[1].equals(weights[0])).toBe(true)
  })

  it('finishes a run that was killed between its last checkpoint and its end', async () => {
    const whole = await run()
    const { result: _result, ...state } = readRun(directory)!
    writeRun(directory, { ...state, status: 'running' })
    const resumed = await run({ resume: true })
    const { trainLoss, validationLoss, checkpoint } = whole
    expect(resumed).toMatchObject({ steps: 6, trainLoss, validationLoss, checkpoint })
    expect(readRun(directory)?.status).toBe('finished')
  })

  it('removes what a killed run has left half written, and old checkpoints', async () => {
    mkdirSync(join(directory, '.tmp-checkpoint-3'), { recursive: true })
    mkdirSync(join(directory, 'checkpoint-2'))
    await run()
    const { best, last } = readRun(directory)!
    const files = ['events.out.tfevents.heddle', 'metrics.jsonl', 'recipe.yaml', 'run.json']
    expect(readdirSync(directory).sort()).toEqual([...new Set([best, last]), ...files].sort())
  })

  it('marks a run that diverges as failed', async () => {
    const recipe = recipeWith('train.learningRate=1e9', 'train.warmup=0')
    await expect(run({ recipe })).rejects.toThrow(TrainingError)
    expect(readRun(directory)?.status).toBe('failed')
  })

  describe('with an average of the last checkpoints', () => {
    const averaged = (...sets: string[]) => recipeWith('train.steps=12', 'train.average=3', ...sets)
    const weightsOf = (path: string) => loadModel(path).model.parameters()

    it('writes their mean, evaluates it, and keeps them', async () => {
      const reports: AverageReport[] = []
      const onAverage = (report: AverageReport) => reports.push(report)
      const result = await run({ recipe: averaged('train.steps=11', 'train.learningRate=2e-2'), onAverage })
      // Every third step, and the last one; those of good evaluations at other steps do not count.
      const steps = [6, 9, 11]
      const names = readdirSync(directory).filter((name) => name.startsWith('checkpoint'))
      expect(names).toEqual(
        expect.arrayContaining([...steps.map((step) => `checkpoint-${step}`), 'checkpoint-average']),
      )
      const parts = steps.map((step) => weightsOf(join(directory, `checkpoint-${step}`)))
      const mean = weightsOf(join(directory, 'checkpoint-average'))
      for (const [name, { data }] of Object.entries(mean)) {
        data!.forEach((value, i) => {
          const sum = parts.reduce((total, part) => total + part[name].data![i], 0)
          expect(value).toBe(Math.fround(sum / 3))
        })
      }
      const [{ checkpoints, evaluation, isBest }] = reports
      expect(checkpoints).toBe(3)
      const log = readMetrics(directory)
      expect(log.at(-1)).toMatchObject({ step: 11, averaged: 3, validationLoss: evaluation?.validationLoss })
      const best = Math.min(...log.slice(0, -1).map(({ validationLoss }) => validationLoss ?? Number.POSITIVE_INFINITY))
      expect(isBest).toBe(evaluation!.validationLoss < best)
      expect(result.validationLoss).toBe(Math.min(best, evaluation!.validationLoss))
      expect(result.checkpoint.endsWith('checkpoint-average')).toBe(isBest)
      expect(readRun(directory)?.last).toBe('checkpoint-11')
    })

    it('is the result where it is better, and not where it is worse', async () => {
      // Steps that are far too large jump around a valley, in whose middle the mean is.
      const jumping = averaged('train.learningRate=0.3', 'train.minimumLearningRate=0.3', 'train.schedule=constant')
      const better = await run({ recipe: jumping })
      expect(better.checkpoint).toBe(join(directory, 'checkpoint-average'))
      expect(loadModel(directory).directory).toBe(better.checkpoint)
      // On the way down, the mean is behind.
      const other = join(folder, 'other')
      const falling = averaged('train.learningRate=3e-3', 'train.minimumLearningRate=3e-3', 'train.schedule=constant')
      const worse = await run({ recipe: falling, directory: other })
      expect(worse.checkpoint).toBe(join(other, 'checkpoint-12'))
    })

    it('is the same after an interruption, and after a death between the average and the end', async () => {
      // Checkpoints of the interruptions stay, and are not averaged.
      const recipe = averaged('train.learningRate=0.3', 'train.minimumLearningRate=0.3', 'train.keep=9')
      const whole = await run({ recipe })
      const other = join(folder, 'runs/two')
      for (const stop of [5, 8, 11]) {
        const interrupt = new AbortController()
        const onStep = ({ step }: { step: number }) => step === stop && interrupt.abort()
        await run({ recipe, directory: other, resume: true, signal: interrupt.signal, onStep })
      }
      const resumed = await run({ recipe, directory: other, resume: true })
      const figures = ({ steps, trainLoss, validationLoss }: TrainingRunResult) => ({
        steps,
        trainLoss,
        validationLoss,
      })
      expect(figures(resumed)).toEqual(figures(whole))
      const contents = (place: string) => readFileSync(join(place, 'checkpoint-average/model.safetensors'))
      expect(contents(other).equals(contents(directory))).toBe(true)
      const losses = (place: string) =>
        readMetrics(place).map(({ step, averaged, validationLoss }) => [step, averaged, validationLoss])
      const { result: _result, ...state } = readRun(other)!
      writeRun(other, { ...state, status: 'running' })
      const again = await run({ recipe, directory: other, resume: true })
      expect(figures(again)).toEqual(figures(whole))
      expect(readRun(other)?.best).toBe(readRun(directory)?.best)
      expect(losses(other)).toEqual(losses(directory))
    })
  })
})
