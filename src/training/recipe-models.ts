import { z } from 'zod'
import { flag, fraction, integer, isMap, list, oneOf, positive, section, text } from './recipe-parts.js'

const activation = () => oneOf(['gelu', 'gelu_new', 'relu', 'silu'])

/** The encoders, whose sizes are described alike. */
const encoderTypes = ['bert', 'roberta', 'distilbert'] as const

/** The encoder–decoders, by their `model.type`. */
export const encoderDecoderTypes = ['transformer', 't5', 'bart', 'bert2bert'] as const

/** Llama and its relatives, by their `model.type`. */
const llamaTypes = ['llama', 'mistral', 'qwen2', 'qwen3'] as const

// The message names all types, because this is also the schema that judges a type that does not exist.
const gptType = z.literal('gpt', list(['gpt', ...llamaTypes, ...encoderTypes, ...encoderDecoderTypes])).default('gpt')

function headsDivideWidth(payload: z.core.ParsePayload<{ heads: number; width: number }>): void {
  const { heads, width } = payload.value
  if (width % heads === 0) return
  const message = `a divisor of model.width (${width})`
  payload.issues.push({ code: 'custom', path: ['heads'], message, input: heads })
}

const gptModel = section({
  type: gptType,
  layers: integer(1).default(4),
  heads: integer(1).default(4),
  width: integer(1).default(128),
  contextLength: integer(1).default(64),
  dropout: fraction().default(0),
  bias: flag().default(false),
  activation: activation().default('gelu'),
}).check(headsDivideWidth)

const gptPreset = section({
  type: gptType,
  preset: text('the name of a preset'),
  layers: integer(1).optional(),
  heads: integer(1).optional(),
  width: integer(1).optional(),
  contextLength: integer(1).optional(),
  dropout: fraction().optional(),
  bias: flag().optional(),
  activation: activation().optional(),
})

const llamaKeys = {
  type: oneOf(llamaTypes),
  preset: text('the name of a preset').optional(),
  layers: integer(1).optional(),
  heads: integer(1).optional(),
  keyValueHeads: integer(1).optional(),
  width: integer(1).optional(),
  headWidth: integer(1).optional(),
  innerWidth: integer(1).optional(),
  contextLength: integer(1).optional(),
  slidingWindow: integer(1).optional(),
  theta: positive().optional(),
  tiedHead: flag().optional(),
  dropout: fraction().optional(),
  activation: activation().optional(),
  deviation: positive().optional(),
}
const llamaModel = section(llamaKeys)

const pooling = () => oneOf(['cls', 'mean'])

const encoderModel = section({
  type: oneOf(encoderTypes),
  layers: integer(1).default(4),
  heads: integer(1).default(4),
  width: integer(1).default(128),
  innerWidth: integer(1).optional(),
  contextLength: integer(1).default(128),
  dropout: fraction().default(0.1),
  activation: activation().default('gelu'),
  pooling: pooling().optional(),
  relativePositions: flag().default(false),
  deviation: positive().optional(),
}).check(headsDivideWidth)

const encoderPreset = section({
  type: oneOf(encoderTypes).default('bert'),
  preset: text('the name of a preset'),
  layers: integer(1).optional(),
  heads: integer(1).optional(),
  width: integer(1).optional(),
  innerWidth: integer(1).optional(),
  contextLength: integer(1).optional(),
  dropout: fraction().optional(),
  activation: activation().optional(),
  pooling: pooling().optional(),
  relativePositions: flag().optional(),
  deviation: positive().optional(),
})

/** What every encoder–decoder's sizes include. */
const encoderDecoderSizes = {
  layers: integer(1).optional(),
  encoderLayers: integer(1).optional(),
  decoderLayers: integer(1).optional(),
  heads: integer(1).optional(),
  width: integer(1).optional(),
  innerWidth: integer(1).optional(),
  contextLength: integer(1).optional(),
  dropout: fraction().optional(),
  activation: activation().optional(),
}

