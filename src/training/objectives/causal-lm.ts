import { evaluationBatches, type TokenIds, Windows } from '../../data/windows.js'
import { input, type Shape, type Tensor } from '../../graph/index.js'
import { crossEntropy } from '../../graph/operations/index.js'
import type { Batch, Objective } from './objective.js'

/** What {@link CausalLanguageModelling} learns from. */
export interface CausalOptions {
  /** ids int64 [B, T] → logits [B, T, V]. */
  readonly model: { forward(ids: Tensor): Tensor }
  /** Token ids of the training text. */
  readonly train: TokenIds
  /** Token ids of the validation text, where there is one. */
  readonly validation?: TokenIds
  /** T, tokens of a window. */
  readonly contextLength: number
  /** B, windows of a batch. */
  readonly batchSize: number
  readonly seed: number
}

/** Causal language modelling: each token is predicted from those before it, −Σ log P(uᵢ | u₁ … uᵢ₋₁) (Radford et al. 2018, §3.1). */
export class CausalLanguageModelling implements Objective {
  readonly #options: CausalOptions
  readonly #windows: Windows

  /** @throws DataError where the training text is shorter than one window */
  constructor(options: CausalOptions) {
    this.#options = options
    this.#windows = new Windows(options.train, options.contextLength, options)
  }

  /** Batches that visit the training text once. */
  get batchesPerEpoch(): number {
    return this.#windows.windowsPerEpoch / this.#options.batchSize
  }

  loss(shape: Shape) {
    return causalLoss(this.#options.model, shape)
  }

  trainingBatch(index: number): Batch {
    const { batchSize, contextLength } = this.#options
    const { ids, targets } = this.#windows.batch(index, batchSize)
    return { shape: [batchSize, contextLength], feeds: { ids, targets }, examples: batchSize, predictions: ids.length }
  }

  *evaluationBatches(): Generator<Batch> {
    const { validation, contextLength } = this.#options
    if (validation !== undefined) yield* causalEvaluationBatches(validation, contextLength)
  }
}

/** The mean cross-entropy of the next tokens, for batches of a shape [B, T] of numbers or names. */
export function causalLoss(model: CausalOptions['model'], shape: Shape) {
  const ids = input('ids', 'int64', shape)
  const targets = input('targets', 'int64', shape)
  return { inputs: { ids, targets }, loss: crossEntropy(model.forward(ids), targets) }
}

/** Tokens of an evaluation batch: large batches keep both cores busy without much memory. */
const evaluationTokens = 4096

/** A whole text in windows that do not overlap: every token but the first is predicted once. */
export function* causalEvaluationBatches(text: TokenIds, contextLength: number): Generator<Batch> {
  const batchSize = Math.max(1, Math.floor(evaluationTokens / contextLength))
  for (const { ids, targets, batch, length } of evaluationBatches(text, contextLength, batchSize)) {
    yield { shape: [batch, length], feeds: { ids, targets }, examples: batch, predictions: ids.length }
  }
}
