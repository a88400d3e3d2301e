import type { Tensor } from '../graph/index.js'
import { gather, range, tanh } from '../graph/operations/index.js'
import {
  type Activation,
  activations,
  attend,
  checkHeads,
  Dropout,
  Embedding,
  LayerNorm,
  Linear,
  Mask,
  Module,
  meanOfTokens,
  RelativePositionBias,
  type RelativePositionOptions,
  type Segments,
  type SequenceLayout,
} from '../nn/index.js'
import type { EncoderConfig, EncoderInput } from './encoder.js'

/** Sizes and options of a BERT. */
export interface BertConfig extends EncoderConfig {
  readonly layers: number
  readonly heads: number
  /** Width of the feed-forward layer (default 4 × width). */
  readonly innerWidth?: number
  /** Probability of dropping an element, in training: one for all places, or one each. */
  readonly dropout?: number | { readonly hidden: number; readonly attention: number; readonly classifier: number }
  /** Default `gelu`, exact. */
  readonly activation?: Activation
  /** ε of the layer norms (default 1e-12). */
  readonly epsilon?: number
  /** How many kinds of segments there are (default 2). */
  readonly typeVocabularySize?: number
  /** Standard deviation of the first weights (default 0.02). */
  readonly deviation?: number
  /** What stands for a whole sequence: its first token, through a trained layer (default), or the mean of all. Ours. */
  readonly pooling?: keyof typeof poolers
  /** Biases by distance in attention, beside the absolute positions (default none). Ours. */
  readonly relativePositions?: Omit<RelativePositionOptions, 'bidirectional'>
}

/**
 * The body of BERT without its pooler: embeddings and post-norm layers (Devlin et al. 2018, §3).
 *
 * B sequences, N tokens of all of them, T the longest one's, C width, H heads, D head width (C/H). Parameter paths are
 * BertModel's. Everything but attention sees the tokens as N rows, so that padding costs nothing.
 */
export class BertBody extends Module {
  readonly config: BertConfig
  readonly embeddings: BertEmbeddings
  readonly encoder: BertEncoder

  /** @param embeddings other embeddings than BERT's, for its relatives */
  constructor(config: BertConfig, embeddings = new BertEmbeddings(config)) {
    super()
    checkHeads(config.width, config.heads)
    const { relativePositions } = config
    this.config = config
    this.embeddings = embeddings
    this.encoder = relativePositions ? new RelativeBertEncoder(config, relativePositions) : new BertEncoder(config)
    this.nameParts()
  }

  /**
   * @param rows the tokens whose outputs are wanted, int64 [M] in [0, N) (default all): the last layer computes no others
   * @returns [N, C], or [M, C]
   */
  forward(input: EncoderInput, rows?: Tensor): Tensor {
    return this.encoder.forward(this.embeddings.forward(input), input.layout, rows)
  }
}

/** The body of BERT with its pooler, which heads apply to the body's output. Paths are BertModel's. */
export class BertModel extends BertBody {
  readonly pooler: Pooler

  constructor(config: BertConfig) {
    super(config)
    this.pooler = poolers[config.pooling ?? 'cls'](config)
    this.nameParts()
  }

  /** What stands for each sequence → [B, C]. */
  pooled(input: EncoderInput): Tensor {
    const { layout } = input
    return this.pooler instanceof BertPooler
      ? this.pooler.ofFirst(this.forward(input, layout.first))
      : this.pooler.forward(this.forward(input), layout)
  }
}

/** The sum of a token's word, position and segment embeddings, normalized (Devlin et al. 2018, §3, figure 2). */
export class BertEmbeddings extends Module {
  readonly word_embeddings: Embedding
  readonly position_embeddings: Embedding
  readonly token_type_embeddings: Embedding
  readonly LayerNorm: LayerNorm
  readonly dropout: Dropout

  /** @param positions another table of positions than one row for each */
  constructor(config: BertConfig, positions?: Embedding) {
    super()
    const { vocabularySize, contextLength, width, typeVocabularySize = 2, deviation } = config
    this.word_embeddings = new Embedding(vocabularySize, width, deviation)
    this.position_embeddings = positions ?? new Embedding(contextLength, width, deviation)
    this.token_type_embeddings = new Embedding(typeVocabularySize, width, deviation)
    this.LayerNorm = bertNorm(config)
    this.dropout = new Dropout(bertDropout(config).hidden)
  }

  /** → [N, C]. */
  forward({ ids, positions, segments }: EncoderInput): Tensor {
    const sum = this.word_embeddings
      .forward(ids)
      .add(this.position_embeddings.forward(positions))
      .add(this.token_type_embeddings.forward(segments)) // [N, C]
    return this.dropout.forward(this.LayerNorm.forward(sum))
  }
}

