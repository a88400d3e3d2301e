import { filled, Parameter, type Tensor } from '../graph/index.js'
import { gather } from '../graph/operations/index.js'
import {
  type Activation,
  activations,
  checkHeads,
  Dropout,
  Embedding,
  LayerNorm,
  Linear,
  Mask,
  Module,
  MultiHeadAttention,
  type Segments,
  type SequenceLayout,
  sinusoidalPositions,
  xavier,
} from '../nn/index.js'
import type { EncoderInput } from './encoder.js'
import type {
  DecoderInput,
  DecoderSizes,
  Memory,
  SequenceToSequenceConfig,
  SequenceToSequenceModel,
} from './sequence-to-sequence.js'

/** Sizes and options of a Transformer. */
export interface TransformerConfig extends SequenceToSequenceConfig {
  readonly encoderLayers: number
  readonly decoderLayers: number
  readonly heads: number
  /** The id behind the last token of a source or target. */
  readonly eosTokenId?: number
  /** Width of the feed-forward layers (default 4 × width). */
  readonly innerWidth?: number
  /** Probability of dropping an element, in training: one for all places, or one each. */
  readonly dropout?: number | { readonly hidden: number; readonly attention: number; readonly activation: number }
  /** Default `relu`. */
  readonly activation?: Activation
  /** ε of the layer norms (default 1e-5). */
  readonly epsilon?: number
  /** Where the norms are: behind each residual connection (`post`, default), or before each sub-layer (`pre`). */
  readonly norm?: keyof typeof residuals
  /** What embeddings are multiplied by (default √width, §3.4). */
  readonly embeddingScale?: number
  /** Whether the head shares the decoder's embeddings (default true, §3.4). */
  readonly tiedHead?: boolean
  /** Whether a trained number is added to each logit (default false). */
  readonly logitsBias?: boolean
}

/**
 * The Transformer (Vaswani et al. 2017, "Attention Is All You Need"): an encoder, a decoder that attends to its output,
 * and a linear layer that shares the embeddings' weights.
 *
 * B pairs of source and target, N tokens of all sources, M of all targets, S and T places of the longest source and target,
 * C width (d_model), H heads, D head width (C/H), V vocabulary. Everything but attention sees tokens as rows, so that
 * padding costs nothing. Parameter paths are MarianMTModel's.
 */
export class Transformer extends Module implements SequenceToSequenceModel {
  readonly config: TransformerConfig
  readonly model: TransformerBody
  readonly lm_head: Linear
  readonly final_logits_bias: Parameter | undefined

  /** @param body another body than the paper's, for its relatives */
  constructor(config: TransformerConfig, body = new TransformerBody(config)) {
    super()
    const { vocabularySize, width, tiedHead = true, logitsBias = false } = config
    this.config = config
    this.model = body
    const tied = tiedHead ? body.decoder.embed_tokens.weight : undefined
    this.lm_head = new Linear(width, vocabularySize, { bias: false, deviation: embeddingDeviation(config) }, tied)
    this.final_logits_bias = logitsBias ? new Parameter([1, vocabularySize], filled(0)) : undefined
    this.nameParts()
  }

  get decoderSizes(): DecoderSizes {
    const { decoderLayers, heads, width } = this.config
    return { layers: decoderLayers, heads, headWidth: width / heads }
  }

  /** Next-token logits of each target token, given those before it and the source → [M, V]. */
  forward(source: EncoderInput, target: DecoderInput): Tensor {
    const memory = this.remember(this.encode(source), source.layout)
    return this.logits(this.decode(target, memory))
  }

  encode(source: EncoderInput): Tensor {
    return this.model.encoder.forward(source)
  }

  remember(states: Tensor, layout: SequenceLayout): Memory {
    return this.model.decoder.remember(states, layout)
  }

  decode(target: DecoderInput, memory: Memory): Tensor {
    return this.model.decoder.forward(target, memory)
  }

