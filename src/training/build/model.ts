import { CheckpointError, ConfigError } from '../../errors.js'
import { checkTokenizer } from '../../hub/check-tokenizer.js'
import { type LoadedModel, loadModel } from '../../hub/checkpoint.js'
import { type EncoderFamily, encoderFamilies, encoderFamilyOf } from '../../models/encoder-families.js'
import {
  type BertConfig,
  bertBase,
  bertBaseChinese,
  bertLarge,
  bertMedium,
  bertMini,
  bertSmall,
  bertTiny,
  type CausalLanguageModel,
  GPT,
  type GPTConfig,
  GPTForSequenceClassification,
  gpt2Large,
  gpt2Medium,
  gpt2Small,
  gpt2XL,
  gptCharacter,
  Llama,
  miniLML6,
} from '../../models/index.js'
import { initialize, type Module } from '../../nn/index.js'
import { readChatTemplate } from '../../tokenizers/chat-template-file.js'
import { loadTokenizer } from '../../tokenizers/node.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { ModelOptions, Recipe } from '../recipe.js'
import { dropoutOf, isEncoderDecoder, isLlama } from '../recipe-models.js'
import { newLlama } from './llama.js'
import { findPreset } from './presets.js'

/** GPT's presets by the names that recipes use: Hugging Face's. */
const gptPresets: Readonly<Record<string, (vocabularySize: number) => GPTConfig>> = {
  'gpt-character': gptCharacter,
  gpt2: gpt2Small,
  'gpt2-medium': gpt2Medium,
  'gpt2-large': gpt2Large,
  'gpt2-xl': gpt2XL,
}

/** The encoders' presets by the names that recipes use. */
const encoderPresets: Readonly<Record<string, () => BertConfig>> = {
  'bert-tiny': bertTiny,
  'bert-mini': bertMini,
  'bert-small': bertSmall,
  'bert-medium': bertMedium,
  'bert-base': bertBase,
  'bert-large': bertLarge,
  'bert-base-chinese': bertBaseChinese,
  'minilm-l6': miniLML6,
}

/** Any model, with what all of them know about themselves. */
export type AnyModel = Module & { readonly config: { readonly vocabularySize: number; readonly contextLength: number } }

/** A model and tokenizer that belong together. */
export interface ModelWithTokenizer<M extends Module = Module> {
  readonly model: M
  readonly tokenizer: Tokenizer
  /** The chat template of the checkpoint that they come from, where it has one. */
  readonly chatTemplate?: string | undefined
}

/**
 * Opens the checkpoint that a training goes on from.
 *
 * @throws CheckpointError where its tokenizer has another vocabulary
 */
export async function openCheckpoint(path: string): Promise<ModelWithTokenizer<AnyModel>> {
  const { model, directory } = loadModel(path) as LoadedModel<AnyModel>
  const tokenizer = await loadTokenizer(directory)
  checkTokenizer(tokenizer, model, directory)
  return { model, tokenizer, chatTemplate: readChatTemplate(directory) }
}

/** The directory that a training starts from: the run's own checkpoint where it is resumed, else the recipe's. */
export function startingPoint(recipe: Recipe, checkpoint: string | undefined): string | undefined {
  return checkpoint ?? ('from' in recipe.model ? recipe.model.from : undefined)
}

/** A language model with first weights by the recipe's seed. */
export function makeLanguageModel({ model, train }: Recipe, { vocabularySize }: Tokenizer): CausalLanguageModel {
  const made = isLlama(model) ? newLlama(model, vocabularySize) : new GPT(gptConfig(model, vocabularySize))
  initialize(made.parameters(), train.seed)
  return made
}

/**
 * A language model with the weights of another model's body, and its head where it is one.
 *
 * @throws CheckpointError where it is no language model
 */
export function languageModelFrom(model: AnyModel, options: ModelOptions, seed: number): CausalLanguageModel {
  const { config } = model instanceof Llama ? model : expectGPT(model)
  const dropout = dropoutOf(options) ?? config.dropout
  const isHeaded = model instanceof GPT || model instanceof Llama
  if (isHeaded && dropout === config.dropout) return model
  if (model instanceof Llama)
    return withWeightsOf(model.like({ ...model.config, dropout: Number(dropout) }), model, seed)
  return withWeightsOf(new GPT({ ...expectGPT(model).config, dropout }), model, seed)
}

/** @throws CheckpointError where a model is no GPT */
export function expectGPT(model: AnyModel): GPT | GPTForSequenceClassification {
  if (model instanceof GPT || model instanceof GPTForSequenceClassification) return model
  throw new CheckpointError(
    `model.from: this objective trains a language model such as GPT or Llama, not a ${model.constructor.name}`,
  )
}

