import { type Corpus, loadCorpus, trainingDocuments } from '../data/corpus.js'
import { distinctCharacters } from '../data/documents.js'
import type { TokenizeProgress } from '../data/token-cache.js'
import { CheckpointError, ConfigError, DataError, nearestName } from '../errors.js'
import { loadModel } from '../hub/checkpoint.js'
import { GPT, type GPTConfig, gpt2Large, gpt2Medium, gpt2Small, gpt2XL, gptCharacter } from '../models/index.js'
import { initialize } from '../nn/index.js'
import { trainCharacterTokenizer } from '../tokenizers/characters.js'
import { createTokenizer, loadTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import type { DataOptions, ModelOptions, Recipe, TokenizerOptions } from './recipe.js'

/** Presets by the names that recipes use: Hugging Face's for GPT-2. */
const presets: Readonly<Record<string, (vocabularySize: number) => GPTConfig>> = {
  'gpt-character': gptCharacter,
  gpt2: gpt2Small,
  'gpt2-medium': gpt2Medium,
  'gpt2-large': gpt2Large,
  'gpt2-xl': gpt2XL,
}

/** A recipe's texts, tokenizer and model, ready to be trained. */
export interface Ingredients extends Corpus {
  readonly model: GPT
  readonly tokenizer: Tokenizer
  readonly packing: boolean
}

/**
 * Makes or loads the tokenizer and the model, and turns the data into tokens.
 *
 * @param checkpoint a directory to take model and tokenizer from instead of what the recipe says, to resume
 * @param onTokenize hears how far the data is tokenized, which takes minutes for gigabytes
 * @throws DataError, ConfigError, CheckpointError, TokenizerError for what is missing, damaged or does not fit
 */
export async function build(
  recipe: Recipe,
  checkpoint?: string,
  onTokenize?: (progress: TokenizeProgress) => void,
): Promise<Ingredients> {
  const from = checkpoint ?? ('from' in recipe.model ? recipe.model.from : undefined)
  const loaded = from === undefined ? undefined : loadModel(from)
  const tokenizer =
    loaded === undefined
      ? await makeTokenizer(recipe.tokenizer ?? { type: 'characters' }, recipe.data)
      : await loadTokenizer(loaded.directory)
  const model = loaded === undefined ? makeModel(recipe, tokenizer) : continueModel(loaded, recipe.model, tokenizer)
  const { train, validation } = await loadCorpus(recipe.data, tokenizer, { onProgress: onTokenize })
  if (validation.length < 2) {
    const where = [recipe.data.validation ?? recipe.data.train].flat().join(', ')
    throw new DataError(`${where}: expected at least 2 tokens to validate on, got ${validation.length}; give more text`)
  }
  return { model, tokenizer, train, validation, packing: recipe.data.packing ?? true }
}

async function makeTokenizer(options: TokenizerOptions, data: DataOptions): Promise<Tokenizer> {
  if ('from' in options) return loadTokenizer(options.from)
  if (options.type === 'characters') {
    return createTokenizer(trainCharacterTokenizer(await distinctCharacters(trainingDocuments(data))))
  }
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
