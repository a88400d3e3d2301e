import type { Parameter, Tensor } from '../graph/index.js'
import { gemm, range } from '../graph/operations/index.js'
import {
  type Activation,
  type Dropout,
  Embedding,
  Linear,
  Mask,
  Module,
  RelativePositionBias,
  type RelativePositionOptions,
  type RMSNorm,
  type SequenceLayout,
} from '../nn/index.js'
import type { EncoderInput } from './encoder.js'
import type {
  DecoderInput,
  DecoderSizes,
  Memory,
  SequenceToSequenceConfig,
  SequenceToSequenceModel,
} from './sequence-to-sequence.js'
import { T5LayerCrossAttention, T5LayerFF, T5LayerSelfAttention, t5Dropout, t5HeadWidth, t5Norm } from './t5-layers.js'
import type { DecoderContext } from './transformer.js'

/** Sizes and options of a T5. */
export interface T5Config extends SequenceToSequenceConfig {
  readonly encoderLayers: number
  readonly decoderLayers: number
  readonly heads: number
  /** D, the width of a head, which need not be width/heads (default 64). */
  readonly headWidth?: number
  /** Width of the feed-forward layer (default 4 × width). */
  readonly innerWidth?: number
  /** Default `relu`. */
  readonly activation?: Activation
  /** Whether the activation is multiplied by a second projection (Shazeer 2020), as from version 1.1 on (default false). */
  readonly gated?: boolean
  /** Whether the output head shares the token embedding's weights (default true; false from version 1.1 on). */
  readonly tiedHead?: boolean
  /** How distances are told apart (default 32 groups up to a distance of 128). */
  readonly relativePositions?: Omit<RelativePositionOptions, 'bidirectional'>
  /** Probability of dropping an element, in training (default 0). */
  readonly dropout?: number
  /** ε of the norms (default 1e-6). */
  readonly epsilon?: number
  /** The id behind the last token of a text (default 1). */
  readonly eosTokenId?: number
}

/**
 * T5, the Text-to-Text Transfer Transformer (Raffel et al. 2020, §2.1): the Transformer with its norms in front of each
 * sub-layer and without means, no biases, and positions as a learned number per head and distance in attention.
 *
 * B pairs of source and target, N tokens of all sources, M of all targets, S and T places of the longest source and target,
 * C width (d_model), H heads, D head width (d_kv), V vocabulary. Everything but attention sees tokens as rows, so that
 * padding costs nothing. Parameter paths are T5ForConditionalGeneration's.
 */
export class T5 extends Module implements SequenceToSequenceModel {
  readonly config: T5Config
  readonly shared: Embedding
  readonly encoder: T5Encoder
  readonly decoder: T5Decoder
  readonly lm_head: Linear | T5TiedHead

  constructor(config: T5Config) {
    super()
    const { vocabularySize, width, tiedHead = true } = config
    this.config = config
    this.shared = new Embedding(vocabularySize, width, 1)
    this.encoder = new T5Encoder(config)
    this.decoder = new T5Decoder(config)
    this.lm_head = tiedHead
      ? new T5TiedHead(this.shared.weight)
      : new Linear(width, vocabularySize, { bias: false, deviation: 1 })
    this.nameParts()
  }

  get decoderSizes(): DecoderSizes {
    return { layers: this.config.decoderLayers, heads: this.config.heads, headWidth: t5HeadWidth(this.config) }
  }

  /** Next-token logits of each target token, given those before it and the source → [M, V]. */
  forward(source: EncoderInput, target: DecoderInput): Tensor {
    const memory = this.remember(this.encode(source), source.layout)
    return this.logits(this.decode(target, memory))
  }

  encode(source: EncoderInput): Tensor {
    return this.encoder.forward(this.shared.forward(source.ids), source.layout)
  }

  remember(states: Tensor, layout: SequenceLayout): Memory {
    return this.decoder.remember(states, layout)
  }

  decode(target: DecoderInput, memory: Memory): Tensor {
    return this.decoder.forward(this.shared.forward(target.ids), target, memory)
  }

  logits(hidden: Tensor): Tensor {
    return this.lm_head.forward(hidden).named('logits')
  }
}

/** x·Eᵀ/√C with the token embeddings E [V, C], whose elements have variance 1. x [M, C] → [M, V]. */
export class T5TiedHead extends Module {
  readonly #words: Parameter

  constructor(words: Parameter) {
    super()
    this.#words = words
  }

  forward(x: Tensor): Tensor {
    const [, width] = this.#words.shape
    return gemm(x, this.#words, undefined, { transposeB: true, scale: 1 / Math.sqrt(width) })
  }
}

/** What encoder and decoder have in common: the biases by distance, which all layers share, the last norm, and dropout. */
abstract class T5Stack extends Module {
  readonly final_layer_norm: RMSNorm
  readonly dropout: Dropout
  /** Stands in the first layer, where the checkpoints have it. */
  readonly #distances: RelativePositionBias

  constructor(config: T5Config, distances: RelativePositionBias) {
    super()
    this.final_layer_norm = t5Norm(config)
    this.dropout = t5Dropout(config)
    this.#distances = distances
  }

