import { loadCorpus, trainingDocuments } from '../../data/corpus.js'
import type { DocumentPiece } from '../../data/documents.js'
import { validationShare } from '../../data/hold-out.js'
import { DataError } from '../../errors.js'
import type { CausalLanguageModel } from '../../models/index.js'
import type { BuildOptions, Ingredients } from '../build.js'
import { CausalLanguageModelling } from '../objectives/causal-lm.js'
import type { Recipe } from '../recipe.js'
import { languageModelFrom, type ModelWithTokenizer, makeLanguageModel, openCheckpoint } from './model.js'
import { makeTokenizer } from './tokenizer.js'

/** Sets up causal language modelling on texts. */
export async function buildCausalLm(
  options: BuildOptions,
): Promise<Ingredients & ModelWithTokenizer<CausalLanguageModel>> {
  const { recipe, checkpoint, onTokenize } = options
  const { data, train } = recipe
  const { model, tokenizer, chatTemplate } = await languageModel(recipe, checkpoint, () => trainingDocuments(data))
  const corpus = await loadCorpus(data, tokenizer, { onProgress: onTokenize })
  if (corpus.validation.length < 2) {
    const where = [data.validation ?? data.train].flat().join(', ')
    throw new DataError(
      `${where}: expected at least 2 tokens to validate on, got ${corpus.validation.length}; give more text`,
    )
  }
  const objective = new CausalLanguageModelling({
    ...corpus,
    ...train,
    model,
    packing: data.packing ?? true,
    contextLength: model.config.contextLength,
  })
  return { model, tokenizer, objective, chatTemplate, size: { count: corpus.train.length, unit: 'tokens' } }
}

/** The language model and tokenizer that a recipe starts from: made, loaded, or those of a run that is resumed. */
export async function languageModel(
  recipe: Recipe,
  checkpoint: string | undefined,
  documents: () => AsyncIterable<DocumentPiece>,
): Promise<ModelWithTokenizer<CausalLanguageModel>> {
  const from = checkpoint ?? ('from' in recipe.model ? recipe.model.from : undefined)
  if (from === undefined) {
    const heldBack = recipe.data.validation === undefined ? validationShare : 0
    const tokenizer = await makeTokenizer(recipe.tokenizer, documents, heldBack)
    return { model: makeLanguageModel(recipe, tokenizer), tokenizer }
  }
  const { model, ...rest } = await openCheckpoint(from)
  return { model: languageModelFrom(model, recipe.model, recipe.train.seed), ...rest }
}
