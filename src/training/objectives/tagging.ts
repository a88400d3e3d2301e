import { type LegalTags, legalTags, schemeOfTags, type TagScheme } from '../../data/tag-scheme.js'
import { type Input, input, type Tensor } from '../../graph/index.js'
import { crossEntropy, gather } from '../../graph/operations/index.js'
import { entityMetrics } from '../../metrics/index.js'
import { encoderFeeds, encoderInputs, type TokenClassifier } from '../../models/index.js'
import { type Feed, float32, type TensorValue } from '../../runtime/index.js'
import type { ExampleTask } from './examples.js'
import type { Batch, LossGraph, Scorer } from './objective.js'
import { collectLogits, decodeWords, emptyLogits, type WordLogits } from './tagging-decoding.js'
import type { WordWindow } from './tagging-windows.js'

/** A window with what is to be found out about its words. */
export interface TaggedWindow extends WordWindow {
  /** The index of each word's label. */
  readonly labels: Int32Array
}

/** A tagger's graph for batches of all sizes. */
export interface TaggerGraph {
  readonly inputs: Readonly<Record<string, Input>>
  /** [M, labels], M words of the batch. */
  readonly logits: Tensor
}

/** Builds a tagger's logits for the first tokens of words, from the inputs that {@link taggerFeeds} fills. */
export function taggerGraph(model: TokenClassifier): TaggerGraph {
  const { inputs, input: tokens } = encoderInputs()
  const rows = input('rows', 'int64', ['words'])
  return { inputs: { ...inputs, rows }, logits: gather(model.forward(tokens), rows) }
}

/** The arrays of some windows for a tagger's graph: the encoder's, and `rows` int64 [M], each word's among the N tokens. */
export function taggerFeeds(windows: readonly WordWindow[]): Record<string, Feed> {
  let before = 0
  const rows = windows.flatMap(({ ids, places }) => {
    const first = before
    before += ids.length
    return Array.from(places, (place) => BigInt(first + place))
  })
  return { ...encoderFeeds(windows), rows: { data: BigInt64Array.from(rows), shape: [rows.length] } }
}

/**
 * Tagging of words, −log P(tag | sentence) of each word's first token (Devlin et al. 2018, §5.3). M words of a batch, N
 * tokens.
 */
export class Tagging implements ExampleTask<TaggedWindow> {
  readonly #model: TokenClassifier
  readonly #validationTags: readonly (readonly string[])[]

  /** @param validationTags the tags of each sentence that the validation windows are parts of */
  constructor(model: TokenClassifier, validationTags: readonly (readonly string[])[]) {
    this.#model = model
    this.#validationTags = validationTags
  }

  length({ ids }: TaggedWindow): number {
    return ids.length
  }

  graph(): LossGraph {
    const { inputs, logits } = taggerGraph(this.#model)
    const labels = input('labels', 'int64', ['words'])
    return { inputs: { ...inputs, labels }, loss: crossEntropy(logits, labels), outputs: { logits } }
  }

  feeds(windows: readonly TaggedWindow[]): Record<string, Feed> {
    const data = BigInt64Array.from(windows.flatMap(({ labels }) => Array.from(labels, BigInt)))
    return { ...taggerFeeds(windows), labels: { data, shape: [data.length] } }
  }

  predictions(windows: readonly TaggedWindow[]): number {
    return windows.reduce((sum, { words }) => sum + words.length, 0)
  }

  scorer(validation: readonly TaggedWindow[]): Scorer {
    return new TaggingScorer(this.#model.labels, validation, this.#validationTags)
  }
}

/** Which sequences of a tagger's labels are legal. */
export interface TagRules {
  readonly scheme: TagScheme
  readonly legal: LegalTags
}

/** The rules that the labels of a tagger follow. @throws DataError for labels that are no tags of entities */
export function tagRules(labels: readonly string[], where?: string): TagRules {
  const scheme = schemeOfTags(labels, where)
  return { scheme, legal: legalTags(labels, scheme) }
}

/** Measures the entities of whole sentences, decoded to legal tags. */
class TaggingScorer implements Scorer {
  readonly #rules: TagRules
  readonly #windows: readonly TaggedWindow[]
  readonly #expected: readonly (readonly string[])[]
  readonly #logits: WordLogits[]

  constructor(labels: readonly string[], windows: readonly TaggedWindow[], expected: readonly (readonly string[])[]) {
    this.#rules = tagRules(labels)
    this.#windows = windows
    this.#expected = expected
    this.#logits = emptyLogits(expected.map((tags) => tags.length))
  }

  add({ rows = [] }: Batch, { logits }: Readonly<Record<string, TensorValue>>): void {
    const windows = rows.map((row) => this.#windows[row])
    collectLogits(float32(logits), windows, this.#logits)
  }

  metrics() {
    const { scheme, legal } = this.#rules
    const predicted = this.#logits.map((words) => decodeWords(words, legal).map(({ tag }) => tag))
    return { ...entityMetrics(this.#expected, predicted, { strict: scheme }) }
  }
}
