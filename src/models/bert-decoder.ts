import type { Tensor } from '../graph/index.js'
import { fill } from '../graph/operations/index.js'
import { checkHeads, Mask, Module, type Segments, type SequenceLayout } from '../nn/index.js'
import { type BertConfig, BertEmbeddings, BertIntermediate, BertOutput, BertSelfAttention } from './bert.js'
import { BertPredictions } from './bert-heads.js'
import { type RobertaConfig, RobertaPositions, RobertaPredictions, robertaDefaults } from './roberta.js'
import type { DecoderInput, DecoderSizes, Memory } from './sequence-to-sequence.js'
import type { DecoderContext } from './transformer.js'

/** Sizes and options of a BERT that decodes: those of a {@link BertConfig} that Hugging Face's has too. */
export type BertDecoderConfig = Omit<BertConfig, 'pooling' | 'relativePositions'>

/**
 * BERT as the decoder of an encoder–decoder (Rothe et al. 2020, §3): its tokens see only those before them, and each layer
 * attends to the encoder's output between its self-attention and its feed-forward network.
 *
 * B pairs, N tokens of all sources, M of all targets, S and T places of the longest source and target, C width, H heads, D
 * head width (C/H), V vocabulary. Paths are those of BertLMHeadModel with cross-attention.
 */
export class BertDecoder extends Module {
  readonly config: BertDecoderConfig
  readonly bert: BertDecoderBody
  readonly cls: { readonly predictions: BertPredictions }

  constructor(config: BertDecoderConfig) {
    super()
    this.config = config
    this.bert = new BertDecoderBody(config)
    this.cls = { predictions: new BertPredictions(config, this.bert.embeddings.word_embeddings.weight) }
    this.nameParts()
  }

  get sizes(): DecoderSizes {
    return bertDecoderSizes(this.config)
  }

  /** What every layer attends to of the encoder's output: states [N, C]. */
  remember(states: Tensor, layout: SequenceLayout): Memory {
    return this.bert.encoder.remember(states, layout)
  }

  /** → [M, C]. */
  forward(target: DecoderInput, memory: Memory): Tensor {
    return this.bert.forward(target, memory)
  }

  /** Next-token logits: hidden [M, C] → [M, V]. */
  logits(hidden: Tensor): Tensor {
    return this.cls.predictions.forward(hidden)
  }
}

/** RoBERTa as the decoder of an encoder–decoder. Paths are those of RobertaForCausalLM with cross-attention. */
export class RobertaDecoder extends Module {
  readonly config: RobertaConfig
  readonly roberta: BertDecoderBody
  readonly lm_head: RobertaPredictions

  constructor(config: RobertaConfig) {
    super()
    const full = robertaDefaults(config)
    this.config = full
    this.roberta = new BertDecoderBody(full, new BertEmbeddings(full, new RobertaPositions(full)))
    this.lm_head = new RobertaPredictions(full, this.roberta.embeddings.word_embeddings.weight)
    this.nameParts()
  }

  get sizes(): DecoderSizes {
    return bertDecoderSizes(this.config)
  }

  /** What every layer attends to of the encoder's output: states [N, C]. */
  remember(states: Tensor, layout: SequenceLayout): Memory {
    return this.roberta.encoder.remember(states, layout)
  }

  /** → [M, C]. */
  forward(target: DecoderInput, memory: Memory): Tensor {
    return this.roberta.forward(target, memory)
  }

  /** Next-token logits: hidden [M, C] → [M, V]. */
  logits(hidden: Tensor): Tensor {
    return this.lm_head.forward(hidden)
  }
}

/** The embeddings of BERT and layers that decode. */
export class BertDecoderBody extends Module {
  readonly embeddings: BertEmbeddings
  readonly encoder: BertDecoderLayers

  /** @param embeddings other embeddings than BERT's, for its relatives */
  constructor(config: BertDecoderConfig, embeddings = new BertEmbeddings(config)) {
    super()
    checkHeads(config.width, config.heads)
    this.embeddings = embeddings
    this.encoder = new BertDecoderLayers(config)
  }

  /** → [M, C]. */
  forward(target: DecoderInput, memory: Memory): Tensor {
    // A target is one segment.
    const segments = fill({ value: 0, shape: target.ids.shape, dtype: 'int64' })
    return this.encoder.forward(this.embeddings.forward({ ...target, segments }), target, memory)
  }
}

/** The layers, one after another. The checkpoints call them `encoder` here too. */
export class BertDecoderLayers extends Module {
  readonly layer: readonly BertDecoderLayer[]

  constructor(config: BertDecoderConfig) {
    super()
    this.layer = Array.from({ length: config.layers }, () => new BertDecoderLayer(config))
  }

  /** What every layer attends to of the encoder's output: states [N, C]. */
  remember(states: Tensor, layout: SequenceLayout): Memory {
    return {
      layers: this.layer.map(({ crossattention }) => crossattention.self.remember(states, layout)),
      keep: layout.keep,
    }
  }

  /** x [M, C] → [M, C]. */
  forward(x: Tensor, { layout, past }: DecoderInput, memory: Memory): Tensor {
    const mask = past?.mask ?? Mask.causal(layout.length)
    const memoryMask = Mask.padding(memory.keep)
    return this.layer.reduce((hidden, layer, i) => {
      const cache = past?.caches[i]
      return layer.forward(hidden, { layout, mask, cache, memory: memory.layers[i], memoryMask })
    }, x)
  }
}

/** One layer: self-attention, attention to the encoder's output, feed-forward network, a norm behind each of them. */
export class BertDecoderLayer extends Module {
  readonly attention: BertDecoderAttention
  readonly crossattention: BertDecoderAttention
  readonly intermediate: BertIntermediate
  readonly output: BertOutput

  constructor(config: BertDecoderConfig) {
    super()
    const { width, innerWidth = 4 * width } = config
    this.attention = new BertDecoderAttention(config)
    this.crossattention = new BertDecoderAttention(config)
    this.intermediate = new BertIntermediate(config)
    this.output = new BertOutput(innerWidth, config)
  }

  /** x [M, C] → [M, C]. */
  forward(x: Tensor, { layout, mask, cache, memory, memoryMask }: DecoderContext): Tensor {
    const own = this.attention.self.remember(x, layout)
    const known = cache?.extend(own.keys[0], own.values[0]) ?? own
    const attended = this.attention.forward(x, layout, known, mask) // [M, C]
    const informed = this.crossattention.forward(attended, layout, memory, memoryMask) // [M, C]
    return this.output.forward(this.intermediate.forward(informed), informed) // [M, C]
  }
}

/** Attention with the residual connection and norm behind it. */
export class BertDecoderAttention extends Module {
  readonly self: BertSelfAttention
  readonly output: BertOutput

  constructor(config: BertDecoderConfig) {
    super()
    this.self = new BertSelfAttention(config)
    this.output = new BertOutput(config.width, config)
  }

  /** x [M, C] attends to keys and values, each [B, H, Sᵢ, D] → [M, C]. */
  forward(x: Tensor, layout: SequenceLayout, segments: Segments, mask: Mask): Tensor {
    return this.output.forward(this.self.forward(x, layout, mask, segments), x)
  }
}

function bertDecoderSizes({ layers, heads, width }: BertDecoderConfig): DecoderSizes {
  return { layers, heads, headWidth: width / heads }
}