  /** Decoder outputs [M, C] → logits [M, V]. The softmax over them is the loss's or the generation's (§3.4). */
  logits(hidden: Tensor): Tensor {
    const logits = this.lm_head.forward(hidden)
    return (this.final_logits_bias ? logits.add(this.final_logits_bias) : logits).named('logits')
  }
}

/** Encoder and decoder; where the vocabulary is one, so are their embeddings (§3.4). */
export class TransformerBody extends Module {
  readonly shared: Embedding | undefined
  readonly encoder: TransformerEncoder
  readonly decoder: TransformerDecoder

  constructor(config: TransformerConfig, parts: TransformerParts = transformerParts) {
    super()
    checkHeads(config.width, config.heads)
    const { vocabularySize, sourceVocabularySize, width } = config
    const embedding = (count: number) => new Embedding(count, width, embeddingDeviation(config))
    this.shared = sourceVocabularySize === undefined ? embedding(vocabularySize) : undefined
    this.encoder = parts.encoder(config, this.shared ?? embedding(sourceVocabularySize!))
    this.decoder = parts.decoder(config, this.shared ?? embedding(vocabularySize))
  }

  forward(source: EncoderInput, target: DecoderInput): Tensor {
    return this.decoder.forward(target, this.decoder.remember(this.encoder.forward(source), source.layout))
  }
}

/** What a body is made of. */
export interface TransformerParts {
  encoder(config: TransformerConfig, tokens: Embedding): TransformerEncoder
  decoder(config: TransformerConfig, tokens: Embedding): TransformerDecoder
}

const transformerParts: TransformerParts = {
  encoder: (config, tokens) => new TransformerEncoder(config, tokens),
  decoder: (config, tokens) => new TransformerDecoder(config, tokens),
}

/** What encoder and decoder have in common: their embeddings (§3.4, §3.5). */
abstract class TransformerStack extends Module {
  readonly embed_tokens: Embedding
  readonly embed_positions: Positions
  readonly dropout: Dropout
  /** Pre-norm alone needs a norm behind the last layer. */
  readonly layer_norm: LayerNorm | undefined
  readonly #scale: number

  constructor(config: TransformerConfig, tokens: Embedding, positions: Positions = new SinusoidalPositions(config)) {
    super()
    const { width, embeddingScale = Math.sqrt(width), norm } = config
    this.embed_tokens = tokens
    this.embed_positions = positions
    this.dropout = new Dropout(transformerDropout(config).hidden)
    this.layer_norm = norm === 'pre' ? transformerNorm(config) : undefined
    this.#scale = embeddingScale
  }

  /** The sum of scaled token embeddings and positions: ids and positions int64 [N] → [N, C]. */
  protected embed({ ids, positions }: Pick<EncoderInput, 'ids' | 'positions'>): Tensor {
    return this.embed_tokens.forward(ids).mul(this.#scale).add(this.embed_positions.forward(positions))
  }
}

/** The encoder: identical layers of self-attention and feed-forward networks (§3.1). */
export class TransformerEncoder extends TransformerStack {
  readonly layers: readonly EncoderLayer[]

  constructor(config: TransformerConfig, tokens: Embedding, positions?: Positions) {
    super(config, tokens, positions)
    this.layers = Array.from({ length: config.encoderLayers }, () => new EncoderLayer(config))
  }

  /**
   * @param mask which tokens attend to which (default all of a source to all of it)
   * @returns [N, C]
   */
  forward(source: EncoderInput, mask: Mask = Mask.padding(source.layout.keep)): Tensor {
    let x = this.dropout.forward(this.embed(source)) // [N, C]
    for (const layer of this.layers) x = layer.forward(x, source.layout, mask)
    return this.layer_norm?.forward(x) ?? x // [N, C]
  }
}

/** The decoder: layers that attend to the tokens so far, then to the encoder's output (§3.1). */
export class TransformerDecoder extends TransformerStack {
  readonly layers: readonly DecoderLayer[]

