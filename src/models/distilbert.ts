import type { Tensor } from '../graph/index.js'
import { gather, relu } from '../graph/operations/index.js'
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
  type SequenceLayout,
} from '../nn/index.js'
import { type BertConfig, type BertContext, bertDropout } from './bert.js'
import {
  type AnswerLogits,
  answerLogits,
  type ChoiceModel,
  type ClassificationProblem,
  type EncoderInput,
  type MaskedLanguageModel,
  type QuestionAnswerer,
  type SequenceClassifier,
  type TextEncoder,
  type TokenClassifier,
} from './encoder.js'

/** Sizes and options of a DistilBERT: BERT's without what it does not have. */
export type DistilBertConfig = Omit<BertConfig, 'epsilon' | 'typeVocabularySize' | 'pooling' | 'relativePositions'>

const norm = { epsilon: 1e-12 }

/**
 * The body of DistilBERT: BERT's with half the layers, without segments and pooler (Sanh et al. 2019, §3).
 *
 * B sequences, N tokens of all, C width, H heads, D head width (C/H). Paths are DistilBertModel's.
 */
export class DistilBertModel extends Module implements TextEncoder {
  readonly config: DistilBertConfig
  readonly embeddings: DistilBertEmbeddings
  readonly transformer: DistilBertTransformer

  constructor(config: DistilBertConfig) {
    super()
    checkHeads(config.width, config.heads)
    this.config = config
    this.embeddings = new DistilBertEmbeddings(config)
    this.transformer = new DistilBertTransformer(config)
    this.nameParts()
  }

  /**
   * @param rows the tokens whose outputs are wanted, int64 [M] in [0, N) (default all): the last layer computes no others
   * @returns [N, C], or [M, C]
   */
  forward(input: EncoderInput, rows?: Tensor): Tensor {
    return this.transformer.forward(this.embeddings.forward(input), input.layout, rows)
  }
}

/** The sum of a token's word and position embeddings, normalized. */
export class DistilBertEmbeddings extends Module {
  readonly word_embeddings: Embedding
  readonly position_embeddings: Embedding
  readonly LayerNorm: LayerNorm
  readonly dropout: Dropout

  constructor(config: DistilBertConfig) {
    super()
    const { vocabularySize, contextLength, width, deviation } = config
    this.word_embeddings = new Embedding(vocabularySize, width, deviation)
    this.position_embeddings = new Embedding(contextLength, width, deviation)
    this.LayerNorm = new LayerNorm(width, norm)
    this.dropout = new Dropout(bertDropout(config).hidden)
  }

  /** → [N, C]. */
  forward({ ids, positions }: EncoderInput): Tensor {
    const sum = this.word_embeddings.forward(ids).add(this.position_embeddings.forward(positions)) // [N, C]
    return this.dropout.forward(this.LayerNorm.forward(sum))
  }
}

/** The layers, one after another. */
export class DistilBertTransformer extends Module {
  readonly layer: readonly DistilBertLayer[]

  constructor(config: DistilBertConfig) {
    super()
    this.layer = Array.from({ length: config.layers }, () => new DistilBertLayer(config))
  }

  /** x [N, C] → [N, C], or with some rows int64 [M] → [M, C]. */
  forward(x: Tensor, layout: SequenceLayout, rows?: Tensor): Tensor {
    const mask = Mask.padding(layout.keep)
    const last = this.layer[this.layer.length - 1]
    return this.layer.reduce(
      (hidden, layer) => layer.forward(hidden, { layout, mask, rows: layer === last ? rows : undefined }),
      x,
    )
  }
}

/** One layer: norm(x + attention(x)), then norm(x + feed-forward(x)) (Vaswani et al. 2017, §3.1). */
export class DistilBertLayer extends Module {
  readonly attention: DistilBertAttention
  readonly sa_layer_norm: LayerNorm
  readonly ffn: DistilBertFeedForward
  readonly output_layer_norm: LayerNorm

  constructor(config: DistilBertConfig) {
    super()
    this.attention = new DistilBertAttention(config)
    this.sa_layer_norm = new LayerNorm(config.width, norm)
    this.ffn = new DistilBertFeedForward(config)
    this.output_layer_norm = new LayerNorm(config.width, norm)
  }

