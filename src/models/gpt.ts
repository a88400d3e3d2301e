import type { Tensor } from '../graph/index.js'
import { gather } from '../graph/operations/index.js'
import {
  type Activation,
  activations,
  attend,
  Conv1D,
  checkHeads,
  Dropout,
  Embedding,
  joinHeads,
  type LayerCache,
  LayerNorm,
  Linear,
  Mask,
  Module,
  splitHeads,
} from '../nn/index.js'
import type { CausalInput, CausalLanguageModel } from './causal.js'
import type { DecoderSizes } from './sequence-to-sequence.js'

/** Sizes and options of a GPT. */
export interface GPTConfig {
  readonly vocabularySize: number
  /** Most positions that the model can see. */
  readonly contextLength: number
  readonly layers: number
  readonly heads: number
  readonly width: number
  /** Width of the feed-forward layer (default 4 × width). */
  readonly innerWidth?: number
  /** Probability of dropping an element, in training: one for all places, or one each. */
  readonly dropout?: number | { readonly embedding: number; readonly attention: number; readonly residual: number }
  /** Whether linear layers and norms have biases (default true). */
  readonly bias?: boolean
  /** Default `gelu_new`, as GPT-2. */
  readonly activation?: Activation
  /** ε of the layer norms (default 1e-5). */
  readonly epsilon?: number
  /** Whether the output head shares the token embedding's weights (default true). */
  readonly tiedHead?: boolean
  /** Standard deviation of the first weights (default 0.02). */
  readonly deviation?: number
}

/** How {@link GPTModel.forward} reads its input where it is not one plain sequence per row. */
export type GPTInput = CausalInput

/**
 * The body of GPT-2: embeddings, pre-norm blocks and a last norm (Radford et al. 2018, §3.1; Radford et al. 2019, §2.3).
 *
 * B batch, T sequence, C width, H heads, D head width (C/H), V vocabulary. Parameter paths are GPT2Model's.
 */
export class GPTModel extends Module {
  readonly config: GPTConfig
  readonly wte: Embedding
  readonly wpe: Embedding
  readonly drop: Dropout
  readonly h: readonly Block[]
  readonly ln_f: LayerNorm

  constructor(config: GPTConfig) {
    super()
    const { vocabularySize, contextLength, layers, width, deviation } = config
    checkHeads(width, config.heads)
    this.config = config
    this.wte = new Embedding(vocabularySize, width, deviation)
    this.wpe = new Embedding(contextLength, width, deviation)
    this.drop = new Dropout(gptDropout(config).embedding)
    this.h = Array.from({ length: layers }, () => new Block(config))
    this.ln_f = new LayerNorm(width, config)
  }

  /** ids int64 [B, T] → [B, T, C]. */
  forward(ids: Tensor, { positions, mask, caches }: GPTInput = {}): Tensor {
    const length = ids.shape[1]
    const places = positions === undefined ? this.wpe.first(length) : this.wpe.forward(positions) // [T, C]
    const visible = mask ?? Mask.causal(length)
    let x = this.drop.forward(this.wte.forward(ids).add(places)) // [B, T, C]
    for (const [i, block] of this.h.entries()) x = block.forward(x, visible, caches?.[i])
    return this.ln_f.forward(x) // [B, T, C]
  }
}

/** GPT-2 as a language model: the body, and a head that shares the token embedding's weights. Paths are GPT2LMHeadModel's. */
export class GPT extends Module implements CausalLanguageModel {
  readonly config: GPTConfig
  readonly transformer: GPTModel
  readonly lm_head: Linear

  constructor(config: GPTConfig) {
    super()
    const { vocabularySize, width, deviation, tiedHead = true } = config
    this.config = config
    this.transformer = new GPTModel(config)
    const tied = tiedHead ? this.transformer.wte.weight : undefined
    this.lm_head = new Linear(width, vocabularySize, { bias: false, deviation }, tied)
    this.nameParts()
  }

  get decoderSizes(): DecoderSizes {
    const { layers, heads, width } = this.config
    return { layers, heads, headWidth: width / heads }
  }

  /** Next-token logits: ids int64 [B, T] → [B, T, V]. */
  forward(ids: Tensor, input: GPTInput = {}): Tensor {
    return this.logits(this.decode(ids, input))
  }

  decode(ids: Tensor, input: GPTInput = {}): Tensor {
    return this.transformer.forward(ids, input)
  }

  logits(hidden: Tensor): Tensor {
    return this.lm_head.forward(hidden).named('logits')
  }
}

/**
 * GPT-2 as a classifier of sequences: the body, and a linear layer on the last token's output (Radford et al. 2018, §3.2).
 * Paths are GPT2ForSequenceClassification's.
 */
export class GPTForSequenceClassification extends Module {
  readonly config: GPTConfig
  readonly transformer: GPTModel
  readonly score: Linear
  /** The labels' names in the order of the logits. */
  readonly labels: readonly string[]

  constructor(config: GPTConfig, labels: readonly string[]) {
    super()
    this.config = config
    this.labels = labels
    this.transformer = new GPTModel(config)
    this.score = new Linear(config.width, labels.length, { bias: false, deviation: config.deviation })
    this.nameParts()
  }

