import { afterEach, describe, expect, it, vi } from 'vitest'
import { ConfigError, TrainingError } from '../errors.js'
import { type Checkpoint, type FitEvents, type FitOptions, fit, type Trainable } from './fit.js'
import { schedule } from './schedules.js'

const options: FitOptions = {
  duration: { steps: 10 },
  schedule: 'cosine',
  learningRate: 0.1,
  minimumLearningRate: 0.01,
  warmup: 2,
  evaluateEvery: 4,
  checkpointEvery: 3,
}

/** A trainer whose step s (from 1) has the loss `losses(s)`, and whose evaluation after step s gives `validation(s)`. */
class FakeTrainer implements Trainable {
  steps = 0
  readonly learningRates: number[] = []

  constructor(
    readonly validation: (step: number) => number | undefined = (step) => 5 - step / 10,
    readonly losses: (step: number) => number = (step) => 10 - step,
    readonly accuracy?: (step: number) => number,
  ) {}

  async step(learningRate: number) {
    this.learningRates.push(learningRate)
    this.steps++
    return { loss: this.losses(this.steps), gradientNorm: 1, predictions: 7 }
  }

  async evaluate() {
    const loss = this.validation(this.steps)
    const metrics = this.accuracy === undefined ? undefined : { accuracy: this.accuracy(this.steps) }
    return loss === undefined ? undefined : { loss, predictions: 3, metrics }
  }
}

/** Runs a training and writes down what happened, in order. */
async function record(trainer: FakeTrainer, changes: Partial<FitOptions> = {}, events: FitEvents = {}) {
  const log: string[] = []
  const result = await fit(
    trainer,
    { ...options, ...changes },
    {
      ...events,
      onStep: (progress) => {
        log.push(`step ${progress.step}`)
        events.onStep?.(progress)
      },
      onEvaluate: ({ step, validationLoss }) => void log.push(`evaluate ${step}: ${validationLoss?.toFixed(1)}`),
      onCheckpoint: ({ step, best }) =>
        log.push(`checkpoint ${step}${best === undefined ? '' : `: best ${best.validationLoss.toFixed(1)}`}`),
    },
  )
  return { log, result }
}

/** A clock that the tests set, in seconds. */
function fakeClock() {
  let seconds = 0
  vi.spyOn(performance, 'now').mockImplementation(() => seconds * 1000)
  return { pass: (more: number) => (seconds += more) }
}

afterEach(() => vi.restoreAllMocks())