const transformerKeys = {
  type: z.literal('transformer').default('transformer'),
  preset: text('the name of a preset').optional(),
  ...encoderDecoderSizes,
  attentionDropout: fraction().optional(),
  activationDropout: fraction().optional(),
  norm: oneOf(['post', 'pre']).optional(),
}
const transformerModel = section(transformerKeys)

const t5Keys = {
  type: z.literal('t5'),
  preset: text('the name of a preset').optional(),
  ...encoderDecoderSizes,
  headWidth: integer(1).optional(),
  gated: flag().optional(),
}
const t5Model = section(t5Keys)

const bartKeys = {
  type: z.literal('bart'),
  preset: text('the name of a preset').optional(),
  ...encoderDecoderSizes,
  attentionDropout: fraction().optional(),
  activationDropout: fraction().optional(),
}
const bartModel = section(bartKeys)

const joinedModel = section({
  type: z.literal('bert2bert'),
  encoder: text('the checkpoint directory of an encoder such as BERT'),
  decoder: text('the checkpoint directory of a BERT or GPT'),
})

const checkpointModel = section({
  from: text('a checkpoint directory'),
  dropout: fraction().optional(),
  pooling: pooling().optional(),
})

/** The schemas of each `model.type`: with its sizes written out, and with a preset that brings them. */
const gptSchemas = { sizes: gptModel, preset: gptPreset }
const llamaSchemas = { sizes: llamaModel, preset: llamaModel }
const encoderSchemas = { sizes: encoderModel, preset: encoderPreset }
const modelTypes = {
  gpt: gptSchemas,
  llama: llamaSchemas,
  mistral: llamaSchemas,
  qwen2: llamaSchemas,
  qwen3: llamaSchemas,
  bert: encoderSchemas,
  roberta: encoderSchemas,
  distilbert: encoderSchemas,
  transformer: { sizes: transformerModel, preset: transformerModel },
  t5: { sizes: t5Model, preset: t5Model },
  bart: { sizes: bartModel, preset: bartModel },
  bert2bert: { sizes: joinedModel, preset: joinedModel },
}

/** What trains an encoder where the recipe does not name a kind of model. */
const encoderObjectives: readonly unknown[] = ['masked-lm', 'tagging', 'answering', 'multiple-choice', 'relation']

/** What trains an encoder–decoder there. */
const encoderDecoderObjectives: readonly unknown[] = ['seq2seq', 'denoising']

/** The keys that describe a new model. */
export const modelKeys: ReadonlySet<string> = new Set(
  Object.keys({ ...gptPreset.shape, ...llamaKeys, ...encoderPreset.shape, ...transformerKeys, ...t5Keys, ...bartKeys }),
)

/** The section that has most of the keys of a model, to point from a key in the wrong place to it. */
export const modelSection = section({ ...llamaKeys, ...encoderPreset.shape, ...transformerKeys, ...t5Keys })

/**
 * A GPT described by its sizes: layers, attention heads, width C, contextLength T in tokens, dropout probability, bias
 * in the linear and norm layers, and the feed-forward activation (names of Hugging Face: `gelu` exact, `gelu_new` tanh).
 */
export type GptOptions = z.infer<typeof gptModel>

/** A GPT whose sizes come from a named preset, with the exceptions written beside it. */
export type GptPresetOptions = z.infer<typeof gptPreset>

/**
 * A Llama, or a relative of it, described by its sizes: heads of queries and `keyValueHeads` that they share, the base `theta`
 * of the rotary positions, a Mistral's `slidingWindow`. What is left out comes from the `preset`, where there is one.
 */
export type LlamaOptions = z.infer<typeof llamaModel>

/**
 * An encoder described by its sizes: `innerWidth` of the feed-forward layers (default 4 · width), what stands for a whole
 * sequence (`pooling`: its first token or the mean of all), whether attention knows distances beside the positions, and the
 * `deviation` of the first weights (default BERT's 0.02; narrow models learn sooner with about 1/√width).
 */