  constructor(config: TransformerConfig, tokens: Embedding, positions?: Positions) {
    super(config, tokens, positions)
    this.layers = Array.from({ length: config.decoderLayers }, () => new DecoderLayer(config))
  }

  /** What every layer attends to of the encoder's output: states [N, C]. */
  remember(states: Tensor, layout: SequenceLayout): Memory {
    return { layers: this.layers.map(({ encoder_attn }) => encoder_attn.remember(states, layout)), keep: layout.keep }
  }

  /** → [M, C]. */
  forward(target: DecoderInput, memory: Memory): Tensor {
    const { layout, past } = target
    const context = {
      layout,
      mask: past?.mask ?? Mask.causal(layout.length),
      memoryMask: Mask.padding(memory.keep),
    }
    let x = this.dropout.forward(this.embed(target)) // [M, C]
    for (const [i, layer] of this.layers.entries()) {
      x = layer.forward(x, { ...context, memory: memory.layers[i], cache: past?.caches[i] })
    }
    return this.layer_norm?.forward(x) ?? x // [M, C]
  }
}

/** How a sub-layer, its residual connection and its norm go together. x [N, C] → [N, C]. */
type Residual = (x: Tensor, norm: LayerNorm, sublayer: (x: Tensor) => Tensor) => Tensor

/** `post`: LayerNorm(x + Sublayer(x)) (§3.1). `pre`: x + Sublayer(LayerNorm(x)) (Xiong et al. 2020, §3). */
const residuals = {
  post: (x, norm, sublayer) => norm.forward(x.add(sublayer(x))),
  pre: (x, norm, sublayer) => x.add(sublayer(norm.forward(x))),
} satisfies Record<string, Residual>

/** What every layer has: self-attention and a feed-forward network, each with its residual connection (§3.1, §3.3, §5.4). */
abstract class TransformerLayer extends Module {
  readonly self_attn: MultiHeadAttention
  readonly self_attn_layer_norm: LayerNorm
  readonly fc1: Linear
  readonly fc2: Linear
  readonly final_layer_norm: LayerNorm
  readonly dropout: Dropout
  readonly activation_dropout: Dropout
  protected readonly residual: Residual
  readonly #activation: Activation

  constructor(config: TransformerConfig) {
    super()
    const { width, innerWidth = 4 * width, activation = 'relu', norm = 'post' } = config
    const dropout = transformerDropout(config)
    this.self_attn = transformerAttention(config)
    this.self_attn_layer_norm = transformerNorm(config)
    this.fc1 = new Linear(width, innerWidth, { deviation: xavier(width, innerWidth) })
    this.fc2 = new Linear(innerWidth, width, { deviation: xavier(innerWidth, width) })
    this.final_layer_norm = transformerNorm(config)
    this.dropout = new Dropout(dropout.hidden)
    this.activation_dropout = new Dropout(dropout.activation)
    this.residual = residuals[norm]
    this.#activation = activation
  }

  /** FFN(x) = max(0, x·W₁ + b₁)·W₂ + b₂ (§3.3). x [N, C] → [N, C]. */
  protected feedForward(x: Tensor): Tensor {
    const inner = activations[this.#activation](this.fc1.forward(x)).named('activation') // [N, inner]
    return this.dropout.forward(this.fc2.forward(this.activation_dropout.forward(inner)))
  }
}

/** A layer of the encoder (§3.1). */
export class EncoderLayer extends TransformerLayer {
  /** x [N, C] → [N, C]. */
  forward(x: Tensor, layout: SequenceLayout, mask: Mask): Tensor {
    const attended = this.residual(x, this.self_attn_layer_norm, (y) =>
      this.dropout.forward(this.self_attn.toItself(y, layout, mask)),
    )
    return this.residual(attended, this.final_layer_norm, (y) => this.feedForward(y)).named('output')
  }
}

/** What a layer of the decoder knows beside its input. */
export interface DecoderContext {
  readonly layout: SequenceLayout
  /** Which earlier tokens may be attended to. */
  readonly mask: Mask
  /** The layer's keys and values of the source. */
  readonly memory: Segments
  readonly memoryMask: Mask
  readonly cache: Parameters<MultiHeadAttention['toItself']>[3]
}

/** A layer of the decoder: between the two sub-layers it attends to the encoder's output (§3.1, §3.2.3). */
export class DecoderLayer extends TransformerLayer {
  readonly encoder_attn: MultiHeadAttention
  readonly encoder_attn_layer_norm: LayerNorm

