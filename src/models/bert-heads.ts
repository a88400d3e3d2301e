import { filled, Parameter, type Tensor } from '../graph/index.js'
import { concat, gather, linear } from '../graph/operations/index.js'
import { type Activation, activations, Dropout, type LayerNorm, Linear, Module } from '../nn/index.js'
import { BertBody, type BertConfig, BertModel, bertDropout, bertNorm } from './bert.js'
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
 * BERT as a guesser of hidden tokens (Devlin et al. 2018, §3.1, task 1). B sequences, N tokens of all, C width, V
 * vocabulary. Paths are BertForMaskedLM's.
 */
export class BertForMaskedLM extends Module implements MaskedLanguageModel {
  readonly config: BertConfig
  readonly bert: BertBody
  readonly cls: { readonly predictions: BertPredictions }

  constructor(config: BertConfig) {
    super()
    this.config = config
    this.bert = new BertBody(config)
    this.cls = { predictions: new BertPredictions(config, this.bert.embeddings.word_embeddings.weight) }
    this.nameParts()
  }

  /** rows int64 [M] (default all N) → [M, V]. */
  forward(input: EncoderInput, rows?: Tensor): Tensor {
    return this.cls.predictions.forward(this.bert.forward(input, rows)).named('logits') // [M, V]
  }
}

/** What BERT is pretrained to say. */
export interface PretrainingLogits {
  /** Of the hidden tokens [M, V]. */
  readonly tokens: Tensor
  /** Whether the second segment follows the first: logits of yes (0) and no (1) [B, 2]. */
  readonly next: Tensor
}

/** BERT with both heads of its pretraining (Devlin et al. 2018, §3.1). Paths are BertForPreTraining's. */
export class BertForPreTraining extends Module {
  readonly config: BertConfig
  readonly bert: BertModel
  readonly cls: { readonly predictions: BertPredictions; readonly seq_relationship: Linear }

  constructor(config: BertConfig) {
    super()
    this.config = config
    this.bert = new BertModel(config)
    this.cls = {
      predictions: new BertPredictions(config, this.bert.embeddings.word_embeddings.weight),
      seq_relationship: new Linear(config.width, 2, config),
    }
    this.nameParts()
  }

  /** rows int64 [M], which tokens to guess (default all N). */
  forward(input: EncoderInput, rows?: Tensor): PretrainingLogits {
    const hidden = this.bert.forward(input) // [N, C]
    const pooled = this.bert.pooler.forward(hidden, input.layout) // [B, C]
    return {
      tokens: this.cls.predictions.forward(rows ? gather(hidden, rows) : hidden).named('logits'), // [M, V]
      next: this.cls.seq_relationship.forward(pooled).named('next'), // [B, 2]
    }
  }
}

/** BERT as a classifier of sequences (Devlin et al. 2018, §4.1). Paths are BertForSequenceClassification's. */
export class BertForSequenceClassification extends Module implements SequenceClassifier {
  readonly config: BertConfig
  readonly bert: BertModel
  readonly dropout: Dropout
  readonly classifier: Linear

  constructor(
    config: BertConfig,
    readonly labels: readonly string[],
    readonly problem: ClassificationProblem = 'single_label_classification',
  ) {
    super()
    this.config = config
    this.bert = new BertModel(config)
    this.dropout = new Dropout(bertDropout(config).classifier)
    this.classifier = new Linear(config.width, labels.length, config)
    this.nameParts()
  }

  /** → [B, labels]. */
  forward(input: EncoderInput): Tensor {
    const pooled = this.bert.pooled(input) // [B, C]
    return this.classifier.forward(this.dropout.forward(pooled)).named('logits') // [B, labels]
  }
}

/** BERT as a classifier of tokens (Devlin et al. 2018, §5.3). Paths are BertForTokenClassification's. */
export class BertForTokenClassification extends Module implements TokenClassifier {
  readonly config: BertConfig
  readonly bert: BertBody
  readonly dropout: Dropout
  readonly classifier: Linear

  constructor(
    config: BertConfig,
    readonly labels: readonly string[],
  ) {
    super()
    this.config = config
    this.bert = new BertBody(config)
    this.dropout = new Dropout(bertDropout(config).classifier)
    this.classifier = new Linear(config.width, labels.length, config)
    this.nameParts()
  }