/** How a model with a head is built for a family of encoders. */
export type MakeHead<M extends Module> = (family: EncoderFamily, config: BertConfig) => M | undefined

/**
 * An encoder with a head: with first weights, or with those of another model's body, and of its head where it is the same.
 *
 * @param source the model to start from, or how many tokens a new one knows
 * @param make builds body and head; undefined where the family has no such head
 * @throws CheckpointError, ConfigError where it is no encoder
 */
export function makeEncoder<M extends Module>(
  source: AnyModel | number,
  { model: options, train, objective }: Recipe,
  make: MakeHead<M>,
): M {
  const head = (family: EncoderFamily, config: BertConfig) => {
    const made = make(family, config)
    if (made !== undefined) return made
    throw new ConfigError(`objective: ${family.name} has no head for ${objective}; use a BERT`)
  }
  if (typeof source === 'number') {
    const made = head(familyOf(options, objective), encoderConfig(options, source))
    initialize(made.parameters(), train.seed)
    return made
  }
  const family = encoderFamilyOf(source)
  if (family === undefined) {
    throw new CheckpointError(
      `model.from: ${objective} trains an encoder such as BERT, not a ${source.constructor.name}`,
    )
  }
  return withWeightsOf(head(family, { ...source.config, ...changesOf(options) } as BertConfig), source, train.seed)
}

/** Whether a recipe or the checkpoint that it starts from asks for a GPT. */
export function isGPT(source: AnyModel | number, options: ModelOptions): boolean {
  if (typeof source === 'number') return 'type' in options && options.type === 'gpt'
  return source instanceof GPT || source instanceof GPTForSequenceClassification
}

/** Takes over the parameters that two models have in common; the others get their first weights. */
export function withWeightsOf<M extends Module>(made: M, source: Module, seed: number): M {
  const parameters = made.parameters()
  const known = new Map(Object.entries(source.parameters()).map(([path, parameter]) => [withoutBody(path), parameter]))
  initialize(parameters, seed)
  for (const [path, parameter] of Object.entries(parameters)) {
    const { data, shape } = known.get(withoutBody(path)) ?? {}
    if (data !== undefined && String(shape) === String(parameter.shape)) parameter.data = data
  }
  return made
}

/** A parameter's path within the body, whose own path a model without a head lacks. */
function withoutBody(path: string): string {
  return path.replace(/^(transformer|bert|roberta|distilbert)\./, '')
}

/** The sizes that a recipe gives a new GPT. @throws ConfigError for an unknown preset */
export function gptConfig(options: ModelOptions, vocabularySize: number): GPTConfig {
  if ('from' in options) throw new ConfigError('model.from names a checkpoint, which is loaded and not made')
  if (options.type !== 'gpt') throw new ConfigError(`model.type: this objective trains a gpt, not a ${options.type}`)
  if (!('preset' in options)) return { ...options, vocabularySize }
  const { preset, type: _type, ...given } = options
  return { ...findPreset(preset, gptPresets)(vocabularySize), ...given, vocabularySize }
}

/** The sizes that a recipe gives a new encoder; presets bring no vocabulary, since the tokenizer does. */
function encoderConfig(options: ModelOptions, vocabularySize: number): BertConfig {
  if ('from' in options) throw new ConfigError('model.from names a checkpoint, which is loaded and not made')
  if (options.type === 'gpt' || isEncoderDecoder(options) || isLlama(options)) {
    throw new ConfigError(`model.type: this objective trains an encoder such as bert, not a ${options.type}`)
  }
  if (!('preset' in options)) {
    const { type: _type, relativePositions, ...sizes } = options
    return { ...sizes, ...(relativePositions ? { relativePositions: distances } : {}), vocabularySize }
  }
  return { ...findPreset(options.preset, encoderPresets)(), ...changesOf(options), vocabularySize }
}

/** T5's sizes (Raffel et al. 2020, §2.1). */
const distances = { buckets: 32, maxDistance: 128 }

/** What a recipe changes of an encoder's sizes. */
function changesOf(options: ModelOptions): Partial<BertConfig> {
  const { type: _type, preset: _preset, from: _from, relativePositions, ...given } = { ...noKeys, ...options }
  const known = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(known), ...(relativePositions ? { relativePositions: distances } : {}) }
}

const noKeys: { type?: string; preset?: string; from?: string; relativePositions?: boolean } = {}

function familyOf(options: ModelOptions, objective: string): EncoderFamily {
  const family = 'type' in options && options.type !== undefined ? encoderFamilies[options.type] : undefined
  if (family !== undefined) return family
  throw new ConfigError(`model.type: ${objective} trains one of ${Object.keys(encoderFamilies).join(', ')}`)
}