  constructor(config: TransformerConfig) {
    super(config)
    this.encoder_attn = transformerAttention(config)
    this.encoder_attn_layer_norm = transformerNorm(config)
  }

  /** x [M, C] → [M, C]. */
  forward(x: Tensor, { layout, mask, memory, memoryMask, cache }: DecoderContext): Tensor {
    const attended = this.residual(x, this.self_attn_layer_norm, (y) =>
      this.dropout.forward(this.self_attn.toItself(y, layout, mask, cache)),
    )
    const informed = this.residual(attended, this.encoder_attn_layer_norm, (y) =>
      this.dropout.forward(this.encoder_attn.forward(y, layout, memory, memoryMask)),
    )
    return this.residual(informed, this.final_layer_norm, (y) => this.feedForward(y)).named('output')
  }
}

/** What stands for a position: int64 [N] → [N, C]. */
export interface Positions extends Module {
  forward(positions: Tensor): Tensor
}

/** Sines and cosines of different frequencies (§3.5), which nothing trains. */
export class SinusoidalPositions extends Module implements Positions {
  readonly #table: Tensor

  constructor({ contextLength, width }: TransformerConfig) {
    super()
    this.#table = sinusoidalPositions(contextLength, width)
  }

  forward(positions: Tensor): Tensor {
    return gather(this.#table, positions)
  }
}

/** The probabilities of dropping an element: of sub-layers' outputs and embeddings (§5.4), attention weights, inner units. */
export function transformerDropout({ dropout = 0 }: TransformerConfig) {
  return typeof dropout === 'number' ? { hidden: dropout, attention: dropout, activation: dropout } : dropout
}

function transformerNorm({ width, epsilon = 1e-5 }: TransformerConfig): LayerNorm {
  return new LayerNorm(width, { epsilon })
}

function transformerAttention(config: TransformerConfig): MultiHeadAttention {
  return new MultiHeadAttention({ ...config, dropout: transformerDropout(config).attention })
}

/** Embeddings that have variance 1 once they are multiplied by √width, and logits too. */
function embeddingDeviation({ width }: TransformerConfig): number {
  return 1 / Math.sqrt(width)
}

const paper = { vocabularySize: 37000, contextLength: 512, padTokenId: 0, eosTokenId: 1, decoderStartTokenId: 0 }

/** 3 + 3 layers of width 256, for tens of thousands of pairs: 5.5M parameters and the embeddings. */
export const transformerSmall = (): TransformerConfig => ({
  ...paper,
  encoderLayers: 3,
  decoderLayers: 3,
  heads: 8,
  width: 256,
  dropout: 0.1,
})

/** The paper's base model: 6 + 6 layers of width 512, 63M parameters (§5, table 3). */
export const transformerBase = (): TransformerConfig => ({
  ...paper,
  encoderLayers: 6,
  decoderLayers: 6,
  heads: 8,
  width: 512,
  dropout: 0.1,
})

/** The paper's big model: 6 + 6 layers of width 1024, 214M parameters (§6, table 3). */
export const transformerBig = (): TransformerConfig => ({
  ...paper,
  encoderLayers: 6,
  decoderLayers: 6,
  heads: 16,
  width: 1024,
  dropout: 0.3,
})