  /** x [N, C] → [N, C], or [M, C] of the context's rows. */
  forward(x: Tensor, context: BertContext): Tensor {
    const residual = context.rows ? gather(x, context.rows) : x // [M, C]
    const attended = this.sa_layer_norm.forward(this.attention.forward(x, context).add(residual)) // [M, C]
    return this.output_layer_norm.forward(this.ffn.forward(attended).add(attended)).named('output') // [M, C]
  }
}

/** Multi-head self-attention (Vaswani et al. 2017, §3.2). */
export class DistilBertAttention extends Module {
  readonly q_lin: Linear
  readonly k_lin: Linear
  readonly v_lin: Linear
  readonly out_lin: Linear
  readonly dropout: Dropout
  readonly #heads: number

  constructor(config: DistilBertConfig) {
    super()
    const { width, heads } = config
    this.#heads = heads
    this.q_lin = new Linear(width, width, config)
    this.k_lin = new Linear(width, width, config)
    this.v_lin = new Linear(width, width, config)
    this.out_lin = new Linear(width, width, config)
    this.dropout = new Dropout(bertDropout(config).attention)
  }

  /** x [N, C] → [N, C], or [M, C] of the context's rows. */
  forward(x: Tensor, { layout, mask, rows }: BertContext): Tensor {
    const [q, k, v] = [this.q_lin, this.k_lin, this.v_lin].map((projection) =>
      layout.split(projection.forward(x), this.#heads),
    ) // 3 × [B, H, T, D]
    const heads = layout.join(attend(q, { keys: [k], values: [v] }, mask, this.dropout)) // [N, C]
    return this.out_lin.forward(rows ? gather(heads, rows) : heads) // [M, C]
  }
}

/** The feed-forward network of a layer, activation(x·W₁ + b₁)·W₂ + b₂ (Vaswani et al. 2017, §3.3, with GELU). */
export class DistilBertFeedForward extends Module {
  readonly lin1: Linear
  readonly lin2: Linear
  readonly dropout: Dropout
  readonly #activation: Activation

  constructor(config: DistilBertConfig) {
    super()
    const { width, innerWidth = 4 * width, activation = 'gelu' } = config
    this.lin1 = new Linear(width, innerWidth, config)
    this.lin2 = new Linear(innerWidth, width, config)
    this.dropout = new Dropout(bertDropout(config).hidden)
    this.#activation = activation
  }

  /** x [N, C] → [N, C]. */
  forward(x: Tensor): Tensor {
    const inner = activations[this.#activation](this.lin1.forward(x)).named('activation') // [N, inner]
    return this.dropout.forward(this.lin2.forward(inner)) // [N, C]
  }
}

/** DistilBERT as a guesser of hidden tokens. Paths are DistilBertForMaskedLM's. */
export class DistilBertForMaskedLM extends Module implements MaskedLanguageModel {
  readonly config: DistilBertConfig
  readonly distilbert: DistilBertModel
  readonly vocab_transform: Linear
  readonly vocab_layer_norm: LayerNorm
  readonly vocab_projector: Linear

  constructor(config: DistilBertConfig) {
    super()
    const { width, vocabularySize } = config
    this.config = config
    this.distilbert = new DistilBertModel(config)
    this.vocab_transform = new Linear(width, width, config)
    this.vocab_layer_norm = new LayerNorm(width, norm)
    const words = this.distilbert.embeddings.word_embeddings.weight
    this.vocab_projector = new Linear(width, vocabularySize, config, words)
    this.nameParts()
  }

  /** rows int64 [M] (default all N) → [M, V]. */
  forward(input: EncoderInput, rows?: Tensor): Tensor {
    const chosen = this.distilbert.forward(input, rows) // [M, C]
    const activation = activations[this.config.activation ?? 'gelu']
    const transformed = this.vocab_layer_norm.forward(activation(this.vocab_transform.forward(chosen))) // [M, C]
    return this.vocab_projector.forward(transformed).named('logits') // [M, V]
  }
}

/** DistilBERT as a classifier of sequences. Paths are DistilBertForSequenceClassification's. */
export class DistilBertForSequenceClassification extends Module implements SequenceClassifier {
  readonly config: DistilBertConfig
  readonly distilbert: DistilBertModel
  readonly pre_classifier: Linear
  readonly classifier: Linear
  readonly dropout: Dropout