/** The layers, one after another. */
export class BertEncoder extends Module {
  readonly layer: readonly BertLayer[]

  constructor(config: BertConfig) {
    super()
    this.layer = Array.from({ length: config.layers }, () => new BertLayer(config))
  }

  /** x [N, C] → [N, C], or with some rows int64 [M] → [M, C]. */
  forward(x: Tensor, layout: SequenceLayout, rows?: Tensor): Tensor {
    const mask = this.mask(layout)
    const last = this.layer[this.layer.length - 1]
    return this.layer.reduce(
      (hidden, layer) => layer.forward(hidden, { layout, mask, rows: layer === last ? rows : undefined }),
      x,
    )
  }

  /** What is added to the scores of every layer. */
  protected mask(layout: SequenceLayout): Mask {
    return Mask.padding(layout.keep)
  }
}

/** Layers that also know how far apart two tokens are, by a bias that they share as T5's do (Raffel et al. 2020, §2.1). */
export class RelativeBertEncoder extends BertEncoder {
  readonly relative_attention_bias: RelativePositionBias

  constructor(config: BertConfig, distances: RelativePositionOptions) {
    super(config)
    this.relative_attention_bias = new RelativePositionBias(config.heads, distances, config.deviation)
  }

  protected override mask(layout: SequenceLayout): Mask {
    const positions = range({ limit: layout.length })
    return super.mask(layout).and(new Mask(this.relative_attention_bias.forward(positions)))
  }
}

/** What a layer knows beside its input. */
export interface BertContext {
  readonly layout: SequenceLayout
  readonly mask: Mask
  /** The tokens whose outputs are wanted, int64 [M]; all where left out. */
  readonly rows: Tensor | undefined
}

/** One layer: norm(x + attention(x)), then norm(x + feed-forward(x)) (Vaswani et al. 2017, §3.1). */
export class BertLayer extends Module {
  readonly attention: BertAttention
  readonly intermediate: BertIntermediate
  readonly output: BertOutput

  constructor(config: BertConfig) {
    super()
    const { width, innerWidth = 4 * width } = config
    this.attention = new BertAttention(config)
    this.intermediate = new BertIntermediate(config)
    this.output = new BertOutput(innerWidth, config)
  }

  /** x [N, C] → [N, C], or [M, C] of the context's rows. */
  forward(x: Tensor, context: BertContext): Tensor {
    const attended = this.attention.forward(x, context) // [M, C]
    return this.output.forward(this.intermediate.forward(attended), attended) // [M, C]
  }
}

/** Self-attention with the residual connection and norm behind it. */
export class BertAttention extends Module {
  readonly self: BertSelfAttention
  readonly output: BertOutput

  constructor(config: BertConfig) {
    super()
    this.self = new BertSelfAttention(config)
    this.output = new BertOutput(config.width, config)
  }

  /** x [N, C] → [N, C], or [M, C] of the context's rows. */
  forward(x: Tensor, { layout, mask, rows }: BertContext): Tensor {
    const attended = this.self.forward(x, layout, mask) // [N, C]
    return rows ? this.output.forward(gather(attended, rows), gather(x, rows)) : this.output.forward(attended, x)
  }
}

/** Multi-head attention before its output projection (Vaswani et al. 2017, §3.2). */
export class BertSelfAttention extends Module {
  readonly query: Linear
  readonly key: Linear
  readonly value: Linear
  readonly dropout: Dropout
  readonly #heads: number

  constructor(config: BertConfig) {
    super()
    const { width, heads } = config
    this.#heads = heads
    this.query = new Linear(width, width, config)
    this.key = new Linear(width, width, config)
    this.value = new Linear(width, width, config)
    this.dropout = new Dropout(bertDropout(config).attention)
  }

