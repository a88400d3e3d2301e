import { CheckpointError, DataError, TokenizerError, UsageError } from '../errors.js'
import { input, type Tensor } from '../graph/index.js'
import { checkTokenizer } from '../hub/check-tokenizer.js'
import { loadModel } from '../hub/checkpoint.js'
import {
  BertForMaskedLM,
  BertForPreTraining,
  DistilBertForMaskedLM,
  encoderFeeds,
  encoderInputs,
  RobertaForMaskedLM,
} from '../models/index.js'
import type { Module } from '../nn/index.js'
import { compile, type Device, float32, type Program } from '../runtime/index.js'
import { loadTokenizer } from '../tokenizers/node.js'
import type { SpecialToken } from '../tokenizers/special-tokens.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { wordContinuations } from '../tokenizers/word-continuations.js'
import { type MaskedModel, maskedLogits } from '../training/objectives/masked-lm.js'
import { parameterMode } from './text-batches.js'

/** A token in the place of a mask. */
export interface Fill {
  /** The token's text, as Hugging Face's `token_str`: pieces inside a word have their mark, such as `##s`. */
  readonly token: string
  readonly id: number
  /** The probability that it is this token. */
  readonly score: number
  /** The whole text with the token in this mask's place; other masks stay. */
  readonly text: string
}

/** How masks are filled. */
export interface FillOptions {
  /** How many tokens for each mask (default 5). */
  readonly topK?: number
}

/** Any text's mask, whatever the tokenizer's own is. */
const anyMask = '[MASK]'

/** Texts of a batch. */
const batchSize = 16

/**
 * Guesses hidden words with a BERT, RoBERTa or DistilBERT.
 *
 * ```ts
 * const filler = await MaskFiller.load('runs/bert')
 * const [[[best]]] = await filler.fill(['The whale swam in the [MASK].'])
 * ```
 */
export class MaskFiller {
  readonly model: MaskedModel & Module
  readonly #tokenizer: Tokenizer
  readonly #mask: SpecialToken
  readonly #program: Program<{ logits: Tensor }>
  readonly #goesOn: Uint8Array

  private constructor(
    model: MaskedModel & Module,
    tokenizer: Tokenizer,
    { mask, program }: { mask: SpecialToken; program: Program<{ logits: Tensor }> },
  ) {
    this.model = model
    this.#tokenizer = tokenizer
    this.#mask = mask
    this.#program = program
    this.#goesOn = wordContinuations(tokenizer)
  }

  /**
   * Opens a checkpoint directory or a training run.
   *
   * @throws CheckpointError where it is missing, damaged or guesses no tokens; TokenizerError where it has no tokenizer, or
   * one without a mask token
   */
  static async load(path: string, { device }: { device?: Device } = {}): Promise<MaskFiller> {
    const { model, tokenizer, directory } = await loadMaskedModel(path)
    const { mask } = tokenizer.specialTokens
    if (mask === undefined) throw new TokenizerError(`${directory}: the tokenizer has no mask token such as ${anyMask}`)
    const { inputs, input: tokens } = encoderInputs()
    const rows = input('rows', 'int64', ['masked'])
    const program = await compile({
      inputs: { ...inputs, rows },
      outputs: { logits: maskedLogits(model, tokens, rows) },
      parameters: parameterMode(model),
      device,
    })
    return new MaskFiller(model, tokenizer, { mask, program })
  }

