import { type ScheduleName, schedule } from './schedules.js'
import type { Trainer } from './trainer.js'

/** How long and how to train. */
export interface FitOptions {
  /** Updates in all, or minutes of training (then the schedule follows the clock). */
  readonly duration: { readonly steps: number } | { readonly minutes: number }
  readonly schedule: ScheduleName
  readonly learningRate: number
  readonly minimumLearningRate: number
  readonly warmup: number
  readonly evaluateEvery: number
  readonly checkpointEvery: number
}

/** How far a training is. */
export interface FitProgress {
  /** Updates made. */
  readonly step: number
  /** Updates in all; an estimate where minutes are given. */
  readonly steps: number
  /** Loss of the last step. */
  readonly loss: number
  readonly validationLoss: number | undefined
  readonly learningRate: number
  readonly gradientNorm: number
  readonly tokensPerSecond: number
  /** Seconds since this call of {@link fit} began. */
  readonly seconds: number
  readonly secondsLeft: number
}

/** What {@link fit} reports to and asks. */
export interface FitEvents {
  readonly onStep?: (progress: FitProgress) => void
  readonly onEvaluate?: (progress: FitProgress) => void
  /** Saves the present state; `isBest` where its validation loss is the lowest so far. */
  readonly onCheckpoint?: (state: { step: number; validationLoss: number | undefined; isBest: boolean }) => void
  /** Ends the training after the step that is running, with a checkpoint. */
  readonly signal?: AbortSignal
  /** The lowest validation loss of earlier parts of this run. */
  readonly bestLoss?: number
}

/** How a training ended. */
export interface FitResult {
  readonly steps: number
  readonly seconds: number
  readonly tokensPerSecond: number
  /** Mean loss of the last steps, at most 100. */
  readonly trainLoss: number
  /** The lowest validation loss. */
  readonly validationLoss: number | undefined
  /** Whether it ended because the signal asked for it. */
  readonly interrupted: boolean
}

/** Steps that `trainLoss` is the mean of. */
const recentSteps = 100

/**
 * Runs a training from where the trainer stands to its end, with evaluations and checkpoints on the way.
 *
 * @throws TrainingError where the loss stops being a number
 */
export async function fit(trainer: Trainer, options: FitOptions, events: FitEvents = {}): Promise<FitResult> {
  const loop = new FitLoop(trainer, options, events)
  return loop.run()
}

class FitLoop {
  readonly #trainer: Trainer
  readonly #options: FitOptions
  readonly #events: FitEvents
  readonly #started = performance.now()
  readonly #firstStep: number
  readonly #recent: number[] = []
  #bestLoss: number
  #validationLoss: number | undefined
  #stepSeconds = 0
  #tokens = 0
  #checkpointed = -1

  constructor(trainer: Trainer, options: FitOptions, events: FitEvents) {
    this.#trainer = trainer
    this.#options = options
    this.#events = events
    this.#firstStep = trainer.steps
    this.#bestLoss = events.bestLoss ?? Number.POSITIVE_INFINITY
  }

  async run(): Promise<FitResult> {
    const { signal } = this.#events
    while (!this.#isDone() && !signal?.aborted) {
      const progress = await this.#step()
      this.#events.onStep?.(progress)
      const isLast = this.#isDone()
      // The evaluation comes first, so that a checkpoint knows whether it is the best.
      if (isLast || progress.step % this.#options.evaluateEvery === 0) await this.#evaluate(progress)
      if (isLast || signal?.aborted || progress.step % this.#options.checkpointEvery === 0) this.#checkpoint(false)
    }
    return {
      steps: this.#trainer.steps,
      seconds: this.#seconds(),
      tokensPerSecond: this.#tokensPerSecond(),
      trainLoss: mean(this.#recent),
      validationLoss: Number.isFinite(this.#bestLoss) ? this.#bestLoss : undefined,
      interrupted: signal?.aborted === true && !this.#isDone(),
    }
  }

  async #step(): Promise<FitProgress> {
    const before = performance.now()
    const totalSteps = this.#totalSteps()
    const learningRate = schedule({ ...this.#options, totalSteps })(this.#trainer.steps)
    const { loss, gradientNorm, predictions } = await this.#trainer.step(learningRate)
    this.#stepSeconds += (performance.now() - before) / 1000
    this.#tokens += predictions
    this.#recent.push(loss)
    if (this.#recent.length > recentSteps) this.#recent.shift()
    const step = this.#trainer.steps
    const seconds = this.#seconds()
    return {
      step,
      steps: totalSteps,
      loss,
      validationLoss: this.#validationLoss,
      learningRate,
      gradientNorm,
      tokensPerSecond: this.#tokensPerSecond(),
      seconds,
      secondsLeft: (seconds / (step - this.#firstStep)) * Math.max(0, totalSteps - step),
    }
  }

  async #evaluate(progress: FitProgress): Promise<void> {
    const validationLoss = await this.#trainer.evaluate()
    if (validationLoss === undefined) return
    this.#validationLoss = validationLoss
    const isBest = validationLoss < this.#bestLoss
    this.#events.onEvaluate?.({ ...progress, validationLoss, seconds: this.#seconds() })
    if (!isBest) return
    this.#bestLoss = validationLoss
    this.#checkpoint(true)
  }

  #checkpoint(isBest: boolean): void {
    const step = this.#trainer.steps
    if (this.#checkpointed === step) return
    this.#checkpointed = step
    this.#events.onCheckpoint?.({ step, validationLoss: this.#validationLoss, isBest })
  }

  #isDone(): boolean {
    const { duration } = this.#options
    if ('steps' in duration) return this.#trainer.steps >= duration.steps
    return this.#seconds() >= duration.minutes * 60
  }

  /** All steps of the run; where minutes are given, as many as fit at the pace so far. */
  #totalSteps(): number {
    const { duration } = this.#options
    if ('steps' in duration) return duration.steps
    const done = this.#trainer.steps - this.#firstStep
    const share = this.#seconds() / (duration.minutes * 60)
    // The first steps are slow: until one has been made, assume many.
    const total = done === 0 ? 1000 : Math.ceil(done / Math.max(share, 1e-9))
    return this.#firstStep + Math.max(done + 1, total)
  }

  #tokensPerSecond(): number {
    return this.#stepSeconds === 0 ? 0 : this.#tokens / this.#stepSeconds
  }

  #seconds(): number {
    return (performance.now() - this.#started) / 1000
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
