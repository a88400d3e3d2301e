import { z } from 'zod'
import { bertDropout } from '../models/bert.js'
import {
  type DistilBertConfig,
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  DistilBertModel,
} from '../models/index.js'
import { type Architecture, activationOf } from './architecture.js'
import {
  bodyArchitecture,
  describeClassifier,
  describeLabels,
  expectTied,
  type Family,
  headArchitecture,
  labelsOf,
  parseConfig,
  problemOf,
} from './bert-family.js'

/** What DistilBERT's config.json says, of which everything else has no bearing on the computation. */
const schema = z.looseObject({
  vocab_size: z.int().positive(),
  dim: z.int().positive(),
  n_layers: z.int().positive(),
  n_heads: z.int().positive(),
  hidden_dim: z.int().positive(),
  max_position_embeddings: z.int().positive().default(512),
  activation: z.string().default('gelu'),
  dropout: z.number().default(0.1),
  attention_dropout: z.number().default(0.1),
  seq_classif_dropout: z.number().default(0.2),
  qa_dropout: z.number().default(0.1),
  initializer_range: z.number().nonnegative().default(0.02),
  pad_token_id: z.int().nonnegative().nullish(),
})

const distilbert: Family<DistilBertConfig> = {
  modelType: 'distilbert',
  body: 'distilbert',
  heads: ['vocab_transform', 'vocab_layer_norm', 'vocab_projector', 'pre_classifier', 'classifier', 'qa_outputs'],
  toModelConfig: toDistilBertConfig,
  fromModelConfig: fromDistilBertConfig,
}

/** The body alone. */
export const distilBertBody = bodyArchitecture(distilbert, {
  name: 'DistilBertModel',
  model: DistilBertModel,
  create: (config) => new DistilBertModel(config),
})

/** All of DistilBERT's heads; the body alone comes first and stands for heads that are not here. */
export const distilBertArchitectures: readonly Architecture[] = [
  distilBertBody,
  headArchitecture(distilbert, {
    name: 'DistilBertForMaskedLM',
    model: DistilBertForMaskedLM,
    create(config, json, where) {
      expectTied(json, where)
      return new DistilBertForMaskedLM(config)
    },
  }),
  headArchitecture(distilbert, {
    name: 'DistilBertForSequenceClassification',
    model: DistilBertForSequenceClassification,
    create: (config, json, where) =>
      new DistilBertForSequenceClassification(config, labelsOf(json, where), problemOf(json, where)),
    describe: (model) => describeClassifier(model),
  }),
  headArchitecture(distilbert, {
    name: 'DistilBertForTokenClassification',
    model: DistilBertForTokenClassification,
    create: (config, json, where) => new DistilBertForTokenClassification(config, labelsOf(json, where)),
    describe: (model) => describeLabels(model),
  }),
  headArchitecture(distilbert, {
    name: 'DistilBertForQuestionAnswering',
    model: DistilBertForQuestionAnswering,
    create(config, json, where) {
      const { qa_dropout } = parseConfig(schema, json, { family: 'DistilBERT', where })
      return new DistilBertForQuestionAnswering({
        ...config,
        dropout: { ...bertDropout(config), classifier: qa_dropout },
      })
    },
    describe: ({ config }) => ({ qa_dropout: bertDropout(config).classifier }),
  }),
  headArchitecture(distilbert, {
    name: 'DistilBertForMultipleChoice',
    model: DistilBertForMultipleChoice,
    create: (config) => new DistilBertForMultipleChoice(config),
  }),
]

/**
 * A model's sizes from the contents of config.json.
 *
 * @throws CheckpointError where a key is missing, has a wrong type, or asks for something that DistilBERT here does not do
 */
export function toDistilBertConfig(json: unknown, where: string): DistilBertConfig {
  const config = parseConfig(schema, json, { family: 'DistilBERT', where })
  return {
    vocabularySize: config.vocab_size,
    contextLength: config.max_position_embeddings,
    layers: config.n_layers,
    heads: config.n_heads,
    width: config.dim,
    innerWidth: config.hidden_dim,
    dropout: { hidden: config.dropout, attention: config.attention_dropout, classifier: config.seq_classif_dropout },
    activation: activationOf(config.activation, 'activation', where),
    padTokenId: config.pad_token_id ?? 0,
    deviation: config.initializer_range,
  }
}

/** The config.json of a model's sizes. */
export function fromDistilBertConfig(config: DistilBertConfig): Record<string, unknown> {
  const places = bertDropout(config)
  return {
    vocab_size: config.vocabularySize,
    dim: config.width,
    n_layers: config.layers,
    n_heads: config.heads,
    hidden_dim: config.innerWidth ?? 4 * config.width,
    max_position_embeddings: config.contextLength,
    activation: config.activation ?? 'gelu',
    dropout: places.hidden,
    attention_dropout: places.attention,
    seq_classif_dropout: places.classifier,
    initializer_range: config.deviation ?? 0.02,
    pad_token_id: config.padTokenId ?? 0,
  }
}
