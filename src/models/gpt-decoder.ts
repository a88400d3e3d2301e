import type { Tensor } from '../graph/index.js'
import {
  attend,
  Conv1D,
  checkHeads,
  Dropout,
  Embedding,
  type LayerCache,
  LayerNorm,
  Linear,
  Mask,
  Module,
  type Segments,
  type SequenceLayout,
} from '../nn/index.js'
import { type GPTConfig, gptDropout, MLP, residualDeviation } from './gpt.js'
import type { DecoderInput, DecoderSizes, Memory } from './sequence-to-sequence.js'
import type { DecoderContext } from './transformer.js'

/**
 * GPT-2 as the decoder of an encoder–decoder (Rothe et al. 2020, §3): each block attends to the encoder's output between
 * its self-attention and its feed-forward network.
 *
 * B pairs, N tokens of all sources, M of all targets, S and T places of the longest source and target, C width, H heads, D
 * head width (C/H), V vocabulary. Tokens are rows here, so that padding costs nothing. Paths are those of GPT2LMHeadModel
 * with cross-attention.
 */
export class GPTDecoder extends Module {
  readonly config: GPTConfig
  readonly transformer: GPTDecoderBody
  readonly lm_head: Linear

  constructor(config: GPTConfig) {
    super()
    const { vocabularySize, width, deviation, tiedHead = true } = config
    this.config = config
    this.transformer = new GPTDecoderBody(config)
    const tied = tiedHead ? this.transformer.wte.weight : undefined
    this.lm_head = new Linear(width, vocabularySize, { bias: false, deviation }, tied)
    this.nameParts()
  }

  get sizes(): DecoderSizes {
    const { layers, heads, width } = this.config
    return { layers, heads, headWidth: width / heads }
  }

  /** What every block attends to of the encoder's output: states [N, C]. */
  remember(states: Tensor, layout: SequenceLayout): Memory {
    return this.transformer.remember(states, layout)
  }

  /** → [M, C]. */
  forward(target: DecoderInput, memory: Memory): Tensor {
    return this.transformer.forward(target, memory)
  }

  /** Next-token logits: hidden [M, C] → [M, V]. */
  logits(hidden: Tensor): Tensor {
    return this.lm_head.forward(hidden)
  }
}

/** Embeddings, blocks and a last norm. */
export class GPTDecoderBody extends Module {
  readonly wte: Embedding
  readonly wpe: Embedding
  readonly drop: Dropout
  readonly h: readonly GPTDecoderBlock[]
  readonly ln_f: LayerNorm

  constructor(config: GPTConfig) {
    super()
    const { vocabularySize, contextLength, layers, width, deviation } = config
    checkHeads(width, config.heads)
    this.wte = new Embedding(vocabularySize, width, deviation)
    this.wpe = new Embedding(contextLength, width, deviation)
    this.drop = new Dropout(gptDropout(config).embedding)
    this.h = Array.from({ length: layers }, () => new GPTDecoderBlock(config))
    this.ln_f = new LayerNorm(width, config)
  }

  /** What every block attends to of the encoder's output: states [N, C]. */
  remember(states: Tensor, layout: SequenceLayout): Memory {
    return { layers: this.h.map(({ crossattention }) => crossattention.remember(states, layout)), keep: layout.keep }
  }

  /** → [M, C]. */
  forward({ ids, positions, layout, past }: DecoderInput, memory: Memory): Tensor {
    const mask = past?.mask ?? Mask.causal(layout.length)
    const memoryMask = Mask.padding(memory.keep)
    let x = this.drop.forward(this.wte.forward(ids).add(this.wpe.forward(positions))) // [M, C]
    for (const [i, block] of this.h.entries()) {
      x = block.forward(x, { layout, mask, cache: past?.caches[i], memory: memory.layers[i], memoryMask })
    }
    return this.ln_f.forward(x) // [M, C]
  }
}

/** One layer: x + attention(norm(x)), to the target and then to the source, then x + mlp(norm(x)). */
export class GPTDecoderBlock extends Module {
  readonly ln_1: LayerNorm
  readonly attn: GPTSelfAttention
  readonly ln_cross_attn: LayerNorm
  readonly crossattention: GPTCrossAttention
  readonly ln_2: LayerNorm
  readonly mlp: MLP

