import type { Input, Shape, Tensor } from '../../graph/index.js'
import type { Feed, TensorValue } from '../../runtime/index.js'

/** The arrays of one batch. */
export interface Batch {
  /** What the loss graph is built for: sizes [B, T], or names where one program serves batches of all sizes. */
  readonly shape: Shape
  readonly feeds: Readonly<Record<string, Feed>>
  /** Rows of the batch: windows or sequences. */
  readonly examples: number
  /** How many predictions the loss is the mean of. */
  readonly predictions: number
  /** Which validation examples an evaluation batch has, for what is measured beside the loss. */
  readonly rows?: readonly number[]
}

/** Takes the outputs of evaluation batches and measures them all together. */
export interface Scorer {
  add(batch: Batch, outputs: Readonly<Record<string, TensorValue>>): void
  /** Figures by the names of `src/metrics`, e.g. `accuracy`. */
  metrics(): Readonly<Record<string, number>>
}

/** A loss as a graph. */
export interface LossGraph {
  readonly inputs: Readonly<Record<string, Input>>
  /** A tensor of rank 0. */
  readonly loss: Tensor
  /** What a {@link Scorer} needs of evaluation batches. */
  readonly outputs?: Readonly<Record<string, Tensor>>
}

/** What a model learns: a loss, and the batches that it is computed on. */
export interface Objective {
  /** Builds the loss of batches of a shape: a tensor of rank 0, the mean over the batch's predictions. */
  loss(shape: Shape): LossGraph
  /** Training batch number `index`, a pure function of it. */
  trainingBatch(index: number): Batch
  /** Every validation example once; nothing where there is no validation data. */
  evaluationBatches(): Iterable<Batch>
  /** Begins to measure an evaluation by more than the loss. */
  scorer?(): Scorer
  /** Measures what no graph of the loss shows, such as the texts that the model writes, with the parameters as they are. */
  measure?(): Promise<Readonly<Record<string, number>>>
  /** Frees what {@link Objective.measure} holds. */
  dispose?(): Promise<void>
}