  /**
   * Adds the biases by distance to a mask.
   *
   * @param queries positions int64 [T]
   * @param keys positions int64 [S] (default the queries')
   */
  protected withDistances(mask: Mask, queries: Tensor, keys?: Tensor): Mask {
    return mask.and(new Mask(this.#distances.forward(queries, keys)))
  }

  /** The norm behind the last layer. x [N, C] → [N, C]. */
  protected finish(x: Tensor): Tensor {
    return this.dropout.forward(this.final_layer_norm.forward(x))
  }
}

/** The encoder: layers in which every token attends to all tokens of its source. */
export class T5Encoder extends T5Stack {
  readonly block: readonly T5EncoderBlock[]

  constructor(config: T5Config) {
    const distances = t5Distances(config, true)
    super(config, distances)
    this.block = Array.from(
      { length: config.encoderLayers },
      (_, i) => new T5EncoderBlock(config, i === 0 ? distances : undefined),
    )
  }

  /** Token embeddings x [N, C] → [N, C]. */
  forward(x: Tensor, layout: SequenceLayout): Tensor {
    const mask = this.withDistances(Mask.padding(layout.keep), range({ limit: layout.length }))
    let hidden = this.dropout.forward(x)
    for (const block of this.block) hidden = block.forward(hidden, layout, mask)
    return this.finish(hidden)
  }
}

/** The decoder: layers in which a token attends to those before it and to the encoder's output. */
export class T5Decoder extends T5Stack {
  readonly block: readonly T5DecoderBlock[]

  constructor(config: T5Config) {
    const distances = t5Distances(config, false)
    super(config, distances)
    this.block = Array.from(
      { length: config.decoderLayers },
      (_, i) => new T5DecoderBlock(config, i === 0 ? distances : undefined),
    )
  }

  /** What every layer attends to of the encoder's output: states [N, C]. */
  remember(states: Tensor, layout: SequenceLayout): Memory {
    return {
      layers: this.block.map(({ layer: [, { EncDecAttention }] }) => EncDecAttention.remember(states, layout)),
      keep: layout.keep,
    }
  }

  /** Token embeddings x [M, C] → [M, C]. */
  forward(x: Tensor, { layout, past }: DecoderInput, memory: Memory): Tensor {
    const mask = past
      ? this.withDistances(past.mask, past.queries, past.keys)
      : this.withDistances(Mask.causal(layout.length), range({ limit: layout.length }))
    const memoryMask = Mask.padding(memory.keep)
    let hidden = this.dropout.forward(x)
    for (const [i, block] of this.block.entries()) {
      const cache = past?.caches[i]
      hidden = block.forward(hidden, { layout, mask, cache, memory: memory.layers[i], memoryMask })
    }
    return this.finish(hidden)
  }
}

/** A layer of the encoder. */
export class T5EncoderBlock extends Module {
  readonly layer: readonly [T5LayerSelfAttention, T5LayerFF]

  /** @param distances the biases by distance, where they stand in this layer */
  constructor(config: T5Config, distances?: RelativePositionBias) {
    super()
    this.layer = [new T5LayerSelfAttention(config, distances), new T5LayerFF(config)]
  }

  /** x [N, C] → [N, C]. */
  forward(x: Tensor, layout: SequenceLayout, mask: Mask): Tensor {
    const [selfAttention, feedForward] = this.layer
    return feedForward.forward(selfAttention.forward(x, layout, mask)).named('output')
  }
}

/** A layer of the decoder. */
export class T5DecoderBlock extends Module {
  readonly layer: readonly [T5LayerSelfAttention, T5LayerCrossAttention, T5LayerFF]

  /** @param distances the biases by distance, where they stand in this layer */
  constructor(config: T5Config, distances?: RelativePositionBias) {
    super()
    this.layer = [new T5LayerSelfAttention(config, distances), new T5LayerCrossAttention(config), new T5LayerFF(config)]
  }

  /** x [M, C] → [M, C]. */
  forward(x: Tensor, { layout, mask, cache, memory, memoryMask }: DecoderContext): Tensor {
    const [selfAttention, crossAttention, feedForward] = this.layer
    const attended = selfAttention.forward(x, layout, mask, cache)
    const informed = crossAttention.forward(attended, layout, memory, memoryMask)
    return feedForward.forward(informed).named('output')
  }
}

function t5Distances({ heads, width, relativePositions }: T5Config, bidirectional: boolean): RelativePositionBias {
  const options = { buckets: 32, maxDistance: 128, ...relativePositions, bidirectional }
  return new RelativePositionBias(heads, options, 1 / Math.sqrt(width))
}

const t5 = {
  vocabularySize: 32128,
  contextLength: 512,
  padTokenId: 0,
  eosTokenId: 1,
  decoderStartTokenId: 0,
  dropout: 0.1,
}

/** T5 small: 60.5M parameters (Raffel et al. 2020, §3.7). */
export const t5Small = (): T5Config => ({ ...t5, encoderLayers: 6, decoderLayers: 6, heads: 8, width: 512 })

/** T5 base: 223M parameters (Raffel et al. 2020, §3.1.1). */
export const t5Base = (): T5Config => ({ ...t5, encoderLayers: 12, decoderLayers: 12, heads: 12, width: 768 })

/** T5 large: 738M parameters (Raffel et al. 2020, §3.7). */
export const t5Large = (): T5Config => ({ ...t5, encoderLayers: 24, decoderLayers: 24, heads: 16, width: 1024 })

/** T5 1.1 small, gated and with a head of its own: 77.0M parameters (Raffel et al. 2020, published checkpoints). */
export const t5V11Small = (): T5Config => ({
  ...t5,
  encoderLayers: 8,
  decoderLayers: 8,
  heads: 6,
  width: 512,
  innerWidth: 1024,
  activation: 'gelu_new',
  gated: true,
  tiedHead: false,
})

/** Flan-T5 small, which has T5 1.1's sizes (Chung et al. 2022). */
export const flanT5Small = t5V11Small
