import type { Module } from '../nn/index.js'
import { type BertConfig, BertModel } from './bert.js'
import { BertDecoder, RobertaDecoder } from './bert-decoder.js'
import {
  BertForMaskedLM,
  BertForMultipleChoice,
  BertForPreTraining,
  BertForQuestionAnswering,
  BertForRelationClassification,
  BertForSequenceClassification,
  BertForTokenClassification,
} from './bert-heads.js'
import type { CrossDecoder } from './bert2bert.js'
import {
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  DistilBertModel,
} from './distilbert.js'
import type {
  ChoiceModel,
  ClassificationProblem,
  MaskedLanguageModel,
  QuestionAnswerer,
  SequenceClassifier,
  TextEncoder,
  TokenClassifier,
} from './encoder.js'
import {
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
} from './roberta.js'

/** The heads that a family of encoders can be given, as functions that build body and head. */
export interface EncoderFamily {
  readonly name: 'bert' | 'roberta' | 'distilbert'
  /** Whether a model is of the family, whatever its head. */
  owns(model: Module): boolean
  maskedLm(config: BertConfig): MaskedLanguageModel
  classification(config: BertConfig, labels: readonly string[], problem?: ClassificationProblem): SequenceClassifier
  tagging(config: BertConfig, labels: readonly string[]): TokenClassifier
  answering(config: BertConfig): QuestionAnswerer
  multipleChoice?(config: BertConfig): ChoiceModel
  relation?(config: BertConfig, labels: readonly string[]): BertForRelationClassification
  pretraining?(config: BertConfig): BertForPreTraining
  body?(config: BertConfig): TextEncoder
  decoder?(config: BertConfig): CrossDecoder
}

const bert: EncoderFamily = {
  name: 'bert',
  owns: (model) => model instanceof BertModel || 'bert' in model,
  body: (config) => new BertModel(config),
  decoder: (config) => new BertDecoder(config),
  maskedLm: (config) => new BertForMaskedLM(config),
  pretraining: (config) => new BertForPreTraining(config),
  classification: (config, labels, problem) => new BertForSequenceClassification(config, labels, problem),
  tagging: (config, labels) => new BertForTokenClassification(config, labels),
  answering: (config) => new BertForQuestionAnswering(config),
  multipleChoice: (config) => new BertForMultipleChoice(config),
  relation: (config, labels) => new BertForRelationClassification(config, labels),
}

const roberta: EncoderFamily = {
  name: 'roberta',
  owns: (model) => model instanceof RobertaModel || 'roberta' in model,
  body: (config) => new RobertaModel(config),
  decoder: (config) => new RobertaDecoder(config),
  maskedLm: (config) => new RobertaForMaskedLM(config),
  classification: (config, labels, problem) => new RobertaForSequenceClassification(config, labels, problem),
  tagging: (config, labels) => new RobertaForTokenClassification(config, labels),
  answering: (config) => new RobertaForQuestionAnswering(config),
  multipleChoice: (config) => new RobertaForMultipleChoice(config),
}

const distilbert: EncoderFamily = {
  name: 'distilbert',
  owns: (model) => model instanceof DistilBertModel || 'distilbert' in model,
  body: (config) => new DistilBertModel(config),
  maskedLm: (config) => new DistilBertForMaskedLM(config),
  classification: (config, labels, problem) => new DistilBertForSequenceClassification(config, labels, problem),
  tagging: (config, labels) => new DistilBertForTokenClassification(config, labels),
  answering: (config) => new DistilBertForQuestionAnswering(config),
  multipleChoice: (config) => new DistilBertForMultipleChoice(config),
}

/** Every family of encoders, by the `model_type` of its checkpoints. */
export const encoderFamilies: Readonly<Record<string, EncoderFamily>> = { bert, roberta, distilbert }

/** The family of an encoder, or undefined for another kind of model. */
export function encoderFamilyOf(model: Module): EncoderFamily | undefined {
  return Object.values(encoderFamilies).find((family) => family.owns(model))
}
