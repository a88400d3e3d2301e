import { sortedBatches } from '../data/length-batches.js'
import { CheckpointError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { checkTokenizer } from '../hub/check-tokenizer.js'
import { loadModel } from '../hub/checkpoint.js'
import { type Classifier, classifierFeeds, classifierGraph, isClassifier } from '../models/classifier.js'
import type { TokenSequence } from '../models/index.js'
import { compile, type Device, float32, type Program } from '../runtime/index.js'
import { loadTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { encodeTexts } from '../training/build/classification.js'

/** A text's label, with the probability of each. */
export interface Classification {
  readonly label: string
  /** Probability of the label. */
  readonly score: number
  /** Probability of every label. */
  readonly scores: Readonly<Record<string, number>>
}

/** Texts of a batch. */
const batchSize = 32

/** Classifies texts. */
export class TextClassifier {
  readonly model: Classifier
  readonly #tokenizer: Tokenizer
  readonly #program: Program<{ logits: Tensor }>

  private constructor(model: Classifier, tokenizer: Tokenizer, program: Program<{ logits: Tensor }>) {
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
    if (!isClassifier(model)) {
      throw new CheckpointError(`${path}: classifying needs a classifier, this is a ${model.constructor.name}`)
    }
    const tokenizer = await loadTokenizer(directory)
    checkTokenizer(tokenizer, model, directory)
    const { inputs, logits } = classifierGraph(model)
    const program = await compile({ inputs, outputs: { logits }, ...options })
    return new TextClassifier(model, tokenizer, program)
  }

  /** The label of each text; of what is longer than the model sees, the rest is cut off. */
  async classify(texts: readonly string[]): Promise<Classification[]> {
    const { labels } = this.model
    const logits = await this.logits(texts.map((text) => ({ text })))
    return texts.map((_, i) => toClassification(logits.subarray(i * labels.length, (i + 1) * labels.length), labels))
  }

  /** The logits of texts or pairs of them, one row for each: [texts, labels]. */
  async logits(texts: readonly { readonly text: string; readonly pair?: string | undefined }[]): Promise<Float32Array> {
    const { model } = this
    const encodings = await encodeTexts(texts, { model, tokenizer: this.#tokenizer })
    // An empty text still needs one token to look at.
    const sequences = encodings.map(
      (encoding): TokenSequence => (encoding.ids.length === 0 ? { ids: [this.#tokenizer.eosTokenId ?? 0] } : encoding),
    )
    const found = new Float32Array(texts.length * model.labels.length)
    const lengths = sequences.map(({ ids }) => ids.length)
    for (const rows of sortedBatches(lengths, batchSize)) {
      const feeds = classifierFeeds(
        model,
        rows.map((row) => sequences[row]),
      )
      const values = float32((await this.#program.run(feeds)).logits)
      const width = model.labels.length
      for (const [i, row] of rows.entries()) found.set(values.subarray(i * width, (i + 1) * width), row * width)
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
