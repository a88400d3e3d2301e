import type { SequenceTemplate } from './sequence-template.js'
import type { SpecialTokenNames, SpecialTokens } from './special-tokens.js'

/** A text as tokens. All lists have one entry per token. */
export interface Encoding {
  readonly ids: number[]

  /** The vocabulary's spelling of each token. */
  readonly tokens: string[]

  /**
   * Where each token comes from in the text, [start, end) in UTF-16 code units, so that `text.slice(start, end)` is its
   * source; [0, 0] for tokens that were added. Tokens that share a character (byte-level pieces of one emoji) overlap.
   */
  readonly offsets: [start: number, end: number][]

  /**
   * Which word of the text each token is a part of, counted from 0 as the tokenizer splits texts into words before it
   * makes tokens of them (Hugging Face's `word_ids()`); -1 for tokens that were added.
   */
  readonly words: number[]
}

/** What is said of a tokenizer beside its `tokenizer.json`. */
export interface TokenizerOptions {
  /** What to call it in errors. */
  readonly where?: string

  /** How its special tokens are spelled, by the part they play; where absent they have one of the usual names. */
  readonly specialTokens?: SpecialTokenNames
}

/** How to encode. */
export interface EncodeOptions {
  /** Whether to add what the model expects around a text, like BERT's [CLS] and [SEP]; true where absent. */
  readonly addSpecialTokens?: boolean

  /** What to do with text the vocabulary lacks: its unknown token (where absent) or a TokenizerError. */
  readonly onUnknown?: 'token' | 'error'
}

/** How to decode. */
export interface DecodeOptions {
  /** Whether to leave out special tokens; false where absent. */
  readonly skipSpecialTokens?: boolean
}

/**
 * Text to token ids and back, as a Hugging Face `tokenizer.json` defines it.
 *
 * Encoding is asynchronous because native implementations are; decoding is not, because text streams decode every step.
 */
export interface Tokenizer {
  /** Number of tokens, added ones included. */
  readonly vocabularySize: number

  /** The token that ends a text, where the tokenizer has one. */
  readonly eosTokenId?: number

  /** The tokens that play a part of their own, as far as the tokenizer has them. */
  readonly specialTokens: SpecialTokens

  /** What the model expects around a text or a pair of texts. */
  readonly template: SequenceTemplate

  /** Turns a text into tokens. @throws TokenizerError for unknown text where the options ask for it */
  encode(text: string, options?: EncodeOptions): Promise<Encoding>

  /** Turns texts into tokens, as {@link Tokenizer.encode} one by one but possibly in parallel. */
  encodeBatch(texts: readonly string[], options?: EncodeOptions): Promise<Encoding[]>

  /**
   * Only the ids of a text, for whole files.
   *
   * @throws TokenizerError for unknown text where the options ask for it
   */
  encodeToArray(text: string, options?: EncodeOptions): Promise<Uint32Array>

  /** Turns ids into text; ids without a token are left out. */
  decode(ids: readonly number[] | Uint32Array, options?: DecodeOptions): string

  /** The id of a token as the vocabulary spells it, or undefined. */
  tokenToId(token: string): number | undefined

  /** The vocabulary's spelling of an id, or undefined. */
  idToToken(id: number): string | undefined

  /** The text of the `tokenizer.json` that defines this tokenizer. */
  toJSON(): string
}
