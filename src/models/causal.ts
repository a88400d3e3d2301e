import type { Tensor } from '../graph/index.js'
import type { LayerCache, Mask, Module } from '../nn/index.js'
import type { DecoderSizes } from './sequence-to-sequence.js'

/** How a {@link CausalLanguageModel} reads its input where it is not one plain sequence per row. */
export interface CausalInput {
  /** Position of each token, int64 [T] or [B, T] (default 0 … T − 1). */
  readonly positions?: Tensor
  /** Which positions attend to which (default causal). */
  readonly mask?: Mask
  /** One cache per layer, to continue sequences whose keys and values are known. */
  readonly caches?: readonly LayerCache[]
  /** Position of each key, cached and new ones, int64 [S] or [B, S] (default the tokens' own). */
  readonly keys?: Tensor
}

/**
 * A language model that reads from left to right, P(text) = ∏ P(uᵢ | u₁ … uᵢ₋₁).
 *
 * B batch, T sequence, C width, V vocabulary.
 */
export interface CausalLanguageModel extends Module {
  readonly config: {
    readonly vocabularySize: number
    /** Most positions that the model can see. */
    readonly contextLength: number
    readonly width: number
  }
  /** Sizes of the keys and values that each layer keeps. */
  readonly decoderSizes: DecoderSizes
  /** What the body makes of each token: ids int64 [B, T] → [B, T, C]. */
  decode(ids: Tensor, input?: CausalInput): Tensor
  /** Next-token logits of the body's outputs: [..., C] → [..., V]. */
  logits(hidden: Tensor): Tensor
  /** Next-token logits: ids int64 [B, T] → [B, T, V]. */
  forward(ids: Tensor, input?: CausalInput): Tensor
}

/** Whether a model is one that reads from left to right and has a language model's head. */
export function isCausalLanguageModel(model: Module): model is CausalLanguageModel {
  return 'decoderSizes' in model && 'decode' in model && 'logits' in model && !('encode' in model)
}
