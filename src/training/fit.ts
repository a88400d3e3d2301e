import { ConfigError, TrainingError } from '../errors.js'
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
  /** What the best checkpoint is chosen by: the lowest validation `loss` (default), or the highest of a metric. */
  readonly metric?: string
  /** Evaluations in a row without a better one after which the training ends; never where left out. */
  readonly patience?: number
}

/** Figures of an evaluation by name, e.g. `accuracy`. */
export type Metrics = Readonly<Record<string, number>>

/** The evaluation that the best checkpoint was made at. */
export interface BestEvaluation {
  readonly validationLoss: number
  readonly metrics?: Metrics | undefined
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
  /** What the last evaluation measured beside the loss. */
  readonly metrics: Metrics | undefined
  readonly learningRate: number
  readonly gradientNorm: number
  readonly tokensPerSecond: number
  /** Seconds of training, those before an interruption included. */
  readonly seconds: number
  readonly secondsLeft: number
}

/** What a training has come to, beside its parameters and the optimizer's state. */
export interface FitState {
  /** Seconds of training. */
  readonly seconds: number
  /** Losses of the last steps, at most 100. */
  readonly recentLosses: readonly number[]
  /** Evaluations since the best one. */
  readonly evaluationsSinceBest: number
}

/** A moment at which the present state is worth saving. */
export interface Checkpoint extends FitState {
  readonly step: number
  /** The evaluation at this moment, where it is the best so far. */
  readonly best: BestEvaluation | undefined
}

/** What {@link fit} reports to and asks. */
export interface FitEvents {
  readonly onStep?: (progress: FitProgress) => void
  readonly onEvaluate?: (progress: FitProgress) => void | Promise<void>
  /** Saves the present state. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void
  /** Ends the training after the step that is running, with a checkpoint. */
  readonly signal?: AbortSignal
  /** The best evaluation before an interruption. */
  readonly best?: BestEvaluation | undefined
  /** Where the interrupted training stood that this one continues. */
  readonly earlier?: FitState
}

/** How a training ended. */
export interface FitResult {
  readonly steps: number
  /** Seconds of training, those before an interruption included. */
  readonly seconds: number
  /** Since this call of {@link fit} began, evaluations left out. */
  readonly tokensPerSecond: number
  /** Mean loss of the last steps, at most 100; not a number where there was none. */
  readonly trainLoss: number
  /** Of the best evaluation. */
  readonly validationLoss: number | undefined
  /** Of the best evaluation. */
  readonly metrics: Metrics | undefined
  /** Whether it ended because the signal asked for it. */
  readonly interrupted: boolean
}

/** What {@link fit} needs of a {@link Trainer}. */
export type Trainable = Pick<Trainer, 'steps' | 'step' | 'evaluate'>

/** Steps that `trainLoss` is the mean of. */
const recentSteps = 100

/** A guess at the steps of a training by the clock, until the first one has shown the pace. */
const unknownSteps = 1000

/**
 * Runs a training from where the trainer stands to its end, with evaluations and checkpoints on the way.
 *
 * @throws TrainingError where the loss stops being a number; what was saved before stays as it is
 */
export async function fit(trainer: Trainable, options: FitOptions, events: FitEvents = {}): Promise<FitResult> {
  const loop = new FitLoop(trainer, options, events)
  return loop.run()
}

class FitLoop {
  readonly #trainer: Trainable
  readonly #options: FitOptions
  readonly #events: FitEvents
  readonly #started = performance.now()
  readonly #firstStep: number
  readonly #recent: number[]
  #best: BestEvaluation | undefined
  #evaluationsSinceBest: number
  #last: BestEvaluation | undefined
  #stepSeconds = 0
  #tokens = 0
  #checkpointed = -1

  constructor(trainer: Trainable, options: FitOptions, events: FitEvents) {
    this.#trainer = trainer
    this.#options = options
    this.#events = events
    this.#firstStep = trainer.steps
    this.#recent = [...(events.earlier?.recentLosses ?? [])]
    this.#best = events.best
    this.#evaluationsSinceBest = events.earlier?.evaluationsSinceBest ?? 0
  }