describe('fit', () => {
  it('evaluates before it saves, saves a best state at once, and ends with both', async () => {
    const { log, result } = await record(new FakeTrainer((step) => [9, 9, 9, 9, 2, 9, 9, 9, 3, 9, 2.5][step]))
    expect(log).toEqual([
      ...['step 1', 'step 2', 'step 3', 'checkpoint 3'],
      ...['step 4', 'evaluate 4: 2.0', 'checkpoint 4: best 2.0'],
      ...['step 5', 'step 6', 'checkpoint 6', 'step 7'],
      ...['step 8', 'evaluate 8: 3.0', 'step 9', 'checkpoint 9'],
      ...['step 10', 'evaluate 10: 2.5', 'checkpoint 10'],
    ])
    expect(result).toMatchObject({ steps: 10, validationLoss: 2, interrupted: false })
    expect(result.trainLoss).toBeCloseTo(4.5, 12)
  })

  it('saves once where a checkpoint is due and best at the same time', async () => {
    const { log } = await record(new FakeTrainer(), { evaluateEvery: 3, duration: { steps: 3 } })
    expect(log.filter((line) => line.startsWith('checkpoint'))).toEqual(['checkpoint 3: best 4.7'])
  })

  it('only saves where there is nothing to validate on', async () => {
    const { log, result } = await record(new FakeTrainer(() => undefined), { duration: { steps: 4 } })
    expect(log).toEqual(['step 1', 'step 2', 'step 3', 'checkpoint 3', 'step 4', 'checkpoint 4'])
    expect(result.validationLoss).toBeUndefined()
  })

  it('follows the schedule by the steps of the whole training', async () => {
    const trainer = new FakeTrainer()
    trainer.steps = 3
    await record(trainer)
    const rate = schedule({ ...options, totalSteps: 10 })
    expect(trainer.learningRates).toEqual([3, 4, 5, 6, 7, 8, 9].map(rate))
  })

  it('can choose the best by a metric instead of the loss', async () => {
    const accuracy = (step: number) => [0, 0, 0, 0, 0.7, 0, 0, 0, 0.9, 0, 0.9][step]
    const trainer = new FakeTrainer((step) => step, undefined, accuracy)
    const { log, result } = await record(trainer, { metric: 'accuracy' })
    expect(log.filter((line) => line.includes('best'))).toEqual(['checkpoint 4: best 4.0', 'checkpoint 8: best 8.0'])
    expect(result).toMatchObject({ validationLoss: 8, metrics: { accuracy: 0.9 } })
    const misspelt = record(new FakeTrainer(undefined, undefined, accuracy), { metric: 'acuracy' })
    await expect(misspelt).rejects.toThrow(ConfigError)
    await expect(misspelt).rejects.toThrow('expected one of loss, accuracy')
  })

  it('means the last hundred losses', async () => {
    const { result } = await record(new FakeTrainer(undefined, (step) => step), { duration: { steps: 250 } })
    expect(result.trainLoss).toBe((151 + 250) / 2)
  })

  it('does nothing where the training has ended already', async () => {
    const trainer = new FakeTrainer()
    trainer.steps = 10
    const earlier = { seconds: 60, recentLosses: [1, 2], evaluationsSinceBest: 0 }
    const { log, result } = await record(trainer, {}, { earlier, best: { validationLoss: 4 } })
    expect(log).toEqual([])
    expect(result).toMatchObject({ steps: 10, trainLoss: 1.5, validationLoss: 4, interrupted: false })
    expect(result.seconds).toBeGreaterThanOrEqual(60)
  })
})

describe('an interrupted fit', () => {
  it('stops after the step that is running, and saves', async () => {
    const interrupt = new AbortController()
    const onStep: FitEvents['onStep'] = ({ step }) => step === 5 && interrupt.abort()
    const { log, result } = await record(new FakeTrainer(), {}, { signal: interrupt.signal, onStep })
    expect(log.slice(-2)).toEqual(['step 5', 'checkpoint 5'])
    expect(result).toMatchObject({ steps: 5, interrupted: true })
  })

  it('has a checkpoint even before the first step', async () => {
    const { log, result } = await record(new FakeTrainer(), {}, { signal: AbortSignal.abort() })
    expect(log).toEqual(['checkpoint 0'])
    expect(result).toMatchObject({ steps: 0, trainLoss: Number.NaN, interrupted: true })
  })

  it('is finished where the signal comes with the last step', async () => {
    const interrupt = new AbortController()
    const onStep: FitEvents['onStep'] = ({ step }) => step === 10 && interrupt.abort()
    const { log, result } = await record(new FakeTrainer(), {}, { signal: interrupt.signal, onStep })
    expect(log.slice(-3)).toEqual(['step 10', 'evaluate 10: 4.0', 'checkpoint 10: best 4.0'])
    expect(result.interrupted).toBe(false)
  })

  it('goes on as if nothing had happened', async () => {
    const whole = await record(new FakeTrainer())
    const interrupt = new AbortController()
    const checkpoints: Checkpoint[] = []
    const first = new FakeTrainer()
    const onStep = () => first.steps === 5 && interrupt.abort()
    const onCheckpoint = (checkpoint: Checkpoint) => checkpoints.push(structuredClone(checkpoint))
    await fit(first, options, { signal: interrupt.signal, onStep, onCheckpoint })

    const last = checkpoints[checkpoints.length - 1]
    expect(last).toMatchObject({ step: 5, recentLosses: [9, 8, 7, 6, 5] })
    const second = new FakeTrainer()
    second.steps = last.step
    const rest = await record(second, {}, { earlier: last, best: { validationLoss: 4.6 } })
    expect(rest.log).toEqual(whole.log.slice(whole.log.indexOf('step 6')))
    expect(rest.result).toMatchObject({ steps: 10, trainLoss: whole.result.trainLoss, validationLoss: 4 })
    expect([...first.learningRates, ...second.learningRates]).toEqual(
      Array.from({ length: 10 }, (_, step) => schedule({ ...options, totalSteps: 10 })(step)),
    )
  })
})

