import { ConfigError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { range } from '../graph/operations/index.js'
import {
  type Activation,
  activations,
  attend,
  checkHeads,
  Dropout,
  Embedding,
  joinHeads,
  type LayerCache,
  Linear,
  Mask,
  Module,
  RMSNorm,
  type RotaryOptions,
  RotaryPositions,
  type Rotation,
  splitHeads,
} from '../nn/index.js'
import type { CausalInput, CausalLanguageModel } from './causal.js'
import type { DecoderSizes } from './sequence-to-sequence.js'

/** Sizes and options of a Llama or one of its relatives. */
export interface LlamaConfig {
  readonly vocabularySize: number
  /** Most positions that the model can see. */
  readonly contextLength: number
  readonly layers: number
  /** H, heads of queries. */
  readonly heads: number
  /** G, heads of keys and values, a divisor of H (default H). */
  readonly keyValueHeads?: number
  readonly width: number
  /** D, the width of a head, even (default width/heads). */
  readonly headWidth?: number
  /** Width of the feed-forward layer (default ⅔ · 4 · width, rounded up to a multiple of 256). */
  readonly innerWidth?: number
  /** Default `silu`, with which the feed-forward layer is SwiGLU. */
  readonly activation?: Activation
  /** θ of the rotary positions (default 10000), and how they are stretched. */
  readonly rotary?: RotaryOptions
  /** ε of the norms (default 1e-6). */
  readonly epsilon?: number
  /** Whether the output head shares the token embedding's weights (default false). */
  readonly tiedHead?: boolean
  /** Whether queries, keys and values have biases (default false). */
  readonly attentionBias?: boolean
  /** Whether the projection behind attention has one (default false). */
  readonly outputBias?: boolean
  /** Whether the feed-forward layers have them (default false). */
  readonly feedForwardBias?: boolean
  /** How many positions a layer looks back on, its own included (default all). */
  readonly slidingWindow?: number
  /** For each layer whether it has that window (default all of them). */
  readonly slidingLayers?: readonly boolean[]
  /** Probability of dropping an attention weight, in training (default 0). */
  readonly dropout?: number
  /** Standard deviation of the first weights (default 0.02). */
  readonly deviation?: number
}

/** What a layer is told beside its input. */
export interface LlamaContext {
  /** The turn of each token's position. */
  readonly rotation: Rotation
  readonly mask: Mask
  readonly cache?: LayerCache | undefined
}

/** The class of a layer's attention, which relatives swap. */
export type LlamaAttentionClass = new (config: LlamaConfig) => LlamaAttention

/**
 * Llama as a language model: the body, and a head, of its own or shared with the token embedding. Paths are
 * LlamaForCausalLM's.
 */
export class Llama extends Module implements CausalLanguageModel {
  readonly config: LlamaConfig
  readonly model: LlamaModel
  readonly lm_head: Linear

  constructor(config: LlamaConfig, Attention: LlamaAttentionClass = LlamaAttention) {
    super()
    const { vocabularySize, width, deviation, tiedHead = false } = config
    this.config = config
    this.model = new LlamaModel(config, Attention)
    const tied = tiedHead ? this.model.embed_tokens.weight : undefined
    this.lm_head = new Linear(width, vocabularySize, { bias: false, deviation }, tied)
    this.nameParts()
  }

  get decoderSizes(): DecoderSizes {
    const { layers } = this.config
    return { layers, heads: keyValueHeads(this.config), headWidth: llamaHeadWidth(this.config) }
  }

  /** A new model of this kind, without values. */
  like(config: LlamaConfig): Llama {
    return new Llama(config)
  }

  /** Next-token logits: ids int64 [B, T] → [B, T, V]. */
  forward(ids: Tensor, input: CausalInput = {}): Tensor {
    return this.logits(this.decode(ids, input))
  }

  decode(ids: Tensor, input: CausalInput = {}): Tensor {
    return this.model.forward(ids, input)
  }

  logits(hidden: Tensor): Tensor {
    return this.lm_head.forward(hidden).named('logits')
  }
}

/**
 * The body of Llama (Touvron et al. 2023, §2.2): GPT with root mean square norms, rotary positions in every layer instead of
 * position embeddings, SwiGLU, and no biases.
 *
 * B batch, T sequence, C width, H heads of queries, G heads of keys and values, D head width, V vocabulary.
 */
export class LlamaModel extends Module {
  readonly embed_tokens: Embedding
  readonly layers: readonly LlamaDecoderLayer[]
  readonly norm: RMSNorm
  readonly rotary_emb: RotaryPositions
  readonly #sights: readonly Sight[]

  constructor(config: LlamaConfig, Attention: LlamaAttentionClass) {
    super()
    this.embed_tokens = new Embedding(config.vocabularySize, config.width, config.deviation)
    this.layers = Array.from({ length: config.layers }, () => new LlamaDecoderLayer(config, Attention))
    this.norm = new RMSNorm(config.width, config)
    this.rotary_emb = new RotaryPositions(llamaHeadWidth(config), config.rotary)
    this.#sights = this.layers.map((_, layer) => sightOf(layer, config))
  }

  /** ids int64 [B, T] → [B, T, C]. */
  forward(ids: Tensor, { positions, mask, caches, keys }: CausalInput = {}): Tensor {
    const length = ids.shape[1]
    const places = positions ?? range({ limit: length }) // [T] or [B, T]
    const rotation = this.rotary_emb.forward(places)
    const visible = mask ?? Mask.causal(length)
    let x = this.embed_tokens.forward(ids) // [B, T, C]
    for (const [i, layer] of this.layers.entries()) {
      const seen = this.#sights[i](visible, places, keys ?? places)
      x = layer.forward(x, { rotation, mask: seen, cache: caches?.[i] })
    }
    return this.norm.forward(x) // [B, T, C]
  }
}

/** One layer: x + attention(norm(x)), then x + mlp(norm(x)). */
export class LlamaDecoderLayer extends Module {
  readonly self_attn: LlamaAttention
  readonly mlp: LlamaMLP
  readonly input_layernorm: RMSNorm
  readonly post_attention_layernorm: RMSNorm

  constructor(config: LlamaConfig, Attention: LlamaAttentionClass) {
    super()
    this.self_attn = new Attention(config)
    this.mlp = new LlamaMLP(config)
    this.input_layernorm = new RMSNorm(config.width, config)
    this.post_attention_layernorm = new RMSNorm(config.width, config)
  }

  /** x [B, T, C] → [B, T, C]. */
  forward(x: Tensor, context: LlamaContext): Tensor {
    const attended = x.add(this.self_attn.forward(this.input_layernorm.forward(x), context)).named('attended')
    return attended.add(this.mlp.forward(this.post_attention_layernorm.forward(attended))).named('output')
  }
}

/** Self-attention with rotary positions, in which H/G heads of queries share a head of keys and values (Ainslie et al. 2023). */
export class LlamaAttention extends Module {
  readonly q_proj: Linear
  readonly k_proj: Linear
  readonly v_proj: Linear
  readonly o_proj: Linear
  readonly dropout: Dropout
  readonly #heads: number
  readonly #groups: number

  constructor(config: LlamaConfig) {
    super()
    const { width, heads, deviation, attentionBias = false, outputBias = false, dropout = 0 } = config
    const [groups, headWidth] = [keyValueHeads(config), llamaHeadWidth(config)]
    const options = { bias: attentionBias, deviation }
    this.#heads = heads
    this.#groups = groups
    this.q_proj = new Linear(width, heads * headWidth, options)
    this.k_proj = new Linear(width, groups * headWidth, options)
    this.v_proj = new Linear(width, groups * headWidth, options)
    this.o_proj = new Linear(heads * headWidth, width, { bias: outputBias, deviation })
    this.dropout = new Dropout(dropout)
  }

  /** x [B, T, C] → [B, T, C]. */
  forward(x: Tensor, { rotation, mask, cache }: LlamaContext): Tensor {
    const q = rotation.apply(this.queries(x)) // [B, H, T, D]
    const k = rotation.apply(this.keys(x)) // [B, G, T, D]
    const v = splitHeads(this.v_proj.forward(x), this.#groups) // [B, G, T, D]
    const segments = cache?.extend(k, v) ?? { keys: [k], values: [v] }
    return this.o_proj.forward(joinHeads(attend(q, segments, mask, this.dropout))) // [B, T, C]
  }

  /** x [B, T, C] → [B, H, T, D], without positions. */
  protected queries(x: Tensor): Tensor {
    return splitHeads(this.q_proj.forward(x), this.#heads)
  }

  /** x [B, T, C] → [B, G, T, D], without positions. */
  protected keys(x: Tensor): Tensor {
    return splitHeads(this.k_proj.forward(x), this.#groups)
  }
}

/** SwiGLU, (silu(x·W₁) ⊙ x·W₂)·W₃ (Shazeer 2020, "GLU Variants Improve Transformer", §2). x [B, T, C] → [B, T, C]. */
export class LlamaMLP extends Module {
  readonly gate_proj: Linear
  readonly up_proj: Linear
  readonly down_proj: Linear
  readonly #activation: Activation

  constructor(config: LlamaConfig) {
    super()
    const { width, deviation, feedForwardBias: bias = false, activation = 'silu' } = config
    const inner = llamaInnerWidth(config)
    this.gate_proj = new Linear(width, inner, { bias, deviation })
    this.up_proj = new Linear(width, inner, { bias, deviation })
    this.down_proj = new Linear(inner, width, { bias, deviation })
    this.#activation = activation
  }

  forward(x: Tensor): Tensor {
    const gate = activations[this.#activation](this.gate_proj.forward(x)).named('activation') // [B, T, inner]
    return this.down_proj.forward(gate.mul(this.up_proj.forward(x))) // [B, T, C]
  }
}

/** What a layer sees of the positions that a mask allows, those of queries and keys being int64 [T] or [B, T], [S] or [B, S]. */
type Sight = (mask: Mask, queries: Tensor, keys: Tensor) => Mask

const everything: Sight = (mask) => mask

/** The last positions only, so that a layer's cost and memory do not grow with the text (Jiang et al. 2023, §2). */
function slidingWindow(width: number): Sight {
  return (mask, queries, keys) => mask.and(Mask.window(queries, keys, width))
}

function sightOf(layer: number, { slidingWindow: width, slidingLayers }: LlamaConfig): Sight {
  return width === undefined || slidingLayers?.[layer] === false ? everything : slidingWindow(width)
}

/** The number of heads of keys and values. @throws ConfigError where it does not divide the queries' */
export function keyValueHeads({ heads, keyValueHeads = heads }: LlamaConfig): number {
  if (heads % keyValueHeads === 0) return keyValueHeads
  throw new ConfigError(`attention: keyValueHeads ${keyValueHeads} does not divide the ${heads} heads; use a divisor`)
}

/** The width of a head. */
export function llamaHeadWidth({ width, heads, headWidth }: LlamaConfig): number {
  if (headWidth !== undefined) return headWidth
  checkHeads(width, heads)
  return width / heads
}

/** The width of the feed-forward layer: that with 4 · width's number of weights in three matrices instead of two. */
export function llamaInnerWidth({ width, innerWidth = 256 * Math.ceil((8 * width) / 3 / 256) }: LlamaConfig): number {
  return innerWidth
}
