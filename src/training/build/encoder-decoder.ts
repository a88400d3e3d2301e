import { CheckpointError, ConfigError } from '../../errors.js'
import { checkTokenizer } from '../../hub/check-tokenizer.js'
import { loadModel } from '../../hub/checkpoint.js'
import {
  Bart,
  bartBase,
  bartLarge,
  encoderDecoderFrom,
  type SequenceToSequenceModel,
  T5,
  type T5Config,
  Transformer,
  type TransformerConfig,
  t5Base,
  t5Large,
  t5Small,
  t5V11Small,
  transformerBase,
  transformerBig,
  transformerSmall,
} from '../../models/index.js'
import { transformerDropout } from '../../models/transformer.js'
import { initialize, type Module } from '../../nn/index.js'
import { endToken } from '../../tokenizers/ended.js'
import { loadSourceTokenizer, loadTokenizer, sourceTokenizerFolder } from '../../tokenizers/node.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { Recipe } from '../recipe.js'
import {
  type BartOptions,
  type EncoderDecoderOptions,
  encoderDecoderTypes,
  isEncoderDecoder,
  type JoinedOptions,
  type T5Options,
  type TransformerOptions,
} from '../recipe-models.js'
import { startingPoint, withWeightsOf } from './model.js'
import { findPreset } from './presets.js'

/** An encoder–decoder with the tokenizers of both sides. */
export interface EncoderDecoder {
  readonly model: SequenceToSequenceModel
  /** Of the targets, and of the sources where they have none of their own. */
  readonly tokenizer: Tokenizer
  readonly sourceTokenizer?: Tokenizer | undefined
}

/** The tokenizers of an encoder–decoder. */
export type Tokenizers = Omit<EncoderDecoder, 'model'>

/** What a model's sizes say of its tokens. */
export type Vocabularies = Required<Pick<TransformerConfig, 'vocabularySize' | 'decoderStartTokenId' | 'eosTokenId'>> &
  Pick<TransformerConfig, 'sourceVocabularySize' | 'padTokenId'>

/** The Transformer's presets by the names that recipes use. */
const transformerPresets: Readonly<Record<string, () => TransformerConfig>> = {
  'transformer-small': transformerSmall,
  'transformer-base': transformerBase,
  'transformer-big': transformerBig,
}

/** T5's presets by Hugging Face's names. */
const t5Presets: Readonly<Record<string, () => T5Config>> = {
  't5-small': t5Small,
  't5-base': t5Base,
  't5-large': t5Large,
  't5-v1_1-small': t5V11Small,
}

/** BART's presets by Hugging Face's names. */
const bartPresets: Readonly<Record<string, () => TransformerConfig>> = {
  'bart-base': bartBase,
  'bart-large': bartLarge,
}

/**
 * The encoder–decoder that a recipe starts from: a new one with first weights and tokenizers, a checkpoint, or that of a run
 * that is resumed.
 *
 * @param makeTokenizers called for a new one
 * @throws ConfigError, CheckpointError where the recipe or checkpoint is of another kind of model
 */
export async function startEncoderDecoder(
  recipe: Recipe,
  checkpoint: string | undefined,
  makeTokenizers: () => Promise<Tokenizers>,
): Promise<EncoderDecoder> {
  const { model: options, train, objective } = recipe
  const from = startingPoint(recipe, checkpoint)
  if (from !== undefined) {
    const opened = await openEncoderDecoder(from, objective)
    const dropout = 'from' in options ? options.dropout : undefined
    return dropout === undefined ? opened : { ...opened, model: withDropout(opened.model, dropout, train.seed) }
  }
  if (!isEncoderDecoder(options)) {
    throw new ConfigError(`model.type: ${objective} trains one of ${encoderDecoderTypes.join(', ')}`)
  }
  if (options.type === 'bert2bert') return joinModels(options, train.seed)
  const tokenizers = await makeTokenizers()
  const model = makeModel(options, vocabulariesOf(tokenizers))
  initialize(model.parameters(), train.seed)
  return { model, ...tokenizers }
}

/**
 * Opens an encoder–decoder with its tokenizers.
 *
 * @param what the objective or command that needs it, for the message
 * @throws CheckpointError where it is another kind of model, or its tokenizers are missing or have other vocabularies
 */
export async function openEncoderDecoder(path: string, what: string): Promise<EncoderDecoder> {
  const { model, directory } = loadModel(path)
  if (!isSequenceToSequence(model)) {
    throw new CheckpointError(`${path}: ${what} needs an encoder–decoder, this is a ${model.constructor.name}`)
  }
  const tokenizer = await loadTokenizer(directory)
  checkTokenizer(tokenizer, model, directory)
  const sourceTokenizer = await loadSourceTokenizer(directory)
  const { vocabularySize, sourceVocabularySize } = model.config
  if (sourceTokenizer !== undefined) {
    checkTokenizer(sourceTokenizer, { config: { vocabularySize: sourceVocabularySize ?? vocabularySize } }, directory)
  } else if (sourceVocabularySize !== undefined) {
    throw new CheckpointError(
      `${directory}: the sources have a vocabulary of their own, expected its tokenizer in ${sourceTokenizerFolder}`,
    )
  }
  return { model, tokenizer, sourceTokenizer }
}