  /** → [N, labels]. */
  forward(input: EncoderInput): Tensor {
    return this.classifier.forward(this.dropout.forward(this.bert.forward(input))).named('logits')
  }
}

/** BERT as a marker of answers (Devlin et al. 2018, §4.2). Paths are BertForQuestionAnswering's. */
export class BertForQuestionAnswering extends Module implements QuestionAnswerer {
  readonly config: BertConfig
  readonly bert: BertBody
  readonly qa_outputs: Linear

  constructor(config: BertConfig) {
    super()
    this.config = config
    this.bert = new BertBody(config)
    this.qa_outputs = new Linear(config.width, 2, config)
    this.nameParts()
  }

  /** → 2 × [N]. */
  forward(input: EncoderInput): AnswerLogits {
    return answerLogits(this.qa_outputs.forward(this.bert.forward(input)))
  }
}

/** BERT as a chooser among continuations (Devlin et al. 2018, §4.4). Paths are BertForMultipleChoice's. */
export class BertForMultipleChoice extends Module implements ChoiceModel {
  readonly config: BertConfig
  readonly bert: BertModel
  readonly dropout: Dropout
  readonly classifier: Linear

  constructor(config: BertConfig) {
    super()
    this.config = config
    this.bert = new BertModel(config)
    this.dropout = new Dropout(bertDropout(config).classifier)
    this.classifier = new Linear(config.width, 1, config)
    this.nameParts()
  }

  /** → [B/choices, choices]. */
  forward(input: EncoderInput, choices: number): Tensor {
    const pooled = this.bert.pooled(input) // [B, C]
    const scores = this.classifier.forward(this.dropout.forward(pooled)) // [B, 1]
    return scores.reshape([-1, choices]).named('logits')
  }
}

/**
 * BERT as a classifier of the relation between two marked spans, by what it makes of the markers before them
 * (Soares et al. 2019, "Matching the Blanks", §3.2, "entity start"). Ours: Hugging Face has no such head.
 */
export class BertForRelationClassification extends Module {
  readonly config: BertConfig
  readonly bert: BertBody
  readonly dropout: Dropout
  readonly classifier: Linear

  constructor(
    config: BertConfig,
    readonly labels: readonly string[],
  ) {
    super()
    this.config = config
    this.bert = new BertBody(config)
    this.dropout = new Dropout(bertDropout(config).classifier)
    this.classifier = new Linear(2 * config.width, labels.length, config)
    this.nameParts()
  }

  /**
   * @param spans the rows among the N tokens at which each sequence's first and second span start, int64 [B] each
   * @returns [B, labels]
   */
  forward(input: EncoderInput, spans: { readonly first: Tensor; readonly second: Tensor }): Tensor {
    const hidden = this.bert.forward(input, concat(spans.first, spans.second, { axis: 0 })) // [2·B, C]
    const pair = concat(...hidden.split(0, [spans.first.shape[0], spans.second.shape[0]]), { axis: -1 }) // [B, 2·C]
    return this.classifier.forward(this.dropout.forward(pair)).named('logits') // [B, labels]
  }
}

/** The head that guesses tokens: a transformed output against the word embeddings, plus a bias per word. */
export class BertPredictions extends Module {
  readonly transform: BertPredictionTransform
  readonly bias: Parameter
  readonly #words: Parameter

  /** @param words the word embeddings [V, C] */
  constructor(config: BertConfig, words: Parameter) {
    super()
    this.transform = new BertPredictionTransform(config)
    this.bias = new Parameter([config.vocabularySize], filled(0))
    this.#words = words
  }

  /** x [M, C] → [M, V]. */
  forward(x: Tensor): Tensor {
    return linear(this.transform.forward(x), this.#words, this.bias, { transposeB: true })
  }
}

/** norm(activation(x·W + b)), before the comparison with words. x [M, C] → [M, C]. */
export class BertPredictionTransform extends Module {
  readonly dense: Linear
  readonly LayerNorm: LayerNorm
  readonly #activation: Activation

  constructor(config: BertConfig) {
    super()
    this.dense = new Linear(config.width, config.width, config)
    this.LayerNorm = bertNorm(config)
    this.#activation = config.activation ?? 'gelu'
  }

  forward(x: Tensor): Tensor {
    return this.LayerNorm.forward(activations[this.#activation](this.dense.forward(x)))
  }
}
