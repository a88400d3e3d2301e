import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import { bertDropout } from '../models/bert.js'
import {
  type BertConfig,
  BertDecoder,
  BertForMaskedLM,
  BertForMultipleChoice,
  BertForPreTraining,
  BertForQuestionAnswering,
  BertForRelationClassification,
  BertForSequenceClassification,
  BertForTokenClassification,
  BertModel,
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

/** What BERT's config.json says, of which everything else has no bearing on the computation. */
const schema = z.looseObject({
  vocab_size: z.int().positive(),
  hidden_size: z.int().positive(),
  num_hidden_layers: z.int().positive(),
  num_attention_heads: z.int().positive(),
  intermediate_size: z.int().positive(),
  max_position_embeddings: z.int().positive().default(512),
  type_vocab_size: z.int().positive().default(2),
  hidden_act: z.string().default('gelu'),
  hidden_dropout_prob: z.number().default(0.1),
  attention_probs_dropout_prob: z.number().default(0.1),
  classifier_dropout: z.number().nullish(),
  layer_norm_eps: z.number().positive().default(1e-12),
  initializer_range: z.number().nonnegative().default(0.02),
  pad_token_id: z.int().nonnegative().nullish(),
  position_embedding_type: z.literal('absolute').default('absolute'),
  is_decoder: z.literal(false).default(false),
  add_cross_attention: z.literal(false).default(false),
  // Ours: see BertConfig.
  pooling: z.enum(['cls', 'mean']).default('cls'),
  relative_positions: z.strictObject({ buckets: z.int().positive(), max_distance: z.int().positive() }).optional(),
})

const bert: Family<BertConfig> = {
  modelType: 'bert',
  body: 'bert',
  heads: ['cls', 'classifier', 'qa_outputs'],
  toModelConfig: toBertConfig,
  fromModelConfig: fromBertConfig,
}

/** The body alone. */
export const bertBody = bodyArchitecture(bert, {
  name: 'BertModel',
  model: BertModel,
  create: (config) => new BertModel(config),
})

/** The decoder half of an encoder–decoder. */
export const bertDecoder = headArchitecture(bert, {
  name: 'BertLMHeadModel',
  model: BertDecoder,
  create(config, json, where) {
    expectTied(json, where)
    const { pooling: _pooling, relativePositions, ...sizes } = config
    if (relativePositions === undefined) return new BertDecoder(sizes)
    throw new CheckpointError(`${where}: 'relative_positions' does not fit a BERT that decodes`)
  },
})

/** All of BERT's heads; the body alone comes first and stands for heads that are not here. */
export const bertArchitectures: readonly Architecture[] = [
  bertBody,
  headArchitecture(bert, {
    name: 'BertForMaskedLM',
    model: BertForMaskedLM,
    create(config, json, where) {
      expectTied(json, where)
      return new BertForMaskedLM(config)
    },
  }),
  headArchitecture(bert, {
    name: 'BertForPreTraining',
    model: BertForPreTraining,
    create(config, json, where) {
      expectTied(json, where)
      return new BertForPreTraining(config)
    },
  }),
  headArchitecture(bert, {
    name: 'BertForSequenceClassification',
    model: BertForSequenceClassification,
    create: (config, json, where) =>
      new BertForSequenceClassification(config, labelsOf(json, where), problemOf(json, where)),
    describe: (model) => describeClassifier(model),
  }),
  headArchitecture(bert, {
    name: 'BertForTokenClassification',
    model: BertForTokenClassification,
    create: (config, json, where) => new BertForTokenClassification(config, labelsOf(json, where)),
    describe: (model) => describeLabels(model),
  }),
  headArchitecture(bert, {
    name: 'BertForQuestionAnswering',
    model: BertForQuestionAnswering,
    create: (config) => new BertForQuestionAnswering(config),
  }),
  headArchitecture(bert, {
    name: 'BertForMultipleChoice',
    model: BertForMultipleChoice,
    create: (config) => new BertForMultipleChoice(config),
  }),
  headArchitecture(bert, {
    name: 'BertForRelationClassification',
    model: BertForRelationClassification,
    create: (config, json, where) => new BertForRelationClassification(config, labelsOf(json, where)),
    describe: (model) => describeLabels(model),
  }),
]

/**
 * A model's sizes from the contents of config.json.
 *
 * @param defaults what the family is called in messages, and its padding token where the file has none
 * @throws CheckpointError where a key is missing, has a wrong type, or asks for something that BERT here does not do
 */
export function toBertConfig(
  json: unknown,
  where: string,
  defaults: { readonly family: string; readonly padTokenId: number } = { family: 'BERT', padTokenId: 0 },
): BertConfig {
  const config = parseConfig(schema, json, { family: defaults.family, where })
  const { relative_positions: distances } = config
  return {
    vocabularySize: config.vocab_size,
    contextLength: config.max_position_embeddings,
    layers: config.num_hidden_layers,
    heads: config.num_attention_heads,
    width: config.hidden_size,
    innerWidth: config.intermediate_size,
    dropout: {
      hidden: config.hidden_dropout_prob,
      attention: config.attention_probs_dropout_prob,
      classifier: config.classifier_dropout ?? config.hidden_dropout_prob,
    },
    activation: activationOf(config.hidden_act, 'hidden_act', where),
    epsilon: config.layer_norm_eps,
    typeVocabularySize: config.type_vocab_size,
    padTokenId: config.pad_token_id ?? defaults.padTokenId,
    deviation: config.initializer_range,
    pooling: config.pooling,
    ...(distances && { relativePositions: { buckets: distances.buckets, maxDistance: distances.max_distance } }),
  }
}

/** The config.json of a model's sizes. */
export function fromBertConfig(config: BertConfig): Record<string, unknown> {
  const { relativePositions: distances } = config
  const places = bertDropout(config)
  return {
    vocab_size: config.vocabularySize,
    hidden_size: config.width,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    intermediate_size: config.innerWidth ?? 4 * config.width,
    max_position_embeddings: config.contextLength,
    type_vocab_size: config.typeVocabularySize ?? 2,
    hidden_act: config.activation ?? 'gelu',
    hidden_dropout_prob: places.hidden,
    attention_probs_dropout_prob: places.attention,
    classifier_dropout: places.classifier,
    layer_norm_eps: config.epsilon ?? 1e-12,
    initializer_range: config.deviation ?? 0.02,
    pad_token_id: config.padTokenId ?? 0,
    ...(config.pooling === 'mean' && { pooling: 'mean' }),
    ...(distances && { relative_positions: { buckets: distances.buckets, max_distance: distances.maxDistance } }),
  }
}
