import { Bart, Transformer } from '../models/index.js'
import type { Architecture, NamedTensors, StoredTensor } from './architecture.js'
import { halvesFromPairs, pairsFromHalves } from './coordinates.js'
import { fromTransformerConfig, specialTokens, toTransformerConfig } from './sequence-to-sequence.js'

const common = {
  generates: true,
  specialTokens: ({ config }: Transformer) => specialTokens(config),
  extraTensors: (model: Transformer): NamedTensors => new Map([...zeroLogitsBias(model), ...copiesOfEmbeddings(model)]),
  ignores: (_model: Transformer, name: string, data: Float32Array) =>
    isTied(name) || (name === 'final_logits_bias' && data.every((value) => value === 0)),
}

/**
 * The Transformer with post-norm, in the format of Marian (`MarianMTModel`), which is the same function of the same
 * weights: Marian has all sines of a position in front of all cosines, the paper has them in turns, so that what is saved
 * has the coordinates of the width in that other order.
 */
export const marianArchitecture: Architecture<Transformer> = {
  ...common,
  name: 'MarianMTModel',
  modelType: 'marian',
  create: (json, where) => new Transformer(toTransformerConfig(json, 'Marian', where)),
  owns: (model): model is Transformer => isPlain(model) && model.config.norm !== 'pre',
  toConfig: ({ config }) => ({
    architectures: ['MarianMTModel'],
    model_type: 'marian',
    ...fromTransformerConfig(config),
  }),
  // Positions that older versions saved.
  parameterName: (stored) => (stored.endsWith('embed_positions.weight') ? undefined : stored),
  fromFile: (name, tensor) => pairsFromHalves(tensor, widthAxis(name)),
  toFile: (name, tensor) => halvesFromPairs(tensor, widthAxis(name)),
}

/** The Transformer with pre-norm, for which Hugging Face has no class with these positions. */
export const preNormArchitecture: Architecture<Transformer> = {
  ...common,
  name: 'Transformer',
  modelType: 'transformer',
  create: (json, where) => new Transformer(toTransformerConfig(json, 'Transformer', where)),
  owns: (model): model is Transformer => isPlain(model) && model.config.norm === 'pre',
  toConfig: ({ config }) => ({
    architectures: ['Transformer'],
    model_type: 'transformer',
    norm: 'pre',
    ...fromTransformerConfig(config),
  }),
  parameterName: (stored) => stored,
}

/** BART: `BartForConditionalGeneration`. */
export const bartArchitecture: Architecture<Bart> = {
  ...common,
  name: 'BartForConditionalGeneration',
  modelType: 'bart',
  create: (json, where) => new Bart(toTransformerConfig(json, 'BART', where)),
  owns: (model): model is Bart => model instanceof Bart,
  toConfig: ({ config }) => ({
    architectures: ['BartForConditionalGeneration'],
    model_type: 'bart',
    ...fromTransformerConfig(config),
  }),
  parameterName: (stored) => (/^(model|lm_head)\.|^final_logits_bias$/.test(stored) ? stored : `model.${stored}`),
}

function isPlain(model: object): model is Transformer {
  return model instanceof Transformer && !(model instanceof Bart)
}

function zeroLogitsBias({ config, final_logits_bias }: Transformer): [string, StoredTensor][] {
  if (final_logits_bias !== undefined) return []
  const { vocabularySize } = config
  return [['final_logits_bias', { shape: [1, vocabularySize], data: new Float32Array(vocabularySize) }]]
}

/** Where the head is not tied Python takes nothing for shared, and looks for each side's embeddings. */
function copiesOfEmbeddings({ config, model: { shared } }: Transformer): [string, StoredTensor][] {
  if (shared?.weight.data === undefined || config.tiedHead !== false) return []
  const { shape, data } = shared.weight
  return ['encoder', 'decoder'].map((side) => [`model.${side}.embed_tokens.weight`, { shape, data }])
}

/** Copies of shared weights, for which the one that comes first stands. */
function isTied(name: string): boolean {
  return /(^|\.)embed_tokens\.weight$|^lm_head\.weight$/.test(name)
}

/** Which axis of a parameter the model's width is, if any. */
function widthAxis(name: string): number | undefined {
  if (/(shared|embed_tokens|lm_head|[qkv]_proj|fc1)\.weight$/.test(name)) return 1
  return /(out_proj|fc2|layer_norm)\.(weight|bias)$/.test(name) ? 0 : undefined
}
