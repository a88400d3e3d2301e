import type { Tensor } from '../graph/index.js'
import {
  type Activation,
  activations,
  Dropout,
  dotProductAttention,
  type LayerCache,
  Linear,
  type Mask,
  Module,
  type RelativePositionBias,
  RMSNorm,
  type Segments,
  type SequenceLayout,
} from '../nn/index.js'
import type { T5Config } from './t5.js'

/** x + attention(norm(x)), to the tokens of the same text. */
export class T5LayerSelfAttention extends Module {
  readonly SelfAttention: T5Attention
  readonly layer_norm: RMSNorm
  readonly dropout: Dropout

  constructor(config: T5Config, distances?: RelativePositionBias) {
    super()
    this.SelfAttention = new T5Attention(config, distances)
    this.layer_norm = t5Norm(config)
    this.dropout = t5Dropout(config)
  }

  /** x [N, C] → [N, C]. */
  forward(x: Tensor, layout: SequenceLayout, mask: Mask, cache?: LayerCache): Tensor {
    const normed = this.layer_norm.forward(x)
    return x.add(this.dropout.forward(this.SelfAttention.toItself(normed, layout, mask, cache)))
  }
}

/** x + attention(norm(x)), to the encoder's output. */
export class T5LayerCrossAttention extends Module {
  readonly EncDecAttention: T5Attention
  readonly layer_norm: RMSNorm
  readonly dropout: Dropout

  constructor(config: T5Config) {
    super()
    this.EncDecAttention = new T5Attention(config)
    this.layer_norm = t5Norm(config)
    this.dropout = t5Dropout(config)
  }

  /** x [M, C] → [M, C]. */
  forward(x: Tensor, layout: SequenceLayout, memory: Segments, mask: Mask): Tensor {
    const normed = this.layer_norm.forward(x)
    return x.add(this.dropout.forward(this.EncDecAttention.forward(normed, layout, memory, mask)))
  }
}

/**
 * Multi-head attention without biases and without the factor 1/√D, for which the first weights of the queries make up
 * (Raffel et al. 2020, published code).
 */
export class T5Attention extends Module {
  readonly q: Linear
  readonly k: Linear
  readonly v: Linear
  readonly o: Linear
  readonly relative_attention_bias: RelativePositionBias | undefined
  readonly dropout: Dropout
  readonly #heads: number

  /** @param distances the biases by distance, which the stack adds to the masks of all its layers */
  constructor(config: T5Config, distances?: RelativePositionBias) {
    super()
    const { width, heads } = config
    const headWidth = t5HeadWidth(config)
    const inner = heads * headWidth
    this.#heads = heads
    this.q = new Linear(width, inner, { bias: false, deviation: 1 / Math.sqrt(width * headWidth) })
    this.k = new Linear(width, inner, { bias: false, deviation: 1 / Math.sqrt(width) })
    this.v = new Linear(width, inner, { bias: false, deviation: 1 / Math.sqrt(width) })
    this.o = new Linear(inner, width, { bias: false, deviation: 1 / Math.sqrt(inner) })
    this.relative_attention_bias = distances
    this.dropout = t5Dropout(config)
  }

  /** Keys and values of what is attended to: memory [N, C] → each [B, H, S, D]. */
  remember(memory: Tensor, layout: SequenceLayout): Segments {
    const [k, v] = [this.k, this.v].map((projection) => layout.split(projection.forward(memory), this.#heads))
    return { keys: [k], values: [v] }
  }

  /**
   * @param x queries [M, C], in rows of the layout
   * @param segments keys and values, each [B, H, Sᵢ, D]
   * @returns [M, C]
   */
  forward(x: Tensor, layout: SequenceLayout, segments: Segments, mask: Mask): Tensor {
    const q = layout.split(this.q.forward(x), this.#heads) // [B, H, T, D]
    return this.o.forward(layout.join(dotProductAttention(q, segments, { mask, dropout: this.dropout, scale: 1 })))
  }

  /** x [M, C] attends to itself, and to what a cache has of earlier positions → [M, C]. */
  toItself(x: Tensor, layout: SequenceLayout, mask: Mask, cache?: LayerCache): Tensor {
    const own = this.remember(x, layout)
    return this.forward(x, layout, cache?.extend(own.keys[0], own.values[0]) ?? own, mask)
  }
}

/** x + feed-forward(norm(x)). x [N, C] → [N, C]. */
export class T5LayerFF extends Module {
  readonly DenseReluDense: T5DenseActDense | T5DenseGatedActDense
  readonly layer_norm: RMSNorm
  readonly dropout: Dropout

  constructor(config: T5Config) {
    super()
    this.DenseReluDense = config.gated ? new T5DenseGatedActDense(config) : new T5DenseActDense(config)
    this.layer_norm = t5Norm(config)
    this.dropout = t5Dropout(config)
  }

  forward(x: Tensor): Tensor {
    return x.add(this.dropout.forward(this.DenseReluDense.forward(this.layer_norm.forward(x))))
  }
}

/** activation(x·W)·W_O (Vaswani et al. 2017, §3.3). x [N, C] → [N, C]. */
export class T5DenseActDense extends Module {
  readonly wi: Linear
  readonly wo: Linear
  readonly dropout: Dropout
  readonly #activation: Activation

  constructor(config: T5Config) {
    super()
    this.wi = innerProjection(config)
    this.wo = outerProjection(config)
    this.dropout = t5Dropout(config)
    this.#activation = config.activation ?? 'relu'
  }

  forward(x: Tensor): Tensor {
    const inner = activations[this.#activation](this.wi.forward(x)).named('activation') // [N, inner]
    return this.wo.forward(this.dropout.forward(inner)) // [N, C]
  }
}

/** (activation(x·W₀) ⊙ x·W₁)·W_O (Shazeer 2020, "GLU Variants Improve Transformer", §2). x [N, C] → [N, C]. */
export class T5DenseGatedActDense extends Module {
  readonly wi_0: Linear
  readonly wi_1: Linear
  readonly wo: Linear
  readonly dropout: Dropout
  readonly #activation: Activation

  constructor(config: T5Config) {
    super()
    this.wi_0 = innerProjection(config)
    this.wi_1 = innerProjection(config)
    this.wo = outerProjection(config)
    this.dropout = t5Dropout(config)
    this.#activation = config.activation ?? 'relu'
  }

  forward(x: Tensor): Tensor {
    const gate = activations[this.#activation](this.wi_0.forward(x)).named('activation') // [N, inner]
    return this.wo.forward(this.dropout.forward(gate.mul(this.wi_1.forward(x)))) // [N, C]
  }
}

/** The width of a head. */
export function t5HeadWidth({ headWidth = 64 }: T5Config): number {
  return headWidth
}

function innerProjection({ width, innerWidth = 4 * width }: T5Config): Linear {
  return new Linear(width, innerWidth, { bias: false, deviation: 1 / Math.sqrt(width) })
}

function outerProjection({ width, innerWidth = 4 * width }: T5Config): Linear {
  return new Linear(innerWidth, width, { bias: false, deviation: 1 / Math.sqrt(innerWidth) })
}

/** A norm with T5's ε. */
export function t5Norm({ width, epsilon = 1e-6 }: T5Config): RMSNorm {
  return new RMSNorm(width, { epsilon })
}

/** Dropout with a T5's probability, the same in all places. */
export function t5Dropout({ dropout = 0 }: T5Config): Dropout {
  return new Dropout(dropout)
}
