import { ConfigError, ShapeError } from '../errors.js'
import { type Dimension, divide, multiply, type Tensor } from '../graph/index.js'
import { concat, softmax } from '../graph/operations/index.js'
import { Dropout } from './dropout.js'
import { Linear, xavier } from './linear.js'
import type { Mask } from './mask.js'
import { Module } from './module.js'
import type { SequenceLayout } from './sequence-layout.js'

/** Keys and values, each in consecutive segments along the sequence: what is cached, then what is new. */
export interface Segments {
  readonly keys: readonly Tensor[]
  readonly values: readonly Tensor[]
}

/** Where one layer's keys and values of earlier positions come from when a sequence is continued. */
export interface LayerCache {
  /** Puts new keys and values [B, H, T, D], H their heads, behind the cached ones. */
  extend(k: Tensor, v: Tensor): Segments
}

/**
 * Scaled dot-product attention, softmax(Q·Kᵀ/√D + mask)·V (Vaswani et al. 2017, §3.2.1).
 *
 * The weights are named `weights` in the calling module. B batch, H heads, T queries, S keys, D head width. Keys and
 * values may lie in several segments, which are never joined: only the scores are.
 *
 * @param q [B, H, T, D]
 * @param segments keys and values, each [B, H, Sᵢ, D]
 * @returns [B, H, T, D]
 */
export function attend(q: Tensor, segments: Segments, mask: Mask | undefined, dropout: Dropout): Tensor {
  return dotProductAttention(q, segments, { mask, dropout, scale: 1 / Math.sqrt(Number(q.shape[3])) })
}

/**
 * {@link attend} with another scale than 1/√D: softmax(scale·Q·Kᵀ + mask)·V.
 *
 * Keys and values may have fewer heads than there are queries, each of which then serves as many neighbouring heads of
 * queries (Ainslie et al. 2023, §2.2). They are not repeated: the queries of a group are further rows of one product.
 */
export function dotProductAttention(
  q: Tensor,
  { keys, values }: Segments,
  { mask, dropout, scale }: { mask: Mask | undefined; dropout: Dropout; scale: number },
): Tensor {
  const groups = keys[0].shape[1]
  const rows = withHeads(q, groups) // [B, G, H/G·T, D]
  const products = keys.map((k) => rows.matmul(k, { transposeB: true, scale })) // each [B, G, H/G·T, Sᵢ]
  const joined = products.length === 1 ? products[0] : concat(...products, { axis: -1 }) // [B, G, H/G·T, S]
  const scores = withHeads(joined, q.shape[1]) // [B, H, T, S]
  const weights = softmax(mask?.apply(scores) ?? scores, { axis: -1 }).named('weights') // [B, H, T, S]
  const kept = withHeads(dropout.forward(weights), groups) // [B, G, H/G·T, S]
  const parts =
    keys.length === 1
      ? [kept]
      : kept.split(
          -1,
          keys.map((k) => k.shape[2]),
        )
  const mixed = parts.map((part, i) => part.matmul(values[i])).reduce((sum, part) => sum.add(part))
  return withHeads(mixed, q.shape[1]) // [B, H, T, D]
}

/** The rows of all heads divided among another number of heads: x [B, H, T, D] → [B, G, H/G·T, D], without a copy. */
function withHeads(x: Tensor, heads: Dimension): Tensor {
  const [batch, given, rows, width] = x.shape
  if (given === heads) return x
  const total = multiply(given, rows)
  const each = divide(total, heads)
  if (each !== undefined) return x.reshape([batch, heads, each, width])
  throw new ShapeError(`attention: ${given} heads of queries do not divide among ${heads} heads of keys and values`)
}

/** [B, T, C] → [B, H, T, C/H]. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, sequence, width] = x.shape
  return x.reshape([batch, sequence, heads, Number(width) / heads]).transpose([0, 2, 1, 3])
}

/** [B, H, T, D] → [B, T, H·D]. */
export function joinHeads(x: Tensor): Tensor {
  const [batch, heads, sequence, headWidth] = x.shape
  return x.transpose([0, 2, 1, 3]).reshape([batch, sequence, Number(heads) * Number(headWidth)])
}

/** @throws ConfigError where the width does not divide among the heads */
export function checkHeads(width: number, heads: number): void {
  if (width % heads === 0) return
  const near = [Math.floor(width / heads) * heads, Math.ceil(width / heads) * heads].filter((value) => value > 0)
  throw new ConfigError(
    `attention: width ${width} does not divide among ${heads} heads; use a width such as ${near.join(' or ')}`,
  )
}

/** Sizes of a {@link MultiHeadAttention}. */
export interface AttentionConfig {
  readonly width: number
  readonly heads: number
  /** Probability of dropping a weight, in training (default 0). */
  readonly dropout?: number
  /** Whether the projections have biases (default true). */
  readonly bias?: boolean
}

/**
 * Multi-head attention, Concat(head₁ … head_H)·W_O with headᵢ = Attention(x·W_Qᵢ, memory·W_Kᵢ, memory·W_Vᵢ)
 * (Vaswani et al. 2017, §3.2.2): self-attention where x remembers itself, cross-attention where it is another sequence.
 *
 * M rows of queries, N of what is attended to, S its places, C width, H heads, D head width (C/H).
 */
export class MultiHeadAttention extends Module {
  readonly k_proj: Linear
  readonly v_proj: Linear
  readonly q_proj: Linear
  readonly out_proj: Linear
  readonly dropout: Dropout
  readonly #heads: number

  constructor({ width, heads, dropout = 0, bias = true }: AttentionConfig) {
    super()
    checkHeads(width, heads)
    this.#heads = heads
    const projection = () => new Linear(width, width, { bias, deviation: xavier(width, width) })
    this.k_proj = projection()
    this.v_proj = projection()
    this.q_proj = projection()
    this.out_proj = projection()
    this.dropout = new Dropout(dropout)
  }

  /** Keys and values of what is attended to: memory [N, C] → each [B, H, S, D]. */
  remember(memory: Tensor, layout: SequenceLayout): Segments {
    const [k, v] = [this.k_proj, this.v_proj].map((part) => layout.split(part.forward(memory), this.#heads))
    return { keys: [k], values: [v] }
  }

  /**
   * @param x queries [M, C], in rows of the layout
   * @param segments keys and values, each [B, H, Sᵢ, D]
   * @returns [M, C]
   */
  forward(x: Tensor, layout: SequenceLayout, segments: Segments, mask?: Mask): Tensor {
    const q = layout.split(this.q_proj.forward(x), this.#heads) // [B, H, T, D]
    return this.out_proj.forward(layout.join(attend(q, segments, mask, this.dropout)))
  }

  /** x [M, C] attends to itself, and to what a cache has of earlier positions → [M, C]. */
  toItself(x: Tensor, layout: SequenceLayout, mask?: Mask, cache?: LayerCache): Tensor {
    const own = this.remember(x, layout)
    return this.forward(x, layout, cache?.extend(own.keys[0], own.values[0]) ?? own, mask)
  }
}
