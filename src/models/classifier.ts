import { DataError } from '../errors.js'
import { type Input, input, type Tensor } from '../graph/index.js'
import type { Module } from '../nn/index.js'
import type { Feed } from '../runtime/index.js'
import { encoderFeeds, encoderInputs, type SequenceClassifier, type TokenSequence } from './encoder.js'
import { GPTForSequenceClassification } from './gpt.js'

/** A model that classifies sequences, of whatever family. */
export type Classifier = GPTForSequenceClassification | SequenceClassifier

/** A classifier's graph for batches of all sizes. */
export interface ClassifierGraph {
  readonly inputs: Readonly<Record<string, Input>>
  /** [batch, labels]. */
  readonly logits: Tensor
}

/** Builds a classifier's logits for ragged sequences, from the inputs that {@link classifierFeeds} fills. */
export function classifierGraph(model: Classifier): ClassifierGraph {
  if (model instanceof GPTForSequenceClassification) {
    const ids = input('ids', 'int64', ['batch', 'sequence'])
    const last = input('last', 'int64', ['batch'])
    return { inputs: { ids, last }, logits: model.forward(ids, last) }
  }
  const { inputs, input: tokens } = encoderInputs()
  return { inputs, logits: model.forward(tokens) }
}

/** The arrays of some sequences for a classifier's graph. @throws DataError where one is empty */
export function classifierFeeds(model: Classifier, sequences: readonly TokenSequence[]): Record<string, Feed> {
  return model instanceof GPTForSequenceClassification ? paddedFeeds(sequences) : encoderFeeds(sequences)
}

/** Sequences side by side, padded at the end: `ids` int64 [B, T] and the flat index of each one's last token [B]. */
function paddedFeeds(sequences: readonly TokenSequence[]): { ids: Feed; last: Feed } {
  const length = Math.max(...sequences.map(({ ids }) => ids.length))
  const data = new BigInt64Array(sequences.length * length)
  const last = new BigInt64Array(sequences.length)
  for (const [row, { ids }] of sequences.entries()) {
    if (ids.length === 0) throw new DataError(`sequence ${row} of a batch is empty; expected at least one token`)
    for (let i = 0; i < ids.length; i++) data[row * length + i] = BigInt(ids[i])
    last[row] = BigInt(row * length + ids.length - 1)
  }
  return { ids: { data, shape: [sequences.length, length] }, last: { data: last, shape: [sequences.length] } }
}

/** Whether a model classifies sequences. */
export function isClassifier(model: Module): model is Classifier {
  return model instanceof GPTForSequenceClassification || ('problem' in model && 'labels' in model)
}
