import { input } from '../../graph/index.js'
import { crossEntropy } from '../../graph/operations/index.js'
import { classificationMetrics } from '../../metrics/index.js'
import { encoderFeeds, encoderInputs, type TokenSequence } from '../../models/encoder.js'
import type { BertForRelationClassification } from '../../models/index.js'
import { type Feed, float32, type TensorValue } from '../../runtime/index.js'
import type { ExampleTask } from './examples.js'
import type { Batch, LossGraph, Scorer } from './objective.js'

/** A text with two marked spans as token ids. */
export interface MarkedSequence extends TokenSequence {
  /** Where the marker in front of the first span is in `ids`. */
  readonly head: number
  /** Where that of the second is. */
  readonly tail: number
  /** The index of the relation. */
  readonly target: number
}

/** The relation of two spans, −log P(relation | text) (Soares et al. 2019, §3.2). */
export class RelationClassification implements ExampleTask<MarkedSequence> {
  readonly #model: BertForRelationClassification

  constructor(model: BertForRelationClassification) {
    this.#model = model
  }

  length({ ids }: MarkedSequence): number {
    return ids.length
  }

  graph(): LossGraph {
    const { inputs, input: tokens } = encoderInputs()
    const [heads, tails, targets] = ['heads', 'tails', 'targets'].map((name) => input(name, 'int64', ['batch']))
    const logits = this.#model.forward(tokens, { first: heads, second: tails }) // [B, labels]
    return { inputs: { ...inputs, heads, tails, targets }, loss: crossEntropy(logits, targets), outputs: { logits } }
  }

  feeds(examples: readonly MarkedSequence[]): Record<string, Feed> {
    const numbers = (values: readonly number[]) => ({
      data: BigInt64Array.from(values, BigInt),
      shape: [values.length],
    })
    let next = 0
    // The rows of a batch's tokens, which follow each other without padding.
    const starts = examples.map(({ ids }) => {
      next += ids.length
      return next - ids.length
    })
    return {
      ...encoderFeeds(examples),
      heads: numbers(examples.map(({ head }, i) => starts[i] + head)),
      tails: numbers(examples.map(({ tail }, i) => starts[i] + tail)),
      targets: numbers(examples.map(({ target }) => target)),
    }
  }

  scorer(validation: readonly MarkedSequence[]): Scorer {
    return new RelationScorer(validation, this.#model.labels.length)
  }
}

class RelationScorer implements Scorer {
  readonly #examples: readonly MarkedSequence[]
  readonly #labels: number
  readonly #predicted: number[] = []

  constructor(examples: readonly MarkedSequence[], labels: number) {
    this.#examples = examples
    this.#labels = labels
  }

  add({ rows = [] }: Batch, { logits }: Readonly<Record<string, TensorValue>>): void {
    const values = float32(logits)
    for (const [i, row] of rows.entries()) {
      const scores = values.subarray(i * this.#labels, (i + 1) * this.#labels)
      this.#predicted[row] = scores.indexOf(Math.max(...scores))
    }
  }

  metrics(): Readonly<Record<string, number>> {
    const expected = this.#examples.map(({ target }) => target)
    return { ...classificationMetrics(expected, this.#predicted, this.#labels) }
  }
}
