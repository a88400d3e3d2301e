import { type Input, input, type Tensor } from '../graph/index.js'
import {
  type LayerCache,
  type Mask,
  type Module,
  RaggedLayout,
  type Segments,
  type SequenceLayout,
} from '../nn/index.js'
import type { Feed } from '../runtime/index.js'
import { type EncoderConfig, type EncoderInput, encoderFeeds, encoderInputs, type TokenSequence } from './encoder.js'

/** What every encoder–decoder's sizes include. */
export interface SequenceToSequenceConfig extends EncoderConfig {
  /** How many tokens the decoder chooses from. */
  readonly vocabularySize: number
  /** How many tokens the encoder knows, where the two sides have vocabularies of their own. */
  readonly sourceVocabularySize?: number
  /** The id that stands for no token. */
  readonly padTokenId?: number
  /** The id that the decoder reads before its first token. */
  readonly decoderStartTokenId: number
}

/** Sizes of a decoder's keys and values, for its caches. */
export interface DecoderSizes {
  readonly layers: number
  readonly heads: number
  readonly headWidth: number
}

/** The tokens of B targets, M rows in the order of a layout. */
export interface DecoderInput {
  /** int64 [M]. */
  readonly ids: Tensor
  /** Each token's number in its target, from 0, int64 [M]. */
  readonly positions: Tensor
  readonly layout: SequenceLayout
  /** What came before, where targets are continued whose keys and values are known. */
  readonly past?: DecoderPast
}

/** What a decoder knows of the tokens before those that it reads. */
export interface DecoderPast {
  /** One cache per layer. */
  readonly caches: readonly LayerCache[]
  /** Which keys each new token may attend to, cached and new ones, broadcastable to [B, H, T, P + T]. */
  readonly mask: Mask
  /** Position of each new token, the same in all rows, int64 [T]. */
  readonly queries: Tensor
  /** Position of each key, cached and new ones, the same in all rows, int64 [P + T]. */
  readonly keys: Tensor
}

/** The encoder's output as the decoder attends to it. */
export interface Memory {
  /** Keys and values [B, H, S, D] of each decoder layer. */
  readonly layers: readonly Segments[]
  /** Which places hold a token of the source, bool [B, S]. */
  readonly keep: Tensor
}

/**
 * An encoder–decoder (Sutskever et al. 2014; Vaswani et al. 2017, §3): P(target | source) token by token.
 *
 * N tokens of all sources, M of all targets, C width, V vocabulary.
 */
export interface SequenceToSequenceModel extends Module {
  readonly config: SequenceToSequenceConfig
  readonly decoderSizes: DecoderSizes
  /** The encoder's output of each source token [N, C]. */
  encode(source: EncoderInput): Tensor
  /** Cross-attention's keys and values of every decoder layer, which stay the same for all tokens of a target. */
  remember(states: Tensor, layout: SequenceLayout): Memory
  /** The decoder's output of each target token [M, C]. */
  decode(target: DecoderInput, memory: Memory): Tensor
  /** Next-token logits: decoder outputs [M, C] → [M, V]. */
  logits(hidden: Tensor): Tensor
  /** Next-token logits of each target token, given those before it: [M, V]. */
  forward(source: EncoderInput, target: DecoderInput): Tensor
}

/** A source with its target as the decoder reads it: its own tokens shifted right, behind the start token. */
export interface SequencePair {
  readonly source: TokenSequence
  readonly target: TokenSequence
}

/** The inputs that describe a ragged batch of sources and targets: see {@link pairFeeds}. */
export type PairInputs = Readonly<Record<'tokens' | 'grid' | 'targetTokens' | 'targetGrid', Input>>

/** Declares the inputs of an encoder–decoder for ragged sources and targets. One program serves batches of all sizes. */
export function pairInputs(): { inputs: PairInputs; source: EncoderInput; target: DecoderInput } {
  const { inputs, input: source } = encoderInputs()
  const targetTokens = input('targetTokens', 'int64', [4, 'targetTokens'])
  const targetGrid = input('targetGrid', 'int64', ['batch', 'target'])
  const [ids, positions, , places] = targetTokens.split(0, [1, 1, 1, 1]).map((row) => row.reshape([-1])) // 4 × [M]
  const target = { ids, positions, layout: new RaggedLayout(targetGrid, places) }
  return { inputs: { ...inputs, targetTokens, targetGrid }, source, target }
}

/**
 * The arrays of a batch for the inputs of {@link pairInputs}, two for each side as {@link encoderFeeds} makes them.
 *
 * @throws DataError where there is no pair, or a source or target is empty
 */
export function pairFeeds(pairs: readonly SequencePair[]): Record<keyof PairInputs, Feed> {
  const targets = encoderFeeds(pairs.map(({ target }) => target))
  return {
    ...encoderFeeds(pairs.map(({ source }) => source)),
    targetTokens: targets.tokens,
    targetGrid: targets.grid,
  }
}
