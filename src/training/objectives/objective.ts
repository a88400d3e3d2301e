import type { Input, Tensor } from '../../graph/index.js'
import type { Feed } from '../../runtime/index.js'

/** The arrays of one batch. */
export interface Batch {
  /** The sizes that the loss graph is built for, e.g. [B, T]. */
  readonly shape: readonly number[]
  readonly feeds: Readonly<Record<string, Feed>>
  /** How many predictions the loss is the mean of. */
  readonly predictions: number
}

/** What a model learns: a loss, and the batches that it is computed on. */
export interface Objective {
  /** Builds the loss of batches of a shape: a tensor of rank 0, the mean over the batch's predictions. */
  loss(shape: readonly number[]): { readonly inputs: Readonly<Record<string, Input>>; readonly loss: Tensor }
  /** Training batch number `index`, a pure function of it. */
  trainingBatch(index: number): Batch
  /** Every validation example once; nothing where there is no validation data. */
  evaluationBatches(): Iterable<Batch>
}