  constructor(config: GPTConfig) {
    super()
    this.ln_1 = new LayerNorm(config.width, config)
    this.attn = new GPTSelfAttention(config)
    this.ln_cross_attn = new LayerNorm(config.width, config)
    this.crossattention = new GPTCrossAttention(config)
    this.ln_2 = new LayerNorm(config.width, config)
    this.mlp = new MLP(config)
  }

  /** x [M, C] → [M, C]. */
  forward(x: Tensor, { layout, mask, cache, memory, memoryMask }: DecoderContext): Tensor {
    const attended = x.add(this.attn.forward(this.ln_1.forward(x), layout, mask, cache)) // [M, C]
    const normed = this.ln_cross_attn.forward(attended)
    const informed = attended.add(this.crossattention.forward(normed, layout, memory, memoryMask)) // [M, C]
    return informed.add(this.mlp.forward(this.ln_2.forward(informed))).named('output') // [M, C]
  }
}

/** What the two kinds of attention have in common: the way from queries, keys and values to the residual path. */
abstract class GPTAttention extends Module {
  readonly c_proj: Conv1D
  readonly attn_dropout: Dropout
  readonly resid_dropout: Dropout
  readonly #heads: number

  constructor(config: GPTConfig) {
    super()
    const { width, heads, bias } = config
    this.#heads = heads
    this.c_proj = new Conv1D(width, width, { bias, deviation: residualDeviation(config) })
    this.attn_dropout = new Dropout(gptDropout(config).attention)
    this.resid_dropout = new Dropout(gptDropout(config).residual)
  }

  /** Parts side by side, x [N, n·C] → n × [B, H, S, D]. */
  protected split(x: Tensor, layout: SequenceLayout, parts: number): Tensor[] {
    const width = Number(x.shape[1]) / parts
    return x.split(-1, Array<number>(parts).fill(width)).map((part) => layout.split(part, this.#heads))
  }

  /** Queries [B, H, T, D] attend to keys and values → [M, C]. */
  protected attendTo(q: Tensor, segments: Segments, layout: SequenceLayout, mask: Mask): Tensor {
    const mixed = layout.join(attend(q, segments, mask, this.attn_dropout)) // [M, C]
    return this.resid_dropout.forward(this.c_proj.forward(mixed)) // [M, C]
  }
}

/** Masked multi-head self-attention with one projection for queries, keys and values (Vaswani et al. 2017, §3.2). */
export class GPTSelfAttention extends GPTAttention {
  readonly c_attn: Conv1D

  constructor(config: GPTConfig) {
    super(config)
    this.c_attn = new Conv1D(config.width, 3 * config.width, config)
  }

  /** x [M, C] → [M, C]. */
  forward(x: Tensor, layout: SequenceLayout, mask: Mask, cache?: LayerCache): Tensor {
    const [q, k, v] = this.split(this.c_attn.forward(x), layout, 3) // 3 × [B, H, T, D]
    return this.attendTo(q, cache?.extend(k, v) ?? { keys: [k], values: [v] }, layout, mask)
  }
}

/** Multi-head attention to the encoder's output, with one projection for keys and values (Vaswani et al. 2017, §3.2.3). */
export class GPTCrossAttention extends GPTAttention {
  readonly c_attn: Conv1D
  readonly q_attn: Conv1D

  constructor(config: GPTConfig) {
    super(config)
    this.c_attn = new Conv1D(config.width, 2 * config.width, config)
    this.q_attn = new Conv1D(config.width, config.width, config)
  }

  /** Keys and values of what is attended to: memory [N, C] → each [B, H, S, D]. */
  remember(memory: Tensor, layout: SequenceLayout): Segments {
    const [k, v] = this.split(this.c_attn.forward(memory), layout, 2)
    return { keys: [k], values: [v] }
  }

  /** x [M, C] attends to keys and values, each [B, H, S, D] → [M, C]. */
  forward(x: Tensor, layout: SequenceLayout, segments: Segments, mask: Mask): Tensor {
    const [q] = this.split(this.q_attn.forward(x), layout, 1) // [B, H, T, D]
    return this.attendTo(q, segments, layout, mask)
  }
}
