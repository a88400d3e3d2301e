import { sortedBatches } from '../data/length-batches.js'
import { CheckpointError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { checkTokenizer } from '../hub/check-tokenizer.js'
import { loadModel } from '../hub/checkpoint.js'
import { GPTForSequenceClassification } from '../models/index.js'
import { compile, type Device, float32, type Program } from '../runtime/index.js'
import { loadTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { classificationGraph, sequenceFeeds } from '../training/objectives/sequence-classification.js'

/** A text's label, with the probability of each. */
export interface Classification {
  readonly label: string
  /** Probability of the label. */
  readonly score: number
  /** Probability of every label. */
  readonly scores: Readonly<Record<string, number>>
}

type ClassifierProgram = Program<{ logits: Tensor }>

/** Texts of a batch. */
const batchSize = 32

/** Classifies texts. */
export class TextClassifier {
  readonly model: GPTForSequenceClassification
  readonly #tokenizer: Tokenizer
  readonly #program: ClassifierProgram

  private constructor(model: GPTForSequenceClassification, tokenizer: Tokenizer, program: ClassifierProgram) {
    this.model = model
    this.#tokenizer = tokenizer
    this.#program = program
  }

  /**
   * Opens a checkpoint directory or a training run.
   *
   * @throws CheckpointError where it is missing, damaged or not a classifier; TokenizerError where it has no tokenizer
   */
  static async load(path: string, options: { device?: Device } = {}): Promise<TextClassifier> {
    const { model, directory } = loadModel(path)
    if (!(model instanceof GPTForSequenceClassification)) {
      throw new CheckpointError(`${path}: classifying needs a classifier, this is a ${model.constructor.name}`)
    }
    const tokenizer = await loadTokenizer(directory)
    checkTokenizer(tokenizer, model, directory)
    const { ids, last, logits } = classificationGraph(model)
    const program = await compile({ inputs: { ids, last }, outputs: { logits }, ...options })
    return new TextClassifier(model, tokenizer, program)
  }

  /** The label of each text; what is longer than the context loses its beginning. */
  async classify(texts: readonly string[]): Promise<Classification[]> {
    const { config, labels } = this.model
    const encodings = await this.#tokenizer.encodeBatch(texts)
    // An empty text still needs one token to look at.
    const sequences = encodings.map(({ ids }) =>
      ids.length === 0 ? [this.#tokenizer.eosTokenId ?? 0] : ids.slice(-config.contextLength),
    )
    const found: Classification[] = []
    for (const batch of sortedBatches(
      sequences.map((ids) => ids.length),
      batchSize,
    )) {
      const { logits } = await this.#program.run(sequenceFeeds(batch.map((i) => sequences[i])))
      const values = float32(logits)
      for (const [row, i] of batch.entries()) {
        found[i] = toClassification(values.subarray(row * labels.length, (row + 1) * labels.length), labels)
      }
    }
    return found
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#program.dispose()
  }
}

function toClassification(logits: Float32Array, labels: readonly string[]): Classification {
  const highest = Math.max(...logits)
  const weights = Array.from(logits, (logit) => Math.exp(logit - highest))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const scores = Object.fromEntries(labels.map((label, i) => [label, weights[i] / total]))
  const label = labels[logits.indexOf(highest)]
  return { label, score: scores[label], scores }
}
