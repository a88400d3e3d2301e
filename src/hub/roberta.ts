import { CheckpointError } from '../errors.js'
import {
  type RobertaConfig,
  RobertaDecoder,
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
} from '../models/index.js'
import type { Architecture } from './architecture.js'
import { fromBertConfig, toBertConfig } from './bert.js'
import {
  bodyArchitecture,
  describeClassifier,
  describeLabels,
  expectTied,
  type Family,
  headArchitecture,
  labelsOf,
  problemOf,
} from './bert-family.js'

const roberta: Family<RobertaConfig> = {
  modelType: 'roberta',
  body: 'roberta',
  heads: ['lm_head', 'classifier', 'qa_outputs'],
  toModelConfig: toRobertaConfig,
  fromModelConfig: fromRobertaConfig,
}

/** The body alone. */
export const robertaBody = bodyArchitecture(roberta, {
  name: 'RobertaModel',
  model: RobertaModel,
  create: (config) => new RobertaModel(config),
})

/** The decoder half of an encoder–decoder. */
export const robertaDecoder = headArchitecture(roberta, {
  name: 'RobertaForCausalLM',
  model: RobertaDecoder,
  create(config, json, where) {
    expectTied(json, where)
    return new RobertaDecoder(config)
  },
})

/** All of RoBERTa's heads; the body alone comes first and stands for heads that are not here. */
export const robertaArchitectures: readonly Architecture[] = [
  robertaBody,
  headArchitecture(roberta, {
    name: 'RobertaForMaskedLM',
    model: RobertaForMaskedLM,
    create(config, json, where) {
      expectTied(json, where)
      return new RobertaForMaskedLM(config)
    },
  }),
  headArchitecture(roberta, {
    name: 'RobertaForSequenceClassification',
    model: RobertaForSequenceClassification,
    create: (config, json, where) =>
      new RobertaForSequenceClassification(config, labelsOf(json, where), problemOf(json, where)),
    describe: (model) => describeClassifier(model),
  }),
  headArchitecture(roberta, {
    name: 'RobertaForTokenClassification',
    model: RobertaForTokenClassification,
    create: (config, json, where) => new RobertaForTokenClassification(config, labelsOf(json, where)),
    describe: (model) => describeLabels(model),
  }),
  headArchitecture(roberta, {
    name: 'RobertaForQuestionAnswering',
    model: RobertaForQuestionAnswering,
    create: (config) => new RobertaForQuestionAnswering(config),
  }),
  headArchitecture(roberta, {
    name: 'RobertaForMultipleChoice',
    model: RobertaForMultipleChoice,
    create: (config) => new RobertaForMultipleChoice(config),
  }),
]

/**
 * A model's sizes from the contents of config.json, whose keys are BERT's. The table of positions there counts the rows
 * up to the padding token's, which no token can have.
 *
 * @throws CheckpointError where a key is missing, has a wrong type, or asks for something that RoBERTa here does not do
 */
export function toRobertaConfig(json: unknown, where: string): RobertaConfig {
  const config = toBertConfig(json, where, { family: 'RoBERTa', padTokenId: 1 })
  if (config.pooling === 'mean' || config.relativePositions !== undefined) {
    throw new CheckpointError(`${where}: 'pooling' and 'relative_positions' do not fit a RoBERTa model`)
  }
  const { pooling: _pooling, relativePositions: _positions, ...sizes } = config
  return { ...sizes, contextLength: config.contextLength - unusedPositions(config) }
}

/** The config.json of a model's sizes. */
export function fromRobertaConfig(config: RobertaConfig): Record<string, unknown> {
  return {
    ...fromBertConfig({ typeVocabularySize: 1, epsilon: 1e-5, ...config, padTokenId: config.padTokenId ?? 1 }),
    max_position_embeddings: config.contextLength + unusedPositions(config),
  }
}

function unusedPositions({ padTokenId = 1 }: RobertaConfig): number {
  return padTokenId + 1
}