describe('fit by the clock', () => {
  it('ends at the first step after its time, evaluated and saved', async () => {
    const clock = fakeClock()
    const onStep = () => void clock.pass(7)
    const { log, result } = await record(new FakeTrainer(), { duration: { minutes: 0.5 } }, { onStep })
    expect(log.slice(-3)).toEqual(['step 5', 'evaluate 5: 4.5', 'checkpoint 5: best 4.5'])
    expect(result).toMatchObject({ steps: 5, seconds: 35, interrupted: false })
  })

  it('saves the last state where an evaluation takes the rest of the time', async () => {
    const clock = fakeClock()
    const trainer = new FakeTrainer((step) => {
      clock.pass(20)
      return step
    })
    const changes: Partial<FitOptions> = { duration: { minutes: 0.5 }, checkpointEvery: 100, evaluateEvery: 1 }
    const { log } = await record(trainer, changes, { onStep: () => void clock.pass(1) })
    expect(log).toEqual([
      ...['step 1', 'evaluate 1: 1.0', 'checkpoint 1: best 1.0'],
      ...['step 2', 'evaluate 2: 2.0', 'checkpoint 2'],
    ])
  })

  it('lets the learning rate fall to its minimum whatever the pace is', async () => {
    const clock = fakeClock()
    const trainer = new FakeTrainer()
    const pace = (step: number) => clock.pass(step < 100 ? 0.1 : 0.2)
    const changes: Partial<FitOptions> = { duration: { minutes: 1 }, warmup: 0.1 }
    await record(trainer, changes, { onStep: ({ step }) => void pace(step) })
    const { learningRates } = trainer
    expect(learningRates.length).toBe(350)
    expect(Math.max(...learningRates)).toBeCloseTo(0.1, 3)
    expect(learningRates[learningRates.length - 1]).toBeLessThan(0.0101)
  })

  it('has only the rest of the time after an interruption', async () => {
    const clock = fakeClock()
    const trainer = new FakeTrainer()
    trainer.steps = 20
    const earlier = { seconds: 50, recentLosses: [], evaluationsSinceBest: 0 }
    const { result } = await record(
      trainer,
      { duration: { minutes: 1 } },
      { earlier, onStep: () => void clock.pass(2.5) },
    )
    expect(result).toMatchObject({ steps: 24, seconds: 60 })
    // As many steps a second before and after: the schedule goes on where it was.
    const rate = schedule({ ...options, totalSteps: 24 })
    for (const [i, found] of trainer.learningRates.entries()) expect(found).toBeCloseTo(rate(20 + i), 12)
  })
})

describe('a fit that diverges', () => {
  it('ends without another checkpoint where the validation loss is not a number', async () => {
    const trainer = new FakeTrainer((step) => (step < 8 ? 1 : Number.NaN))
    const checkpoints: number[] = []
    const running = fit(trainer, options, { onCheckpoint: ({ step }) => checkpoints.push(step) })
    await expect(running).rejects.toThrow(TrainingError)
    await expect(running).rejects.toThrow(/the validation loss is NaN after step 8; lower train\.learningRate/)
    expect(checkpoints).toEqual([3, 4, 6])
  })
})