  /**
   * The likeliest tokens for every mask of every text, the likeliest first. Each mask is guessed for itself.
   *
   * @param texts each with `[MASK]` in one or several places; the tokenizer's own mask token, such as `<mask>`, does too
   * @returns of each text, of each mask, its fills
   * @throws UsageError where a text has no mask; DataError where it is longer than what the model reads
   */
  async fill(texts: readonly string[], { topK = 5 }: FillOptions = {}): Promise<Fill[][][]> {
    const masked = texts.map((text) => new MaskedText(text, this.#mask.token))
    const encodings = await this.#tokenizer.encodeBatch(masked.map(({ text }) => text))
    const sequences = encodings.map(({ ids }, i) => this.#sequence(ids, texts[i]))
    const found: Fill[][][] = []
    for (let first = 0; first < texts.length; first += batchSize) {
      const batch = sequences.slice(first, first + batchSize)
      const logits = await this.#logits(batch)
      for (const [i, { places }] of batch.entries()) {
        const text = masked[first + i]
        found.push(places.map((_, place) => this.#fills(text, { place, logits: logits.shift()!, topK })))
      }
    }
    return found
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#program.dispose()
  }

  #sequence(ids: readonly number[], text: string) {
    const { contextLength } = this.model.config
    const places = ids.flatMap((id, place) => (id === this.#mask.id ? [place] : []))
    const start = JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
    if (places.length === 0) {
      const own = this.#mask.token === anyMask ? '' : ` or ${this.#mask.token}`
      throw new UsageError(`fill: there is no ${anyMask}${own} in ${start}; put one where a word is to be guessed`)
    }
    if (ids.length <= contextLength) return { ids, places }
    throw new DataError(`fill: the model reads ${contextLength} tokens, ${start} has ${ids.length}; shorten it`)
  }

  /** One row of V logits for each mask of the sequences. */
  async #logits(sequences: readonly { ids: readonly number[]; places: readonly number[] }[]): Promise<Float32Array[]> {
    const rows: bigint[] = []
    let start = 0
    for (const { ids, places } of sequences) {
      rows.push(...places.map((place) => BigInt(start + place)))
      start += ids.length
    }
    const feed = { data: BigInt64Array.from(rows), shape: [rows.length] }
    const { logits } = await this.#program.run({ ...encoderFeeds(sequences), rows: feed })
    const values = float32(logits)
    const width = this.model.config.vocabularySize
    return rows.map((_, row) => values.slice(row * width, (row + 1) * width))
  }

  #fills(text: MaskedText, { place, logits, topK }: { place: number; logits: Float32Array; topK: number }): Fill[] {
    // A model may have more logits than its tokenizer has tokens: some are padded to round sizes.
    const known = logits.subarray(0, this.#tokenizer.vocabularySize)
    const highest = known.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    const total = known.reduce((sum, logit) => sum + Math.exp(logit - highest), 0)
    const ids = [...known.keys()].sort((a, b) => known[b] - known[a]).slice(0, topK)
    return ids.map((id) => {
      const token = this.#tokenizer.decode([id])
      const score = Math.exp(known[id] - highest) / total
      return { token, id, score, text: text.filled(place, token, this.#goesOn[id] === 1) }
    })
  }
}

/** A text as the parts around its masks. */
class MaskedText {
  readonly #parts: readonly string[]
  readonly #mask: string

  /** @param mask as the tokenizer spells it */
  constructor(text: string, mask: string) {
    this.#parts = text.split(text.includes(mask) ? mask : anyMask)
    this.#mask = mask
  }

  /** The text with the tokenizer's own masks. */
  get text(): string {
    return this.#parts.join(this.#mask)
  }

  /** @param goesOn whether the token belongs to the word before it */
  filled(place: number, token: string, goesOn: boolean): string {
    const before = this.#parts.slice(0, place + 1).join(this.#mask)
    const behind = this.#parts.slice(place + 1).join(this.#mask)
    return goesOn ? `${before.trimEnd()}${token.replace(/^##/, '')}${behind}` : `${before}${token.trim()}${behind}`
  }
}

/**
 * Opens a checkpoint whose model guesses hidden tokens.
 *
 * @throws CheckpointError where it is missing, damaged or of another kind; TokenizerError where it has no tokenizer
 */
export async function loadMaskedModel(path: string) {
  const { model, directory } = loadModel(path)
  const isMasked =
    model instanceof BertForMaskedLM ||
    model instanceof BertForPreTraining ||
    model instanceof RobertaForMaskedLM ||
    model instanceof DistilBertForMaskedLM
  if (!isMasked) {
    throw new CheckpointError(
      `${path}: filling masks needs a masked language model, this is a ${model.constructor.name}`,
    )
  }
  const tokenizer = await loadTokenizer(directory)
  checkTokenizer(tokenizer, model, directory)
  return { model, tokenizer, directory }
}