  /**
   * @param ids int64 [B, T]; what follows a row's last token is never seen
   * @param last index of each row's last token in the flattened ids, int64 [B]
   * @returns one logit per label [B, labels]
   */
  forward(ids: Tensor, last: Tensor): Tensor {
    const hidden = this.transformer.forward(ids).reshape([-1, this.config.width]) // [B·T, C]
    return this.score.forward(gather(hidden, last)).named('logits') // [B, labels]
  }
}

/** One layer: x + attention(norm(x)), then x + mlp(norm(x)) (Radford et al. 2019, §2.3: the norms moved to the inputs). */
export class Block extends Module {
  readonly ln_1: LayerNorm
  readonly attn: CausalSelfAttention
  readonly ln_2: LayerNorm
  readonly mlp: MLP

  constructor(config: GPTConfig) {
    super()
    this.ln_1 = new LayerNorm(config.width, config)
    this.attn = new CausalSelfAttention(config)
    this.ln_2 = new LayerNorm(config.width, config)
    this.mlp = new MLP(config)
  }

  /** x [B, T, C] → [B, T, C]. */
  forward(x: Tensor, mask: Mask, cache?: LayerCache): Tensor {
    const attended = x.add(this.attn.forward(this.ln_1.forward(x), mask, cache)).named('attended') // [B, T, C]
    return attended.add(this.mlp.forward(this.ln_2.forward(attended))).named('output') // [B, T, C]
  }
}

/** Masked multi-head self-attention with one projection for queries, keys and values (Vaswani et al. 2017, §3.2). */
export class CausalSelfAttention extends Module {
  readonly c_attn: Conv1D
  readonly c_proj: Conv1D
  readonly attn_dropout: Dropout
  readonly resid_dropout: Dropout
  readonly #heads: number

  constructor(config: GPTConfig) {
    super()
    const { width, heads, bias, deviation } = config
    this.#heads = heads
    this.c_attn = new Conv1D(width, 3 * width, { bias, deviation })
    this.c_proj = new Conv1D(width, width, { bias, deviation: residualDeviation(config) })
    this.attn_dropout = new Dropout(gptDropout(config).attention)
    this.resid_dropout = new Dropout(gptDropout(config).residual)
  }

  /** x [B, T, C] → [B, T, C]. */
  forward(x: Tensor, mask: Mask, cache?: LayerCache): Tensor {
    const width = x.shape[2]
    const [q, k, v] = this.c_attn
      .forward(x) // [B, T, 3·C]
      .split(-1, [width, width, width])
      .map((part) => splitHeads(part, this.#heads)) // 3 × [B, H, T, D]
    const segments = cache?.extend(k, v) ?? { keys: [k], values: [v] }
    const mixed = joinHeads(attend(q, segments, mask, this.attn_dropout)) // [B, T, C]
    return this.resid_dropout.forward(this.c_proj.forward(mixed)) // [B, T, C]
  }
}

/** The feed-forward network of a layer, activation(x·W₁ + b₁)·W₂ + b₂ (Vaswani et al. 2017, §3.3, with GELU). */
export class MLP extends Module {
  readonly c_fc: Conv1D
  readonly c_proj: Conv1D
  readonly dropout: Dropout
  readonly #activation: Activation

  constructor(config: GPTConfig) {
    super()
    const { width, innerWidth = 4 * width, bias, deviation, activation = 'gelu_new' } = config
    this.c_fc = new Conv1D(width, innerWidth, { bias, deviation })
    this.c_proj = new Conv1D(innerWidth, width, { bias, deviation: residualDeviation(config) })
    this.dropout = new Dropout(gptDropout(config).residual)
    this.#activation = activation
  }

  /** x [B, T, C] → [B, T, C]. */
  forward(x: Tensor): Tensor {
    const inner = activations[this.#activation](this.c_fc.forward(x)).named('activation') // [B, T, 4·C]
    return this.dropout.forward(this.c_proj.forward(inner)) // [B, T, C]
  }
}

/** First weights of the projections into the residual path, scaled by 1/√(2·layers) (Radford et al. 2019, §2.3). */
export function residualDeviation({ deviation = 0.02, layers }: GPTConfig): number {
  return deviation / Math.sqrt(2 * layers)
}

/** The probabilities of dropping an element at each place. */
export function gptDropout({ dropout = 0 }: GPTConfig) {
  return typeof dropout === 'number' ? { embedding: dropout, attention: dropout, residual: dropout } : dropout
}

/** nanoGPT's character model for a laptop's CPU: 0.8M parameters, no biases. */
export function gptCharacter(vocabularySize: number): GPTConfig {
  return { vocabularySize, contextLength: 64, layers: 4, heads: 4, width: 128, bias: false, activation: 'gelu' }
}

const gpt2 = { vocabularySize: 50257, contextLength: 1024, dropout: 0.1 }

/** GPT-2 small: 124M parameters (Radford et al. 2019, table 2). */
export const gpt2Small = (): GPTConfig => ({ ...gpt2, layers: 12, heads: 12, width: 768 })

/** GPT-2 medium: 355M parameters. */
export const gpt2Medium = (): GPTConfig => ({ ...gpt2, layers: 24, heads: 16, width: 1024 })

/** GPT-2 large: 774M parameters. */
export const gpt2Large = (): GPTConfig => ({ ...gpt2, layers: 36, heads: 20, width: 1280 })

/** GPT-2 XL: 1558M parameters. */
export const gpt2XL = (): GPTConfig => ({ ...gpt2, layers: 48, heads: 25, width: 1600 })