  async run(): Promise<FitResult> {
    const { signal } = this.#events
    let done = this.#isDone()
    while (!done && !signal?.aborted) {
      const progress = await this.#step()
      this.#events.onStep?.(progress)
      done = this.#isDone()
      // The evaluation comes first, so that a checkpoint knows whether it is the best.
      if (done || progress.step % this.#options.evaluateEvery === 0) {
        await this.#evaluate(progress)
        done = this.#isDone()
      }
      if (done || signal?.aborted || progress.step % this.#options.checkpointEvery === 0) this.#checkpoint()
    }
    // Stopped before the first step: a run that can be resumed has a checkpoint.
    if (this.#trainer.steps === 0) this.#checkpoint()
    return {
      steps: this.#trainer.steps,
      seconds: this.#seconds(),
      tokensPerSecond: this.#tokensPerSecond(),
      trainLoss: mean(this.#recent),
      validationLoss: this.#best?.validationLoss,
      metrics: this.#best?.metrics,
      interrupted: !done,
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
    return {
      step,
      steps: totalSteps,
      loss,
      validationLoss: this.#last?.validationLoss,
      metrics: this.#last?.metrics,
      learningRate,
      gradientNorm,
      tokensPerSecond: this.#tokensPerSecond(),
      seconds: this.#seconds(),
      secondsLeft: (this.#secondsSinceStart() / (step - this.#firstStep)) * Math.max(0, totalSteps - step),
    }
  }

  async #evaluate(progress: FitProgress): Promise<void> {
    const evaluation = await this.#trainer.evaluate()
    if (evaluation === undefined) return
    const { loss: validationLoss, metrics } = evaluation
    if (!Number.isFinite(validationLoss)) {
      throw new TrainingError(
        `training: the validation loss is ${validationLoss} after step ${progress.step}; lower train.learningRate (now ${progress.learningRate}), lengthen train.warmup or set train.clip`,
      )
    }
    this.#last = { validationLoss, metrics }
    const isBest = isBetter(this.#last, this.#best, this.#options.metric)
    this.#evaluationsSinceBest = isBest ? 0 : this.#evaluationsSinceBest + 1
    await this.#events.onEvaluate?.({ ...progress, ...this.#last, metrics, seconds: this.#seconds() })
    if (!isBest) return
    this.#best = this.#last
    this.#checkpoint(this.#best)
  }

  #checkpoint(best?: BestEvaluation): void {
    const step = this.#trainer.steps
    if (this.#checkpointed === step) return
    this.#checkpointed = step
    const evaluationsSinceBest = this.#evaluationsSinceBest
    const state = { seconds: this.#seconds(), recentLosses: this.#recent, evaluationsSinceBest }
    this.#events.onCheckpoint?.({ step, best, ...state })
  }

  #isDone(): boolean {
    const { duration, patience = Number.POSITIVE_INFINITY } = this.#options
    if (this.#evaluationsSinceBest >= patience) return true
    if ('steps' in duration) return this.#trainer.steps >= duration.steps
    return this.#seconds() >= duration.minutes * 60
  }

  /** All steps of the run; where minutes are given, as many as fit at the pace so far. */
  #totalSteps(): number {
    const { duration } = this.#options
    if ('steps' in duration) return duration.steps
    const { steps } = this.#trainer
    const share = this.#seconds() / (duration.minutes * 60)
    return steps === 0 ? unknownSteps : Math.max(steps + 1, Math.ceil(steps / share))
  }

  #tokensPerSecond(): number {
    return this.#stepSeconds === 0 ? 0 : this.#tokens / this.#stepSeconds
  }

  #seconds(): number {
    return (this.#events.earlier?.seconds ?? 0) + this.#secondsSinceStart()
  }

  #secondsSinceStart(): number {
    return (performance.now() - this.#started) / 1000
  }
}

/**
 * Whether an evaluation is better than the best so far.
 *
 * @param metric the lowest `loss`, or the highest of what the objective measures
 * @throws ConfigError where the objective does not measure that
 */
export function isBetter(evaluation: BestEvaluation, best: BestEvaluation | undefined, metric = 'loss'): boolean {
  const figure = figureOf(evaluation, metric)
  return best === undefined || figure > figureOf(best, metric)
}

/** What makes one evaluation better than another: higher is better. */
function figureOf({ validationLoss, metrics = {} }: BestEvaluation, metric: string): number {
  if (metric === 'loss') return -validationLoss
  const value = metrics[metric]
  if (value !== undefined) return value
  const known = ['loss', ...Object.keys(metrics)].join(', ')
  throw new ConfigError(`train.metric: expected one of ${known}, which this objective measures, got ${metric}`)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
