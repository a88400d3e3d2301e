import { filled, Parameter, type Tensor } from '../graph/index.js'
import { gelu, linear, tanh } from '../graph/operations/index.js'
import { Dropout, Embedding, type LayerNorm, Linear, Module } from '../nn/index.js'
import { BertBody, type BertConfig, BertEmbeddings, BertPooler, bertDropout, bertNorm } from './bert.js'
import {
  type AnswerLogits,
  answerLogits,
  type ChoiceModel,
  type ClassificationProblem,
  type EncoderInput,
  type MaskedLanguageModel,
  type QuestionAnswerer,
  type SequenceClassifier,
  type TokenClassifier,
} from './encoder.js'

/**
 * Sizes and options of a RoBERTa: BERT's, but a padding token of 1, one kind of segments and an ε of 1e-5 where they are
 * left out. `contextLength` counts the positions that tokens can have; the table has `padTokenId` + 1 rows more.
 */
export type RobertaConfig = Omit<BertConfig, 'pooling' | 'relativePositions'>

/**
 * The body of RoBERTa without its pooler: BERT's, with positions that start behind the padding token's id (Liu et al. 2019;
 * fairseq). B sequences, N tokens of all, C width. Paths are RobertaModel's.
 */
export class RobertaBody extends BertBody {
  constructor(config: RobertaConfig) {
    const full = robertaDefaults(config)
    super(full, new BertEmbeddings(full, new RobertaPositions(full)))
  }
}

/** The body of RoBERTa with its pooler. Paths are RobertaModel's. */
export class RobertaModel extends RobertaBody {
  readonly pooler: BertPooler

  constructor(config: RobertaConfig) {
    super(config)
    this.pooler = new BertPooler(this.config)
    this.nameParts()
  }
}

/** Positions of which the first rows stand for padding and what is before it. positions int64 [...] → [..., C]. */
export class RobertaPositions extends Embedding {
  readonly #first: number

  constructor({ contextLength, width, deviation, padTokenId = 1 }: BertConfig) {
    super(contextLength + padTokenId + 1, width, deviation)
    this.#first = padTokenId + 1
  }

