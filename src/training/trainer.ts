import { TrainingError, UsageError } from '../errors.js'
import type { Parameter } from '../graph/index.js'
import { compile, type Device, float32, ParameterMemory, ProgramCache } from '../runtime/index.js'
import { GradientPrograms } from './gradient-programs.js'
import type { Objective } from './objectives/objective.js'
import { AdamW } from './optimizers/adamw.js'

/** How parameters are updated. */
export interface TrainerOptions {
  readonly betas: readonly [number, number]
  readonly weightDecay: number
  /** Largest norm of the gradient; 0 for none. */
  readonly clip: number
  /** Batches per update. */
  readonly accumulate: number
  /** Of dropout. */
  readonly seed: number
  readonly device?: Device
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
  readonly #evaluations = new ProgramCache<{ loss: ReturnType<Objective['loss']>['loss'] }>(3)
  readonly #options: TrainerOptions

  constructor(parameters: Readonly<Record<string, Parameter>>, objective: Objective, options: TrainerOptions) {
    this.#objective = objective
    this.#options = options
    this.memory = moveToMemory(parameters)
    this.optimizer = new AdamW(this.memory, {
      betas: [...options.betas],
      weightDecay: options.weightDecay,
      clip: options.clip === 0 ? undefined : options.clip,
      // Decay shrinks weights towards zero; a bias or the scale of a norm should not be drawn there.
      decays: (name) => parameters[name].shape.length > 1,
    })
    this.#gradients = new GradientPrograms(objective, parameters, this.memory, options)
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

  /** The mean loss over all validation predictions, without dropout; undefined where there is no validation data. */
  async evaluate(): Promise<number | undefined> {
    const result = await evaluateLoss(this.#objective, this.#evaluations, this.#options.device)
    return result.predictions === 0 ? undefined : result.loss
  }

  /** Frees the programs. */
  dispose(): void {
    this.#gradients.dispose()
    this.#evaluations.dispose()
  }
}

/** The mean loss over all evaluation batches of an objective, and how many predictions it is the mean of. */
export async function evaluateLoss(
  objective: Pick<Objective, 'loss' | 'evaluationBatches'>,
  programs: ProgramCache<{ loss: ReturnType<Objective['loss']>['loss'] }>,
  device?: Device,
): Promise<{ loss: number; predictions: number }> {
  let sum = 0
  let predictions = 0
  for (const batch of objective.evaluationBatches()) {
    const program = await programs.get(batch.shape.join('×'), () => {
      const { inputs, loss } = objective.loss(batch.shape)
      return compile({ inputs, outputs: { loss }, device })
    })
    const { loss } = await program.run(batch.feeds)
    sum += float32(loss)[0] * batch.predictions
    predictions += batch.predictions
  }
  return { loss: sum / predictions, predictions }
}

function moveToMemory(parameters: Readonly<Record<string, Parameter>>): ParameterMemory {
  const entries = Object.entries(parameters)
  const memory = new ParameterMemory(
    entries.map(([name, { size }]) => ({ name, length: size })),
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
