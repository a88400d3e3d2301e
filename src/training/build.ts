import { loadTexts } from '../data/text.js'
import { CheckpointError, ConfigError, nearestName } from '../errors.js'
import { loadModel } from '../hub/checkpoint.js'
import { GPT, type GPTConfig, gpt2Large, gpt2Medium, gpt2Small, gpt2XL, gptCharacter } from '../models/index.js'
import { initialize } from '../nn/index.js'
import { trainCharacterTokenizer } from '../tokenizers/characters.js'
import { createTokenizer, loadTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import type { ModelOptions, Recipe, TokenizerOptions } from './recipe.js'

/** Presets by the names that recipes use: Hugging Face's for GPT-2. */
const presets: Readonly<Record<string, (vocabularySize: number) => GPTConfig>> = {
  'gpt-character': gptCharacter,
  gpt2: gpt2Small,
  'gpt2-medium': gpt2Medium,
  'gpt2-large': gpt2Large,
  'gpt2-xl': gpt2XL,
}

/** A recipe's texts, tokenizer and model, ready to be trained. */
export interface Ingredients {
  readonly model: GPT
  readonly tokenizer: Tokenizer
  readonly train: Uint32Array
  readonly validation: Uint32Array
}

/**
 * Reads the texts, makes or loads the tokenizer, encodes, and makes or loads the model.
 *
 * @param checkpoint a directory to take model and tokenizer from instead of what the recipe says, to resume
 * @throws DataError, ConfigError, CheckpointError, TokenizerError for what is missing, damaged or does not fit
 */
export async function build(recipe: Recipe, checkpoint?: string): Promise<Ingredients> {
  const texts = loadTexts(recipe.data)
  const from = checkpoint ?? ('from' in recipe.model ? recipe.model.from : undefined)
  const loaded = from === undefined ? undefined : loadModel(from)
  const known = recipe.data.validation === undefined ? texts.train + texts.validation : texts.train
  const tokenizer =
    loaded === undefined
      ? await makeTokenizer(recipe.tokenizer ?? { type: 'characters' }, known)
      : await loadTokenizer(loaded.directory)
  const model = loaded === undefined ? makeModel(recipe, tokenizer) : continueModel(loaded, recipe.model, tokenizer)
  const [train, validation] = await Promise.all(
    [texts.train, texts.validation].map((text) => tokenizer.encodeToArray(text)),
  )
  return { model, tokenizer, train, validation }
}

async function makeTokenizer(options: TokenizerOptions, text: string): Promise<Tokenizer> {
  if ('from' in options) return loadTokenizer(options.from)
  if (options.type === 'characters') return createTokenizer(trainCharacterTokenizer(text))
  throw new ConfigError(
    `tokenizer.type: training ${options.type} is not available yet; use characters, or tokenizer.from: DIR`,
  )
}

function makeModel({ model, train }: Recipe, { vocabularySize }: Tokenizer): GPT {
  if ('from' in model) throw new ConfigError('model.from names a checkpoint, which is loaded and not made')
  const made = new GPT({ ...sizes(model, vocabularySize), vocabularySize })
  initialize(made.parameters(), train.seed)
  return made
}

function sizes(model: Exclude<ModelOptions, { from: string }>, vocabularySize: number): GPTConfig {
  if (!('preset' in model)) return { ...model, vocabularySize }
  const { preset, type: _type, ...given } = model
  const make = presets[preset]
  if (make !== undefined) return { ...make(vocabularySize), ...given }
  const nearest = nearestName(preset, Object.keys(presets))
  const hint = nearest === undefined ? '' : `, did you mean ${nearest}?`
  throw new ConfigError(`model.preset: '${preset}' is unknown${hint} (valid: ${Object.keys(presets).join(', ')})`)
}

function continueModel(
  { model, directory }: ReturnType<typeof loadModel>,
  options: ModelOptions,
  tokenizer: Tokenizer,
): GPT {
  if (!(model instanceof GPT)) {
    throw new CheckpointError(`${directory}: causal-lm trains a GPT, this is a ${model.constructor.name}`)
  }
  if (tokenizer.vocabularySize > model.config.vocabularySize) {
    throw new CheckpointError(
      `${directory}: the tokenizer has ${tokenizer.vocabularySize} tokens, the model ${model.config.vocabularySize}; they are not of one checkpoint`,
    )
  }
  const { dropout } = options
  if (dropout === undefined || !('from' in options)) return model
  const changed = new GPT({ ...model.config, dropout })
  const weights = model.parameters()
  for (const [path, parameter] of Object.entries(changed.parameters())) parameter.data = weights[path].data
  return changed
}
