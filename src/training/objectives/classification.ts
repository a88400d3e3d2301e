import { input, type Tensor } from '../../graph/index.js'
import { crossEntropyPerPosition, exp, gather, log, mul, relu } from '../../graph/operations/index.js'
import { classificationMetrics, multiLabelMetrics, regressionMetrics } from '../../metrics/index.js'
import { type Classifier, classifierFeeds, classifierGraph } from '../../models/classifier.js'
import type { ClassificationProblem, TokenSequence } from '../../models/index.js'
import { type Feed, float32, type TensorValue } from '../../runtime/index.js'
import type { ExampleTask } from './examples.js'
import type { Batch, LossGraph, Scorer } from './objective.js'

/** A text as token ids with what is to be found out about it. */
export interface LabelledSequence extends TokenSequence {
  /** The label's index; the numbers of a regression; 1 for each label that applies of several, 0 for the others. */
  readonly target: number | readonly number[]
}

/** Classification of whole sequences, −log P(label | text) (Radford et al. 2018, §3.2; Devlin et al. 2018, §4.1). */
export class Classification implements ExampleTask<LabelledSequence> {
  readonly #model: Classifier
  readonly #weights: Float32Array | undefined

  /** @param weights of the labels' examples in the loss, in the order of the logits (default all 1) */
  constructor(model: Classifier, weights?: readonly number[]) {
    this.#model = model
    this.#weights = weights && Float32Array.from(weights)
  }

  length({ ids }: LabelledSequence): number {
    return ids.length
  }

  graph(): LossGraph {
    const { inputs, logits } = classifierGraph(this.#model)
    const { inputs: more, loss } = lossOf(problemOf(this.#model), logits, this.#weights !== undefined)
    return { inputs: { ...inputs, ...more }, loss, outputs: { logits } }
  }

  feeds(examples: readonly LabelledSequence[]): Record<string, Feed> {
    return { ...classifierFeeds(this.#model, examples), ...this.#targets(examples) }
  }

  predictions(examples: readonly LabelledSequence[]): number {
    const weights = this.#weights
    if (weights === undefined) return examples.length
    return examples.reduce((total, { target }) => total + weights[Number(target)], 0)
  }

  scorer(validation: readonly LabelledSequence[]): Scorer {
    return new ClassificationScorer(problemOf(this.#model), validation, this.#model.labels.length)
  }

  #targets(examples: readonly LabelledSequence[]): Record<string, Feed> {
    const count = examples.length
    if (problemOf(this.#model) !== 'single_label_classification') {
      const data = Float32Array.from(examples.flatMap(({ target }) => target))
      return { targets: { data, shape: [count, data.length / count] } }
    }
    const targets = { data: BigInt64Array.from(examples, ({ target }) => BigInt(Number(target))), shape: [count] }
    return this.#weights === undefined ? { targets } : { targets, weights: this.#weights }
  }
}

/** What a classifier's logits mean; a GPT's texts have one label each. */
export function problemOf(model: Classifier): ClassificationProblem {
  return 'problem' in model ? model.problem : 'single_label_classification'
}

function lossOf(problem: ClassificationProblem, logits: Tensor, isWeighted: boolean): LossGraph {
  if (problem === 'single_label_classification') return singleLabelLoss(logits, isWeighted)
  const targets = input('targets', 'float32', logits.shape)
  const loss = problem === 'regression' ? squaredError(logits, targets) : binaryCrossEntropy(logits, targets)
  return { inputs: { targets }, loss }
}

/** Σ w·(−log softmax(logits)[target]) / Σ w, with w the weight of each example's label. */
function singleLabelLoss(logits: Tensor, isWeighted: boolean): LossGraph {
  const targets = input('targets', 'int64', ['batch'])
  const losses = crossEntropyPerPosition(logits, targets) // [B]
  if (!isWeighted) return { inputs: { targets }, loss: losses.mean() }
  const weights = input('weights', 'float32', [logits.shape[1]])
  const weight = gather(weights, targets) // [B]
  return { inputs: { targets, weights }, loss: losses.mul(weight).sum().div(weight.sum()) }
}

/** The mean of log(1 + eˣ) − x·y over all labels of all examples, computed without overflow. */
function binaryCrossEntropy(x: Tensor, y: Tensor): Tensor {
  const magnitude = relu(x).add(relu(x.neg()))
  return relu(x)
    .sub(mul(x, y))
    .add(log(exp(magnitude.neg()).add(1)))
    .mean()
}

/** The mean of (x − y)² over all numbers of all examples. */
function squaredError(x: Tensor, y: Tensor): Tensor {
  const difference = x.sub(y)
  return difference.mul(difference).mean()
}

class ClassificationScorer implements Scorer {
  readonly #problem: ClassificationProblem
  readonly #examples: readonly LabelledSequence[]
  readonly #labels: number
  /** The logits of each example, in their order. */
  readonly #logits: Float32Array

  constructor(problem: ClassificationProblem, examples: readonly LabelledSequence[], labels: number) {
    this.#problem = problem
    this.#examples = examples
    this.#labels = labels
    this.#logits = new Float32Array(examples.length * labels)
  }

  add({ rows = [] }: Batch, { logits }: Readonly<Record<string, TensorValue>>): void {
    const values = float32(logits)
    const labels = this.#labels
    for (const [i, row] of rows.entries()) {
      this.#logits.set(values.subarray(i * labels, (i + 1) * labels), row * labels)
    }
  }

  metrics() {
    const targets = this.#examples.map(({ target }) => target)
    return classificationFigures(this.#problem, targets, this.#logits)
  }
}

/**
 * The metrics of a classifier.
 *
 * @param targets as {@link LabelledSequence} has them
 * @param logits one row for each target
 */
export function classificationFigures(
  problem: ClassificationProblem,
  targets: readonly LabelledSequence['target'][],
  logits: Float32Array,
): Record<string, number> {
  const labels = logits.length / targets.length
  const rows = targets.map((_, i) => logits.subarray(i * labels, (i + 1) * labels))
  switch (problem) {
    case 'single_label_classification': {
      const predicted = rows.map((row) => row.indexOf(Math.max(...row)))
      return { ...classificationMetrics(targets.map(Number), predicted, labels) }
    }
    case 'multi_label_classification': {
      const predicted = rows.map((row) => [...row].flatMap((logit, label) => (logit > 0 ? [label] : [])))
      const expected = targets.map((target) => [target].flat().flatMap((applies, label) => (applies ? [label] : [])))
      return { ...multiLabelMetrics(expected, predicted, labels) }
    }
    case 'regression':
      return { ...regressionMetrics(targets.flat(), [...logits]) }
  }
}