/** Whether a model is an encoder–decoder. */
export function isSequenceToSequence(model: Module): model is SequenceToSequenceModel {
  return 'decoderSizes' in model && 'encode' in model && 'decode' in model
}

/**
 * What a model is told of its tokens. The decoder starts with the token that the targets' tokenizer puts in front of a text
 * (BERT's [CLS]), else with the one that fills up batches, as those of Marian and T5 do.
 */
function vocabulariesOf({ tokenizer, sourceTokenizer }: Tokenizers): Vocabularies {
  const { pad } = tokenizer.specialTokens
  const end = endToken(tokenizer).id
  const { before } = tokenizer.template
  return {
    vocabularySize: tokenizer.vocabularySize,
    ...(sourceTokenizer && { sourceVocabularySize: sourceTokenizer.vocabularySize }),
    ...(pad && { padTokenId: pad.id }),
    eosTokenId: end,
    decoderStartTokenId: before.length === 1 ? before[0] : (pad?.id ?? end),
  }
}

/** A new model, by `model.type`. */
function makeModel(
  options: Exclude<EncoderDecoderOptions, JoinedOptions>,
  vocabularies: Vocabularies,
): SequenceToSequenceModel {
  switch (options.type) {
    case 'transformer':
      return makeTransformer(options, vocabularies)
    case 't5':
      return makeT5(options, vocabularies)
    case 'bart':
      return makeBart(options, vocabularies)
  }
}

function makeTransformer(
  { type: _type, preset = 'transformer-small', ...given }: TransformerOptions,
  vocabularies: Vocabularies,
) {
  return new Transformer({ ...transformerConfig(findPreset(preset, transformerPresets)(), given), ...vocabularies })
}

function makeBart({ type: _type, preset = 'bart-base', ...given }: BartOptions, vocabularies: Vocabularies) {
  return new Bart({ ...transformerConfig(findPreset(preset, bartPresets)(), given), ...vocabularies })
}

/** A preset with what a recipe changes of it. */
function transformerConfig(
  preset: TransformerConfig,
  given: Omit<TransformerOptions, 'type' | 'preset'>,
): TransformerConfig {
  const { dropout: hidden, attentionDropout, activationDropout, ...sizes } = given
  const usual = transformerDropout(hidden === undefined ? preset : { ...preset, dropout: hidden })
  const { attention, activation } = usual
  const dropout = {
    ...usual,
    attention: attentionDropout ?? attention,
    activation: activationDropout ?? activation,
  }
  return { ...preset, ...sizesOf(sizes), dropout }
}

function makeT5({ type: _type, preset = 't5-small', ...given }: T5Options, vocabularies: Vocabularies): T5 {
  if (vocabularies.sourceVocabularySize !== undefined) {
    throw new ConfigError('tokenizer.separate: a T5 has one vocabulary for both sides; leave it out')
  }
  return new T5({ ...findPreset(preset, t5Presets)(), ...sizesOf(given), ...vocabularies })
}

/** `layers` stands for those of the encoder and of the decoder. */
function sizesOf<Sizes extends { layers?: number | undefined }>({ layers, ...sizes }: Sizes) {
  return { ...(layers && { encoderLayers: layers, decoderLayers: layers }), ...sizes }
}

/** An encoder and a decoder that were trained apart, with first weights for the attention between them. */
async function joinModels({ encoder, decoder }: JoinedOptions, seed: number): Promise<EncoderDecoder> {
  const [source, target] = [encoder, decoder].map((path) => loadModel(path))
  const tokenizer = await loadTokenizer(target.directory)
  const sourceTokenizer = encoder === decoder ? undefined : await loadTokenizer(source.directory)
  const { decoderStartTokenId, eosTokenId, padTokenId } = vocabulariesOf({ tokenizer })
  const model = encoderDecoderFrom(source.model, target.model, { decoderStartTokenId, eosTokenId, padTokenId, seed })
  checkTokenizer(tokenizer, model, target.directory)
  return { model, tokenizer, sourceTokenizer }
}

/** A model of other dropout with the weights of one that was loaded. */
function withDropout(model: SequenceToSequenceModel, dropout: number, seed: number): SequenceToSequenceModel {
  if (model instanceof T5) return withWeightsOf(new T5({ ...model.config, dropout }), model, seed)
  if (model instanceof Bart) return withWeightsOf(new Bart({ ...model.config, dropout }), model, seed)
  if (model instanceof Transformer) return withWeightsOf(new Transformer({ ...model.config, dropout }), model, seed)
  throw new ConfigError(`model.dropout: it cannot be changed for a ${model.constructor.name}; leave it out`)
}
