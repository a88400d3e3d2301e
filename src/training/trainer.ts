import { TrainingError, UsageError } from '../errors.js'
import type { Parameter, Tensor } from '../graph/index.js'
import { compile, type Device, float32, ParameterMemory, ProgramCache } from '../runtime/index.js'
import { GradientPrograms } from './gradient-programs.js'
import type { Objective } from './objectives/objective.js'
import { AdamW } from './optimizers/adamw.js'

/** How parameters are updated. */
export interface TrainerOptions {
  readonly betas: readonly [number, number]
  /** Adam's ε, added to the root of the second moment (default 1e-8). */
  readonly epsilon?: number | undefined
  readonly weightDecay: number
  /** Largest norm of the gradient; 0 for none. */
  readonly clip: number
  /** Batches per update. */
  readonly accumulate: number
  /** Of dropout. */
  readonly seed: number
  readonly device?: Device
  /** What the learning rate is multiplied with for a parameter, by its name; 0 freezes it (default 1 for all). */
  readonly rateOf?: (name: string) => number
}

/** What an evaluation found. */
export interface Evaluation {
  /** Mean over all predictions. */
  readonly loss: number
  readonly predictions: number
  /** What the objective measures beside the loss. */
  readonly metrics?: Readonly<Record<string, number>>
}

/** What one update did. */
export interface StepReport {
  /** Mean loss of the step's batches, before the update. */
  readonly loss: number
  /** Norm of the gradient before clipping. */
  readonly gradientNorm: number
  /** Predictions that the loss is the mean of. */
  readonly predictions: number
}

/**
 * Trains parameters on an objective, a step at a time.
 *
 * Takes the parameters into a training memory: their arrays are replaced by views on it, which the engine reads and the
 * optimizer updates in place.
 */
export class Trainer {
  readonly memory: ParameterMemory
  readonly optimizer: AdamW
  readonly #objective: Objective
  readonly #gradients: GradientPrograms
  readonly #evaluations = new ProgramCache<Record<string, Tensor>>(3)
  readonly #options: TrainerOptions

  constructor(parameters: Readonly<Record<string, Parameter>>, objective: Objective, options: TrainerOptions) {
    this.#objective = objective
    this.#options = options
    const { rateOf } = options
    const trained = Object.fromEntries(Object.entries(parameters).filter(([name]) => rateOf?.(name) !== 0))
    this.memory = moveToMemory(trained)
    this.optimizer = new AdamW(this.memory, {
      betas: [...options.betas],
      epsilon: options.epsilon,
      weightDecay: options.weightDecay,
      clip: options.clip === 0 ? undefined : options.clip,
      // Decay shrinks weights towards zero; a bias or the scale of a norm should not be drawn there.
      decays: (name) => parameters[name].shape.length > 1,
      rateOf,
    })
    this.#gradients = new GradientPrograms(objective, trained, this.memory, options)
  }

  /** Updates made so far. */
  get steps(): number {
    return this.optimizer.steps
  }

  /**
   * Makes one update.
   *
   * @throws TrainingError where the loss or its gradient is not finite; the parameters are then unchanged
   */
  async step(learningRate: number): Promise<StepReport> {
    const step = this.steps
    const { accumulate, seed } = this.#options
    const batches = Array.from({ length: accumulate }, (_, i) => this.#objective.trainingBatch(step * accumulate + i))
    const loss = await this.#gradients.run(batches, { seed, step })
    const gradientNorm = Number.isFinite(loss) ? this.optimizer.step(learningRate).gradientNorm : Number.NaN
    if (!Number.isFinite(gradientNorm)) {
      const what = Number.isFinite(loss) ? `the gradient's norm is ${gradientNorm}` : `the loss is ${loss}`
      throw new TrainingError(
        `training: ${what} at step ${step + 1}; lower train.learningRate (now ${learningRate}), lengthen train.warmup or set train.clip`,
      )
    }
    return { loss, gradientNorm, predictions: batches.reduce((sum, batch) => sum + batch.predictions, 0) }
  }

  /** Measures all validation predictions, without dropout; undefined where there is no validation data. */
  async evaluate(): Promise<Evaluation | undefined> {
    const result = await evaluateObjective(this.#objective, this.#evaluations, this.#options.device)
    if (result.predictions === 0) return undefined
    const measured = await this.#objective.measure?.()
    return measured === undefined ? result : { ...result, metrics: { ...result.metrics, ...measured } }
  }

  /** Frees the programs. */
  dispose(): void {
    this.#gradients.dispose()
    this.#evaluations.dispose()
  }
}

/** Measures all evaluation batches of an objective. */
export async function evaluateObjective(
  objective: Pick<Objective, 'loss' | 'evaluationBatches' | 'scorer'>,
  programs: ProgramCache<Record<string, Tensor>>,
  device?: Device,
): Promise<Evaluation> {
  const scorer = objective.scorer?.()
  let sum = 0
  let predictions = 0
  for (const batch of objective.evaluationBatches()) {
    const program = await programs.get(batch.shape.join('×'), () => {
      const { inputs, loss, outputs } = objective.loss(batch.shape)
      return compile({ inputs, outputs: scorer === undefined ? { loss } : { ...outputs, loss }, device })
    })
    const { loss, ...outputs } = await program.run(batch.feeds)
    scorer?.add(batch, outputs)
    sum += float32(loss)[0] * batch.predictions
    predictions += batch.predictions
  }
  if (scorer === undefined || predictions === 0) return { loss: sum / predictions, predictions }
  // What is not defined, such as the correlation with a constant, is left out.
  const metrics = Object.entries(scorer.metrics()).filter(([, value]) => Number.isFinite(value))
  return { loss: sum / predictions, predictions, metrics: Object.fromEntries(metrics) }
}

function moveToMemory(parameters: Readonly<Record<string, Parameter>>): ParameterMemory {
  const entries = Object.entries(parameters)
  const memory = new ParameterMemory(
    entries.map(([name, { size, shape }]) => ({ name, length: size, rows: shape.length > 1 ? shape[0] : undefined })),
    { trainable: true },
  )
  for (const [name, parameter] of entries) {
    const { value } = memory.get(name)
    if (parameter.data === undefined) {
      throw new UsageError(`training: '${name}' has no values yet: initialize the model or load a checkpoint`)
    }
    value.set(parameter.data)
    parameter.data = value
  }
  return memory
}