export type EncoderOptions = z.infer<typeof encoderModel>

/** An encoder whose sizes come from a named preset, with the exceptions written beside it. */
export type EncoderPresetOptions = z.infer<typeof encoderPreset>

/**
 * A Transformer described by its sizes: `layers` of the encoder and of the decoder, or `encoderLayers` and `decoderLayers`;
 * `dropout` of everything, unless attention weights and the feed-forward layers' inner units have their own; where the norms
 * are. What is left out comes from the `preset`, by default `transformer-small`.
 */
export type TransformerOptions = z.infer<typeof transformerModel>

/** A T5 described in the same way (preset by default `t5-small`); `gated` feed-forward layers are those of version 1.1. */
export type T5Options = z.infer<typeof t5Model>

/** A BART described in the same way (preset by default `bart-base`). */
export type BartOptions = z.infer<typeof bartModel>

/** An encoder and a decoder from checkpoints of their own, which bring their tokenizers. */
export type JoinedOptions = z.infer<typeof joinedModel>

/** An encoder–decoder of any family. */
export type EncoderDecoderOptions = TransformerOptions | T5Options | BartOptions | JoinedOptions

/** A checkpoint directory to go on from: it brings the architecture and the tokenizer. */
export type CheckpointOptions = z.infer<typeof checkpointModel>

/** What to train. */
export type ModelOptions =
  | GptOptions
  | GptPresetOptions
  | LlamaOptions
  | EncoderOptions
  | EncoderPresetOptions
  | EncoderDecoderOptions
  | CheckpointOptions

/** The dropout that a recipe asks for, where it does. */
export function dropoutOf(options: ModelOptions): number | undefined {
  return 'dropout' in options ? options.dropout : undefined
}

/** The key that names a checkpoint whose architecture and tokenizer the model has, where there is one. */
export function checkpointKey({ model }: Record<string, unknown>): 'model.from' | 'model.encoder' | undefined {
  if (!isMap(model)) return undefined
  if (Object.hasOwn(model, 'from')) return 'model.from'
  return Object.hasOwn(model, 'encoder') || model.type === 'bert2bert' ? 'model.encoder' : undefined
}

/** Whether a new model is an encoder–decoder. */
export function isEncoderDecoder(options: ModelOptions): options is EncoderDecoderOptions {
  const types: readonly unknown[] = encoderDecoderTypes
  return 'type' in options && types.includes(options.type)
}

/** Whether a new model is a Llama or one of its relatives. */
export function isLlama(options: ModelOptions): options is LlamaOptions {
  const types: readonly unknown[] = llamaTypes
  return 'type' in options && types.includes(options.type)
}

/** Names the kind of model where the recipe leaves it to the objective. */
export function withModelType(document: Record<string, unknown>): Record<string, unknown> {
  const { model = {}, objective } = document
  if (!isMap(model) || Object.hasOwn(model, 'from') || model.type !== undefined) return document
  if (Object.hasOwn(model, 'encoder')) return { ...document, model: { type: 'bert2bert', ...model } }
  const preset = String(model.preset)
  const type =
    [...llamaTypes, ...encoderTypes, ...encoderDecoderTypes].find((name) => preset.startsWith(name)) ??
    (preset.startsWith('smollm') ? 'llama' : undefined) ??
    (encoderObjectives.includes(objective) || preset.startsWith('minilm') ? 'bert' : undefined) ??
    (encoderDecoderObjectives.includes(objective) ? 'transformer' : 'gpt')
  return { ...document, model: { type, ...model } }
}

/** The schema that fits what a model section has: not a union, whose errors would speak of every member. */
export function modelSchema({ model }: Record<string, unknown>) {
  if (!isMap(model)) return gptModel
  if (Object.hasOwn(model, 'from')) return checkpointModel
  const schemas = Object.entries(modelTypes).find(([type]) => type === model.type)?.[1] ?? gptSchemas
  return Object.hasOwn(model, 'preset') ? schemas.preset : schemas.sizes
}
