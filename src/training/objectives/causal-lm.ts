import { evaluationBatches, type TokenIds, type TokenStore, type WindowOptions, Windows } from '../../data/windows.js'
import { input, type Shape, type Tensor } from '../../graph/index.js'
import { crossEntropy } from '../../graph/operations/index.js'
import type { Batch, Objective } from './objective.js'

/** What {@link CausalLanguageModelling} learns from. */
export interface CausalOptions extends WindowOptions {
  /** ids int64 [B, T] → logits [B, T, V]. */
  readonly model: { forward(ids: Tensor): Tensor }
  /** Tokens to train on, in memory or in a file. */
  readonly train: TokenStore | TokenIds
  /** Tokens to validate on, where there are any. */
  readonly validation?: TokenStore | TokenIds
  /** B, windows of a batch. */
  readonly batchSize: number
  readonly seed: number
}

/** Causal language modelling: each token is predicted from those before it, −Σ log P(uᵢ | u₁ … uᵢ₋₁) (Radford et al. 2018, §3.1). */
export class CausalLanguageModelling implements Objective {
  readonly #options: CausalOptions
  readonly #windows: Windows

  /** @throws DataError where the training text is shorter than one window, or has nothing to predict */
  constructor(options: CausalOptions) {
    this.#options = options
    this.#windows = new Windows(options.train, options)
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
    const { predictions, ...feeds } = this.#windows.batch(index, batchSize)
    return { shape: [batchSize, contextLength], feeds: { ...feeds }, examples: batchSize, predictions }
  }

  *evaluationBatches(): Generator<Batch> {
    const { validation, contextLength, packing } = this.#options
    if (validation !== undefined) yield* causalEvaluationBatches(validation, contextLength, packing)
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

/** A whole text, or every document of one, in windows that do not overlap: every token but the first is predicted once. */
export function* causalEvaluationBatches(
  text: TokenStore | TokenIds,
  contextLength: number,
  packing?: boolean,
): Generator<Batch> {
  const batchSize = Math.max(1, Math.floor(evaluationTokens / contextLength))
  for (const { batch, length, predictions, ...feeds } of evaluationBatches(text, {
    contextLength,
    batchSize,
    packing,
  })) {
    yield { shape: [batch, length], feeds: { ...feeds }, examples: batch, predictions }
  }
}