  /** Keys and values of what is attended to: memory [N, C] → each [B, H, T, D]. */
  remember(memory: Tensor, layout: SequenceLayout): Segments {
    const [k, v] = [this.key, this.value].map((projection) => layout.split(projection.forward(memory), this.#heads))
    return { keys: [k], values: [v] }
  }

  /** x [N, C] attends to keys and values (default its own) → [N, C]. */
  forward(x: Tensor, layout: SequenceLayout, mask: Mask, segments = this.remember(x, layout)): Tensor {
    const q = layout.split(this.query.forward(x), this.#heads) // [B, H, T, D]
    return layout.join(attend(q, segments, mask, this.dropout)) // [N, C]
  }
}

/** The first half of the feed-forward network, activation(x·W₁ + b₁) (Vaswani et al. 2017, §3.3, with GELU). */
export class BertIntermediate extends Module {
  readonly dense: Linear
  readonly #activation: Activation

  constructor(config: BertConfig) {
    super()
    const { width, innerWidth = 4 * width, activation = 'gelu' } = config
    this.dense = new Linear(width, innerWidth, config)
    this.#activation = activation
  }

  /** x [N, C] → [N, inner]. */
  forward(x: Tensor): Tensor {
    return activations[this.#activation](this.dense.forward(x)).named('activation')
  }
}

/** A projection back to the model's width, added to what came in before and normalized. */
export class BertOutput extends Module {
  readonly dense: Linear
  readonly LayerNorm: LayerNorm
  readonly dropout: Dropout

  constructor(inWidth: number, config: BertConfig) {
    super()
    this.dense = new Linear(inWidth, config.width, config)
    this.LayerNorm = bertNorm(config)
    this.dropout = new Dropout(bertDropout(config).hidden)
  }

  /** x [N, in], residual [N, C] → [N, C]. */
  forward(x: Tensor, residual: Tensor): Tensor {
    return this.LayerNorm.forward(this.dropout.forward(this.dense.forward(x)).add(residual)).named('output')
  }
}

/** What stands for a whole sequence: x [N, C] → [B, C]. */
export interface Pooler extends Module {
  forward(x: Tensor, layout: SequenceLayout): Tensor
}

/** tanh(x·W + b) of each sequence's first token, [CLS] (Devlin et al. 2018, §3.1; google-research/bert). */
export class BertPooler extends Module implements Pooler {
  readonly dense: Linear

  constructor(config: BertConfig) {
    super()
    this.dense = new Linear(config.width, config.width, config)
  }

  forward(x: Tensor, layout: SequenceLayout): Tensor {
    return this.ofFirst(gather(x, layout.first))
  }

  /** x [B, C], of first tokens only → [B, C]. */
  ofFirst(x: Tensor): Tensor {
    return tanh(this.dense.forward(x))
  }
}

/** The mean of each sequence's tokens (Reimers & Gurevych 2019, §3). */
export class MeanPooler extends Module implements Pooler {
  forward(x: Tensor, layout: SequenceLayout): Tensor {
    return meanOfTokens(x, layout)
  }
}

const poolers = {
  cls: (config: BertConfig): Pooler => new BertPooler(config),
  mean: (): Pooler => new MeanPooler(),
}

/** A layer norm with BERT's ε. */
export function bertNorm({ width, epsilon = 1e-12 }: BertConfig): LayerNorm {
  return new LayerNorm(width, { epsilon })
}

/** The probabilities of dropping an element at each place. */
export function bertDropout({ dropout = 0 }: BertConfig) {
  return typeof dropout === 'number' ? { hidden: dropout, attention: dropout, classifier: dropout } : dropout
}

const bert = { vocabularySize: 30522, contextLength: 512, dropout: 0.1 }

/** The smallest of Google's BERTs: 4.4M parameters (Turc et al. 2019, table 1). */
export const bertTiny = (): BertConfig => ({ ...bert, layers: 2, heads: 2, width: 128 })

/** 11.2M parameters (Turc et al. 2019, table 1). */
export const bertMini = (): BertConfig => ({ ...bert, layers: 4, heads: 4, width: 256 })

/** 28.8M parameters (Turc et al. 2019, table 1). */
export const bertSmall = (): BertConfig => ({ ...bert, layers: 4, heads: 8, width: 512 })

/** 41.4M parameters (Turc et al. 2019, table 1). */
export const bertMedium = (): BertConfig => ({ ...bert, layers: 8, heads: 8, width: 512 })

/** BERT base, uncased: 110M parameters (Devlin et al. 2018, §3). */
export const bertBase = (): BertConfig => ({ ...bert, layers: 12, heads: 12, width: 768 })

/** BERT large, uncased: 340M parameters (Devlin et al. 2018, §3). */
export const bertLarge = (): BertConfig => ({ ...bert, layers: 24, heads: 16, width: 1024 })

/** BERT base with the vocabulary of Chinese characters: 102M parameters. */
export const bertBaseChinese = (): BertConfig => ({ ...bertBase(), vocabularySize: 21128 })

/** MiniLM with 6 layers, the body of many sentence encoders: 22.7M parameters (Wang et al. 2020, table 2). */
export const miniLML6 = (): BertConfig => ({ ...bert, layers: 6, heads: 12, width: 384 })