  constructor(
    config: DistilBertConfig,
    readonly labels: readonly string[],
    readonly problem: ClassificationProblem = 'single_label_classification',
  ) {
    super()
    this.config = config
    this.distilbert = new DistilBertModel(config)
    this.pre_classifier = new Linear(config.width, config.width, config)
    this.classifier = new Linear(config.width, labels.length, config)
    this.dropout = new Dropout(bertDropout(config).classifier)
    this.nameParts()
  }

  /** → [B, labels]. */
  forward(input: EncoderInput): Tensor {
    const first = this.distilbert.forward(input, input.layout.first) // [B, C]
    const inner = relu(this.pre_classifier.forward(first)) // [B, C]
    return this.classifier.forward(this.dropout.forward(inner)).named('logits') // [B, labels]
  }
}

/** DistilBERT as a classifier of tokens. Paths are DistilBertForTokenClassification's. */
export class DistilBertForTokenClassification extends Module implements TokenClassifier {
  readonly config: DistilBertConfig
  readonly distilbert: DistilBertModel
  readonly dropout: Dropout
  readonly classifier: Linear

  constructor(
    config: DistilBertConfig,
    readonly labels: readonly string[],
  ) {
    super()
    this.config = config
    this.distilbert = new DistilBertModel(config)
    this.dropout = new Dropout(bertDropout(config).hidden)
    this.classifier = new Linear(config.width, labels.length, config)
    this.nameParts()
  }

  /** → [N, labels]. */
  forward(input: EncoderInput): Tensor {
    return this.classifier.forward(this.dropout.forward(this.distilbert.forward(input))).named('logits')
  }
}

/** DistilBERT as a marker of answers. Paths are DistilBertForQuestionAnswering's. */
export class DistilBertForQuestionAnswering extends Module implements QuestionAnswerer {
  readonly config: DistilBertConfig
  readonly distilbert: DistilBertModel
  readonly dropout: Dropout
  readonly qa_outputs: Linear

  constructor(config: DistilBertConfig) {
    super()
    this.config = config
    this.distilbert = new DistilBertModel(config)
    this.dropout = new Dropout(bertDropout(config).classifier)
    this.qa_outputs = new Linear(config.width, 2, config)
    this.nameParts()
  }

  /** → 2 × [N]. */
  forward(input: EncoderInput): AnswerLogits {
    return answerLogits(this.qa_outputs.forward(this.dropout.forward(this.distilbert.forward(input))))
  }
}

/** DistilBERT as a chooser among continuations. Paths are DistilBertForMultipleChoice's. */
export class DistilBertForMultipleChoice extends Module implements ChoiceModel {
  readonly config: DistilBertConfig
  readonly distilbert: DistilBertModel
  readonly pre_classifier: Linear
  readonly classifier: Linear
  readonly dropout: Dropout

  constructor(config: DistilBertConfig) {
    super()
    this.config = config
    this.distilbert = new DistilBertModel(config)
    this.pre_classifier = new Linear(config.width, config.width, config)
    this.classifier = new Linear(config.width, 1, config)
    this.dropout = new Dropout(bertDropout(config).classifier)
    this.nameParts()
  }

  /** → [B/choices, choices]. */
  forward(input: EncoderInput, choices: number): Tensor {
    const first = this.distilbert.forward(input, input.layout.first) // [B, C]
    const inner = relu(this.pre_classifier.forward(first)) // [B, C]
    const scores = this.classifier.forward(this.dropout.forward(inner)) // [B, 1]
    return scores.reshape([-1, choices]).named('logits')
  }
}

/** DistilBERT base, uncased: 66M parameters (Sanh et al. 2019, §3). */
export const distilBertBase = (): DistilBertConfig => ({
  vocabularySize: 30522,
  contextLength: 512,
  layers: 6,
  heads: 12,
  width: 768,
  dropout: { hidden: 0.1, attention: 0.1, classifier: 0.2 },
})
