import { CheckpointError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { checkTokenizer } from '../hub/check-tokenizer.js'
import { loadModel } from '../hub/checkpoint.js'
import { readDataSettings } from '../hub/data-settings.js'
import { type Classifier, classifierFeeds, classifierGraph, isClassifier } from '../models/classifier.js'
import type { ClassificationProblem } from '../models/index.js'
import { compile, type Device, float32, type Program } from '../runtime/index.js'
import { loadTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { encodeTexts } from '../training/build/classification-texts.js'
import { problemOf } from '../training/objectives/classification.js'
import { type CutText, parameterMode, reportCuts, runSorted } from './text-batches.js'

/** A text, or two that a classifier reads together. */
export type ClassifierInput = string | { readonly text: string; readonly pair?: string | undefined }

/** A label with its probability. */
export interface ScoredLabel {
  readonly label: string
  readonly score: number
}

/** What a model for one label of several says of a text. */
export interface SingleLabel extends ScoredLabel {
  /** The probability of every label; their sum is 1. */
  readonly scores: Readonly<Record<string, number>>
  readonly labels?: undefined
  readonly value?: undefined
}

/** What a model for any number of labels says of a text. */
export interface SeveralLabels {
  /** The labels with a probability above ½, the likeliest first. */
  readonly labels: readonly ScoredLabel[]
  /** The probability of every label, each between 0 and 1. */
  readonly scores: Readonly<Record<string, number>>
  readonly label?: undefined
  readonly score?: undefined
  readonly value?: undefined
}

/** What a model for numbers says of a text. */
export interface PredictedNumber {
  readonly value: number
  readonly label?: undefined
  readonly score?: undefined
  readonly labels?: undefined
  readonly scores?: undefined
}

/**
 * What a classifier says of a text. Which of the three it is depends on the model alone, see
 * {@link TextClassifier.problem}: `label` is there for one label of several, `labels` for any number of them, `value` for
 * a number.
 */
export type ClassificationResult = SingleLabel | SeveralLabels | PredictedNumber

/** How a classifier is opened. */
export interface TextClassifierOptions {
  readonly device?: Device
  /** Most tokens of a text (default: as in training where the model was trained here, else as many as the model sees). */
  readonly maxLength?: number | undefined
}

/** How texts are classified. */
export interface ClassifyOptions {
  /** Hears of each text that was too long. */
  readonly onCut?: ((cut: CutText) => void) | undefined
}

/**
 * Classifies texts with a GPT, BERT, RoBERTa or DistilBERT that was trained for it.
 *
 * ```ts
 * const classifier = await TextClassifier.load('runs/reviews')
 * const [{ label, score }] = await classifier.classify(['The room was clean.'])
 * ```
 */
export class TextClassifier {
  readonly model: Classifier
  /** Most tokens of a text. */
  readonly maxLength: number
  readonly #tokenizer: Tokenizer
  readonly #program: Program<{ logits: Tensor }>

  private constructor(
    model: Classifier,
    tokenizer: Tokenizer,
    { program, maxLength }: { program: Program<{ logits: Tensor }>; maxLength: number },
  ) {
    this.model = model
    this.maxLength = maxLength
    this.#tokenizer = tokenizer
    this.#program = program
  }

  /**
   * Opens a checkpoint directory or a training run.
   *
   * @throws CheckpointError where it is missing, damaged or not a classifier; TokenizerError where it has no tokenizer
   */
  static async load(path: string, { device, maxLength }: TextClassifierOptions = {}): Promise<TextClassifier> {
    const { model, directory } = loadModel(path)
    if (!isClassifier(model)) {
      throw new CheckpointError(`${path}: classifying needs a classifier, this is a ${model.constructor.name}`)
    }
    const count = model.labels.length
    if (problemOf(model) === 'regression' && count !== 1) {
      throw new CheckpointError(`${path}: expected a regression to have one output, this one has ${count}`)
    }
    const tokenizer = await loadTokenizer(directory)
    checkTokenizer(tokenizer, model, directory)
    const { contextLength } = model.config
    const most = Math.min(maxLength ?? readDataSettings(directory).maxLength ?? contextLength, contextLength)
    const { inputs, logits } = classifierGraph(model)
    const program = await compile({ inputs, outputs: { logits }, parameters: parameterMode(model), device })
    return new TextClassifier(model, tokenizer, { program, maxLength: most })
  }

  /** Whether texts have one label each, any number of labels, or a number. */
  get problem(): ClassificationProblem {
    return problemOf(this.model)
  }

  /** What the model says of each text or pair of texts; of what is longer than {@link maxLength}, the rest is cut off. */
  async classify(texts: readonly ClassifierInput[], options: ClassifyOptions = {}): Promise<ClassificationResult[]> {
    const { labels } = this.model
    const logits = await this.logits(texts, options)
    const rows = texts.map((_, i) => logits.subarray(i * labels.length, (i + 1) * labels.length))
    switch (this.problem) {
      case 'single_label_classification':
        return rows.map((row) => singleLabel(row, labels))
      case 'multi_label_classification':
        return rows.map((row) => severalLabels(row, labels))
      case 'regression':
        return rows.map(([value]) => ({ value }))
    }
  }

  /** The logits of texts or pairs of texts, one row for each: [texts, labels]; of a regression the numbers. */
  async logits(texts: readonly ClassifierInput[], { onCut }: ClassifyOptions = {}): Promise<Float32Array> {
    const { model, maxLength } = this
    const inputs = texts.map((text) => (typeof text === 'string' ? { text } : text))
    const encoded = await encodeTexts(inputs, { model, tokenizer: this.#tokenizer, maxLength })
    reportCuts(encoded, onCut)
    return runSorted(encoded, model.labels.length, async (sequences) =>
      float32((await this.#program.run(classifierFeeds(model, sequences))).logits),
    )
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#program.dispose()
  }
}

/** Softmax over the logits. */
function singleLabel(logits: Float32Array, labels: readonly string[]): SingleLabel {
  const highest = Math.max(...logits)
  const weights = Array.from(logits, (logit) => Math.exp(logit - highest))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const probabilities = weights.map((weight) => weight / total)
  const best = logits.indexOf(highest)
  return { label: labels[best], score: probabilities[best], scores: byLabel(labels, probabilities) }
}

/** 1 / (1 + e⁻ˣ) of each logit x. */
function severalLabels(logits: Float32Array, labels: readonly string[]): SeveralLabels {
  const probabilities = Array.from(logits, (logit) => 1 / (1 + Math.exp(-logit)))
  const found = labels.map((label, i) => ({ label, score: probabilities[i] })).filter(({ score }) => score > 0.5)
  return { labels: found.sort((a, b) => b.score - a.score), scores: byLabel(labels, probabilities) }
}

function byLabel(labels: readonly string[], values: readonly number[]): Record<string, number> {
  return Object.fromEntries(labels.map((label, i) => [label, values[i]]))
}
