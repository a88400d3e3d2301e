import type { Tensor } from '../graph/index.js'
import { Embedding, LayerNorm } from '../nn/index.js'
import type { EncoderInput } from './encoder.js'
import {
  type Positions,
  Transformer,
  TransformerBody,
  type TransformerConfig,
  TransformerDecoder,
  TransformerEncoder,
} from './transformer.js'

/**
 * BART (Lewis et al. 2020, §2.1): the Transformer with GELU, trained positions, and a norm behind the embeddings.
 *
 * Paths are BartForConditionalGeneration's.
 */
export class Bart extends Transformer {
  constructor(config: TransformerConfig) {
    super(config, new TransformerBody(config, bartParts))
  }
}

/** BART's encoder. */
export class BartEncoder extends TransformerEncoder {
  readonly layernorm_embedding: LayerNorm

  constructor(config: TransformerConfig, tokens: Embedding) {
    super(config, tokens, new LearnedPositions(config))
    this.layernorm_embedding = new LayerNorm(config.width, config)
  }

  protected override embed(input: Pick<EncoderInput, 'ids' | 'positions'>): Tensor {
    return this.layernorm_embedding.forward(super.embed(input))
  }
}

/** BART's decoder. */
export class BartDecoder extends TransformerDecoder {
  readonly layernorm_embedding: LayerNorm

  constructor(config: TransformerConfig, tokens: Embedding) {
    super(config, tokens, new LearnedPositions(config))
    this.layernorm_embedding = new LayerNorm(config.width, config)
  }

  protected override embed(input: Pick<EncoderInput, 'ids' | 'positions'>): Tensor {
    return this.layernorm_embedding.forward(super.embed(input))
  }
}

const bartParts = {
  encoder: (config: TransformerConfig, tokens: Embedding) => new BartEncoder(config, tokens),
  decoder: (config: TransformerConfig, tokens: Embedding) => new BartDecoder(config, tokens),
}

/** Trained positions; the table's first two rows are never used, a habit that the published checkpoints have. */
export class LearnedPositions extends Embedding implements Positions {
  static readonly unused = 2

  constructor({ contextLength, width }: TransformerConfig) {
    super(contextLength + LearnedPositions.unused, width)
  }

  /** positions int64 [N] → [N, C]. */
  override forward(positions: Tensor): Tensor {
    return super.forward(positions.add(LearnedPositions.unused))
  }
}

const bart = {
  vocabularySize: 50265,
  contextLength: 1024,
  activation: 'gelu',
  embeddingScale: 1,
  logitsBias: true,
  padTokenId: 1,
  eosTokenId: 2,
  decoderStartTokenId: 2,
} as const

/** BART base: 6 + 6 layers of width 768, 139M parameters (Lewis et al. 2020, §2.1). */
export const bartBase = (): TransformerConfig => ({
  ...bart,
  encoderLayers: 6,
  decoderLayers: 6,
  heads: 12,
  width: 768,
  dropout: { hidden: 0.1, attention: 0.1, activation: 0.1 },
})

/** BART large: 12 + 12 layers of width 1024, 406M parameters (Lewis et al. 2020, §2.1). */
export const bartLarge = (): TransformerConfig => ({
  ...bart,
  encoderLayers: 12,
  decoderLayers: 12,
  heads: 16,
  width: 1024,
  dropout: { hidden: 0.1, attention: 0, activation: 0 },
})
