import { LengthBatches, sortedBatches } from '../../data/length-batches.js'
import { DataError } from '../../errors.js'
import { input, type Tensor } from '../../graph/index.js'
import { crossEntropy } from '../../graph/operations/index.js'
import type { Feed } from '../../runtime/index.js'
import type { Batch, Objective } from './objective.js'

/** A text as token ids, at least one, and its label's index. */
export interface LabelledSequence {
  readonly ids: ArrayLike<number>
  readonly label: number
}

/** What {@link SequenceClassification} learns from. */
export interface SequenceClassificationOptions {
  readonly model: { forward(ids: Tensor, last: Tensor): Tensor }
  readonly train: readonly LabelledSequence[]
  readonly validation: readonly LabelledSequence[]
  /** B, examples of a batch. */
  readonly batchSize: number
  readonly seed: number
}

/** The loss graph serves batches of all sizes: one program for every length. */
const shape = ['batch', 'sequence']

/** Classification of whole sequences by the last token's output, −log P(label | u₁ … uₙ) (Radford et al. 2018, §3.2). */
export class SequenceClassification implements Objective {
  readonly #options: SequenceClassificationOptions
  readonly #batches: LengthBatches

  /** @throws DataError where there are no examples or one is empty */
  constructor(options: SequenceClassificationOptions) {
    this.#options = options
    this.#batches = new LengthBatches(
      options.train.map(({ ids }) => ids.length),
      options.batchSize,
      options,
    )
  }

  get batchesPerEpoch(): number {
    return this.#batches.batchesPerEpoch
  }

  loss() {
    const { ids, last, logits } = classificationGraph(this.#options.model)
    const labels = input('labels', 'int64', ['batch'])
    return { inputs: { ids, last, labels }, loss: crossEntropy(logits, labels) }
  }

  trainingBatch(index: number): Batch {
    return labelledBatch(this.#batches.batch(index).map((example) => this.#options.train[example]))
  }

  *evaluationBatches(): Generator<Batch> {
    const { validation, batchSize } = this.#options
    for (const examples of sortedBatches(
      validation.map(({ ids }) => ids.length),
      batchSize,
    )) {
      yield labelledBatch(examples.map((example) => validation[example]))
    }
  }
}

/** A classifier's logits [batch, labels] for ragged sequences, with the inputs that {@link sequenceFeeds} fills. */
export function classificationGraph(model: SequenceClassificationOptions['model']) {
  const ids = input('ids', 'int64', shape)
  const last = input('last', 'int64', ['batch'])
  return { ids, last, logits: model.forward(ids, last) }
}

/** Sequences side by side, padded at the end: `ids` int64 [B, T] and the flat index of each one's last token [B]. */
export function sequenceFeeds(sequences: readonly ArrayLike<number>[]): { ids: Feed; last: Feed } {
  const length = Math.max(...sequences.map((ids) => ids.length))
  const data = new BigInt64Array(sequences.length * length)
  const last = new BigInt64Array(sequences.length)
  for (const [row, ids] of sequences.entries()) {
    if (ids.length === 0) throw new DataError(`sequence ${row} of a batch is empty; expected at least one token`)
    for (let i = 0; i < ids.length; i++) data[row * length + i] = BigInt(ids[i])
    last[row] = BigInt(row * length + ids.length - 1)
  }
  return { ids: { data, shape: [sequences.length, length] }, last: { data: last, shape: [sequences.length] } }
}

function labelledBatch(examples: readonly LabelledSequence[]): Batch {
  const labels = BigInt64Array.from(examples, ({ label }) => BigInt(label))
  return {
    shape,
    feeds: { ...sequenceFeeds(examples.map(({ ids }) => ids)), labels: { data: labels, shape: [labels.length] } },
    examples: examples.length,
    predictions: examples.length,
  }
}
