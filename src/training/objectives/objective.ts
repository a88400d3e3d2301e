import type { Input, Shape, Tensor } from '../../graph/index.js'
import type { Feed } from '../../runtime/index.js'

/** The arrays of one batch. */
export interface Batch {
  /** What the loss graph is built for: sizes [B, T], or names where one program serves batches of all sizes. */
  readonly shape: Shape
  readonly feeds: Readonly<Record<string, Feed>>
  /** Rows of the batch: windows or sequences. */
  readonly examples: number
  /** How many predictions the loss is the mean of. */
  readonly predictions: number
}

/** What a model learns: a loss, and the batches that it is computed on. */
export interface Objective {
  /** Builds the loss of batches of a shape: a tensor of rank 0, the mean over the batch's predictions. */
  loss(shape: Shape): { readonly inputs: Readonly<Record<string, Input>>; readonly loss: Tensor }
  /** Training batch number `index`, a pure function of it. */
  trainingBatch(index: number): Batch
  /** Every validation example once; nothing where there is no validation data. */
  evaluationBatches(): Iterable<Batch>
}
