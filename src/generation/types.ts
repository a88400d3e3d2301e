import type { Tokenizer } from '../tokenizers/tokenizer.js'
import type { Strategy } from './strategies.js'

/** What generation needs of a model: next-token logits for a batch of rows whose caches it keeps. */
export interface Decoder {
  /** Number of logits of a position. */
  readonly vocabularySize: number

  /** Number of positions a row can look back on; stepping further is the decoder's to solve, e.g. by forgetting. */
  readonly contextLength: number

  /**
   * Forgets all rows and feeds ragged prompts, one per row.
   *
   * @param prompts token ids, [rows][length of the row], no row empty or longer than the context
   * @returns the logits of each row's last position, [rows][vocabularySize]; the caller only reads them, and only until
   *   the next call
   */
  start(prompts: readonly (readonly number[])[]): Promise<Float32Array[]>

  /**
   * Feeds one token to every row.
   *
   * @param tokens token ids, [rows]
   * @returns the logits after those tokens, [rows][vocabularySize], as for {@link Decoder.start}
   */
  step(tokens: readonly number[]): Promise<Float32Array[]>

  /**
   * {@link Decoder.start}, but of each row only its most likely next tokens leave the engine. A decoder that has this has
   * {@link Decoder.stepCandidates} too.
   *
   * @param count how many tokens of each row are wanted, from 1 to vocabularySize
   */
  startCandidates?(prompts: readonly (readonly number[])[], count: number): Promise<TokenCandidates>

  /** {@link Decoder.step}, as {@link Decoder.startCandidates}. */
  stepCandidates?(tokens: readonly number[], count: number): Promise<TokenCandidates>

  /**
   * Makes row i continue what row `source[i]` has so far (beam search); also shrinks or grows the batch.
   *
   * @param source a row of the present batch for each row of the next one
   */
  reorder(source: readonly number[]): void

  /** Frees the caches. */
  dispose?(): Promise<void>
}

/** The most likely next tokens of each row. */
export interface TokenCandidates {
  /** How many there are of each row. */
  readonly count: number
  /** Token ids by falling logits, of equal ones the smallest first, [rows, count]. */
  readonly ids: Int32Array
  /** Their log softmax(logits), [rows, count]. */
  readonly logProbabilities: Float32Array
}

/** How to continue a prompt and when to stop. */
export interface GenerationOptions {
  /** How the next token is chosen; greedy() where none is given. */
  readonly strategy?: Strategy

  /**
   * Most tokens to generate for a prompt, beyond the context too, whose earlier half is then forgotten; up to the end of
   * the context where none is given.
   */
  readonly maxNewTokens?: number

  /** Seed of the samples: the same seed gives the same text, whatever else is in the batch; 0 where none is given. */
  readonly seed?: number

  /** Texts at which a row stops; they are cut from the text. Needs a tokenizer. */
  readonly stop?: readonly string[]

  /** Tokens at which a row stops; the tokenizer's end-of-sequence token where none are given, [] for no such token. */
  readonly eosTokenIds?: readonly number[]

  /** Divides the positive and multiplies the negative logits of tokens that the prompt or the text already has. */
  readonly repetitionPenalty?: number

  /** Never generates an n-gram of this many tokens twice. */
  readonly noRepeatNgramSize?: number

  /** Sequences of token ids that are never generated. */
  readonly badWords?: readonly (readonly number[])[]

  /** No end-of-sequence token comes before prompt and text together have this many tokens. */
  readonly minLength?: number

  /** No end-of-sequence token comes before the text has this many tokens. */
  readonly minNewTokens?: number

  /** The token behind a prompt of one token, the decoder's start: a language's token, say. */
  readonly forcedBosTokenId?: number

  /** The last token of a text that comes to its limit. */
  readonly forcedEosTokenId?: number

  /** Added to the logits of some tokens: [token id, bias]. */
  readonly logitBias?: Iterable<readonly [number, number]>

  /** Turns ids into text. Without it events and results carry ids only. */
  readonly tokenizer?: Pick<Tokenizer, 'decode' | 'eosTokenId'>

  /** Ends the generation between two tokens by throwing the signal's reason. */
  readonly signal?: AbortSignal
}

/** Why a sequence ended: 'stop' for an end-of-sequence token or a stop string, 'length' for a limit or a full context. */
export type FinishReason = 'stop' | 'length'

/** A finished sequence. */
export interface GenerationResult {
  /** Everything generated, the end-of-sequence token and the tokens that spell a stop string included. */
  readonly ids: readonly number[]

  /** The text of the ids without special tokens, cut before the stop string; absent without a tokenizer. */
  readonly text?: string

  readonly finishReason: FinishReason

  /** Beam search only: sum of log probabilities, less diversity penalties, divided as the length penalty says. */
  readonly score?: number
}

/** A row got a token. The texts of a row's token events together are the text of its result. */
export interface TokenEvent {
  readonly type: 'token'
  /** Index of the prompt. */
  readonly row: number
  readonly id: number
  /** The characters that became final with this token, possibly none; '' without a tokenizer. */
  readonly text: string
}

/** A row ended. */
export interface FinishEvent {
  readonly type: 'finish'
  /** Index of the prompt. */
  readonly row: number
  readonly result: GenerationResult
}

/** What happens while rows are generated. */
export type GenerationEvent = TokenEvent | FinishEvent
