import { sortedBatches } from '../data/length-batches.js'
import { extractEntities } from '../data/tag-scheme.js'
import { CheckpointError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { checkTokenizer } from '../hub/check-tokenizer.js'
import { loadModel } from '../hub/checkpoint.js'
import { readDataSettings } from '../hub/data-settings.js'
import type { TokenClassifier } from '../models/index.js'
import {
  BertForTokenClassification,
  DistilBertForTokenClassification,
  RobertaForTokenClassification,
} from '../models/index.js'
import type { Module } from '../nn/index.js'
import { compile, type Device, float32, type Program } from '../runtime/index.js'
import { loadTokenizer } from '../tokenizers/node.js'
import type { Encoding } from '../tokenizers/tokenizer.js'
import { type TagRules, taggerFeeds, taggerGraph, tagRules } from '../training/objectives/tagging.js'
import { collectLogits, decodeWords, emptyLogits, type WordTag } from '../training/objectives/tagging-decoding.js'
import { type WordWindowOptions, wordWindows } from '../training/objectives/tagging-windows.js'
import { parameterMode } from './text-batches.js'

export type { WordTag }

/** An entity that was found in a text. */
export interface TaggedEntity {
  /** Its type: what follows the letter of its tags. */
  readonly label: string
  /** The mean probability of its words' tags. */
  readonly score: number
  readonly text: string
  /** Where it begins and ends in the text, [start, end) in UTF-16 code units. */
  readonly start: number
  readonly end: number
}

/** The entities of a text, in order. */
export interface TaggedText {
  readonly entities: readonly TaggedEntity[]
}

/** What a tagger is made of. */
interface Parts {
  readonly model: TokenClassifier
  readonly sizes: WordWindowOptions
  readonly rules: TagRules
  readonly program: Program<{ logits: Tensor }>
}

/** A place in a text, [start, end). */
type Span = readonly [start: number, end: number]

/** Windows that are read at once. */
const batchSize = 16

/** Finds the entities of texts, word by word (Devlin et al. 2018, §5.3). */
export class TextTagger {
  readonly model: TokenClassifier
  readonly #parts: Parts

  private constructor(parts: Parts) {
    this.model = parts.model
    this.#parts = parts
  }

  /**
   * Opens a checkpoint directory or a training run. Texts are cut into windows of the sizes that it was trained with.
   *
   * @throws CheckpointError where it is missing, damaged or has no head for tokens; DataError where its labels are no tags
   * of entities; TokenizerError where it has no tokenizer
   */
  static async load(path: string, options: { device?: Device } = {}): Promise<TextTagger> {
    const { model, directory } = loadModel(path)
    if (!isTokenClassifier(model)) {
      throw new CheckpointError(
        `${path}: tagging needs a model with a head for it, such as BertForTokenClassification, this is a ${model.constructor.name}`,
      )
    }
    const tokenizer = await loadTokenizer(directory)
    checkTokenizer(tokenizer, model, directory)
    const rules = tagRules(model.labels, path)
    const { contextLength } = model.config
    const { maxLength = contextLength, stride } = readDataSettings(directory)
    const sizes = { tokenizer, maxLength: Math.min(maxLength, contextLength), stride }
    const { inputs, logits } = taggerGraph(model)
    const program = await compile({ inputs, outputs: { logits }, parameters: parameterMode(model), ...options })
    return new TextTagger({ model, sizes, rules, program })
  }

  /** The scheme of the model's labels. */
  get scheme(): TagRules['scheme'] {
    return this.#parts.rules.scheme
  }

  /**
   * The entities of each text, of any length. Words are those that the tokenizer splits a text into; Chinese characters
   * are words of their own, and signs are not parts of words.
   */
  async tag(texts: readonly string[]): Promise<TaggedText[]> {
    const encodings = await this.#parts.sizes.tokenizer.encodeBatch(texts, { addSpecialTokens: false })
    const spans = texts.map((text, i) => wordsOf(text, encodings[i]))
    const tags = await this.tagWords(texts.map((text, i) => spans[i].map(([start, end]) => text.slice(start, end))))
    return texts.map((text, i) => ({ entities: this.#entitiesOf(text, spans[i], tags[i]) }))
  }

  /** The tag of each word of sentences that are split into words already: the likeliest that follow the labels' scheme. */
  async tagWords(sentences: readonly (readonly string[])[]): Promise<WordTag[][]> {
    const { sizes, rules, program } = this.#parts
    const windows = await wordWindows(sentences, sizes)
    const found = emptyLogits(sentences.map((words) => words.length))
    const lengths = windows.map(({ ids }) => ids.length)
    for (const rows of sortedBatches(lengths, batchSize)) {
      const batch = rows.map((row) => windows[row])
      const { logits } = await program.run(taggerFeeds(batch))
      collectLogits(float32(logits), batch, found)
    }
    return found.map((logits) => decodeWords(logits, rules.legal))
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#parts.program.dispose()
  }

  #entitiesOf(text: string, spans: readonly Span[], tags: readonly WordTag[]): TaggedEntity[] {
    const entities = extractEntities(
      tags.map(({ tag }) => tag),
      this.scheme,
    )
    return entities.map(({ type, start: first, end: behind }) => {
      const [start, end] = [spans[first][0], spans[behind - 1][1]]
      const scores = tags.slice(first, behind).flatMap(({ score }) => score ?? [])
      const score = scores.reduce((sum, each) => sum + each, 0) / Math.max(1, scores.length)
      return { label: type, score, text: text.slice(start, end), start, end }
    })
  }
}

/** What is a word of its own inside of a tokenizer's word: a Chinese character, letters and numbers, or signs. */
const partOfWord = /\p{Script=Han}|(?:(?!\p{Script=Han}|\s)[\p{L}\p{N}\p{M}\p{C}])+|[^\s\p{L}\p{N}]+/gu

/** Where the words of a text are. */
function wordsOf(text: string, { words, offsets }: Encoding): Span[] {
  const found: [start: number, end: number][] = []
  let last = -1
  words.forEach((word, i) => {
    const [start, end] = offsets[i]
    if (word < 0) return
    if (word === last) found[found.length - 1][1] = end
    else found.push([start, end])
    last = word
  })
  return found.flatMap(([start, end]) =>
    Array.from(text.slice(start, end).matchAll(partOfWord), ({ 0: part, index }): Span => {
      return [start + index, start + index + part.length]
    }),
  )
}

function isTokenClassifier(model: Module): model is Module & TokenClassifier {
  const known = [BertForTokenClassification, RobertaForTokenClassification, DistilBertForTokenClassification]
  return known.some((type) => model instanceof type)
}