  override forward(positions: Tensor): Tensor {
    return super.forward(positions.add(this.#first))
  }
}

/** RoBERTa as a guesser of hidden tokens (Liu et al. 2019, §2.3). Paths are RobertaForMaskedLM's. */
export class RobertaForMaskedLM extends Module implements MaskedLanguageModel {
  readonly config: RobertaConfig
  readonly roberta: RobertaBody
  readonly lm_head: RobertaPredictions

  constructor(config: RobertaConfig) {
    super()
    this.roberta = new RobertaBody(config)
    this.config = this.roberta.config
    this.lm_head = new RobertaPredictions(this.roberta.config, this.roberta.embeddings.word_embeddings.weight)
    this.nameParts()
  }

  /** rows int64 [M] (default all N) → [M, V]. */
  forward(input: EncoderInput, rows?: Tensor): Tensor {
    return this.lm_head.forward(this.roberta.forward(input, rows)).named('logits') // [M, V]
  }
}

/** RoBERTa as a classifier of sequences. Paths are RobertaForSequenceClassification's. */
export class RobertaForSequenceClassification extends Module implements SequenceClassifier {
  readonly config: RobertaConfig
  readonly roberta: RobertaBody
  readonly classifier: RobertaClassificationHead

  constructor(
    config: RobertaConfig,
    readonly labels: readonly string[],
    readonly problem: ClassificationProblem = 'single_label_classification',
  ) {
    super()
    this.roberta = new RobertaBody(config)
    this.config = this.roberta.config
    this.classifier = new RobertaClassificationHead(this.roberta.config, labels.length)
    this.nameParts()
  }

  /** → [B, labels]. */
  forward(input: EncoderInput): Tensor {
    const first = this.roberta.forward(input, input.layout.first) // [B, C]
    return this.classifier.forward(first).named('logits') // [B, labels]
  }
}

/** RoBERTa as a classifier of tokens. Paths are RobertaForTokenClassification's. */
export class RobertaForTokenClassification extends Module implements TokenClassifier {
  readonly config: RobertaConfig
  readonly roberta: RobertaBody
  readonly dropout: Dropout
  readonly classifier: Linear

  constructor(
    config: RobertaConfig,
    readonly labels: readonly string[],
  ) {
    super()
    this.roberta = new RobertaBody(config)
    this.config = this.roberta.config
    this.dropout = new Dropout(bertDropout(config).classifier)
    this.classifier = new Linear(config.width, labels.length, config)
    this.nameParts()
  }

  /** → [N, labels]. */
  forward(input: EncoderInput): Tensor {
    return this.classifier.forward(this.dropout.forward(this.roberta.forward(input))).named('logits')
  }
}

/** RoBERTa as a marker of answers. Paths are RobertaForQuestionAnswering's. */
export class RobertaForQuestionAnswering extends Module implements QuestionAnswerer {
  readonly config: RobertaConfig
  readonly roberta: RobertaBody
  readonly qa_outputs: Linear

  constructor(config: RobertaConfig) {
    super()
    this.roberta = new RobertaBody(config)
    this.config = this.roberta.config
    this.qa_outputs = new Linear(config.width, 2, config)
    this.nameParts()
  }

  /** → 2 × [N]. */
  forward(input: EncoderInput): AnswerLogits {
    return answerLogits(this.qa_outputs.forward(this.roberta.forward(input)))
  }
}

/** RoBERTa as a chooser among continuations (Liu et al. 2019, §5.3). Paths are RobertaForMultipleChoice's. */
export class RobertaForMultipleChoice extends Module implements ChoiceModel {
  readonly config: RobertaConfig
  readonly roberta: RobertaModel
  readonly dropout: Dropout
  readonly classifier: Linear

  constructor(config: RobertaConfig) {
    super()
    this.roberta = new RobertaModel(config)
    this.config = this.roberta.config
    this.dropout = new Dropout(bertDropout(config).hidden)
    this.classifier = new Linear(config.width, 1, config)
    this.nameParts()
  }

  /** → [B/choices, choices]. */
  forward(input: EncoderInput, choices: number): Tensor {
    const pooled = this.roberta.pooler.ofFirst(this.roberta.forward(input, input.layout.first)) // [B, C]
    const scores = this.classifier.forward(this.dropout.forward(pooled)) // [B, 1]
    return scores.reshape([-1, choices]).named('logits')
  }
}

/** The head that guesses tokens, norm(gelu(x·W + b)) against the word embeddings, plus a bias per word. */
export class RobertaPredictions extends Module {
  readonly dense: Linear
  readonly layer_norm: LayerNorm
  readonly bias: Parameter
  readonly #words: Parameter

  /** @param words the word embeddings [V, C] */
  constructor(config: BertConfig, words: Parameter) {
    super()
    this.dense = new Linear(config.width, config.width, config)
    this.layer_norm = bertNorm(config)
    this.bias = new Parameter([config.vocabularySize], filled(0))
    this.#words = words
  }

  /** x [M, C] → [M, V]. */
  forward(x: Tensor): Tensor {
    const transformed = this.layer_norm.forward(gelu(this.dense.forward(x))) // [M, C]
    return linear(transformed, this.#words, this.bias, { transposeB: true }) // [M, V]
  }
}

/** tanh(x·W₁ + b₁)·W₂ + b₂ of a sequence's first token. x [B, C] → [B, labels]. */
export class RobertaClassificationHead extends Module {
  readonly dense: Linear
  readonly dropout: Dropout
  readonly out_proj: Linear

  constructor(config: BertConfig, labels: number) {
    super()
    this.dense = new Linear(config.width, config.width, config)
    this.dropout = new Dropout(bertDropout(config).classifier)
    this.out_proj = new Linear(config.width, labels, config)
  }

  forward(x: Tensor): Tensor {
    const inner = tanh(this.dense.forward(this.dropout.forward(x))) // [B, C]
    return this.out_proj.forward(this.dropout.forward(inner)) // [B, labels]
  }
}

/** A RoBERTa's sizes with what it has where BERT has something else. */
export function robertaDefaults(config: RobertaConfig): RobertaConfig {
  return { padTokenId: 1, typeVocabularySize: 1, epsilon: 1e-5, ...config }
}

const roberta = { vocabularySize: 50265, contextLength: 512, dropout: 0.1 }

/** RoBERTa base: 125M parameters (Liu et al. 2019, §5). */
export const robertaBase = (): RobertaConfig => ({ ...roberta, layers: 12, heads: 12, width: 768 })

/** RoBERTa large: 355M parameters (Liu et al. 2019, §5). */
export const robertaLarge = (): RobertaConfig => ({ ...roberta, layers: 24, heads: 16, width: 1024 })
