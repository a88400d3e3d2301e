import { type ResolveOptions, resolveModel } from '../../hub/download/index.js'
import type { Recipe } from '../recipe.js'

/**
 * A recipe with paths in the place of models of the hub, which are downloaded where the cache has them not: `model.from`,
 * `model.encoder`, `model.decoder` and `tokenizer.from`. The run keeps the recipe as it was written.
 *
 * @throws CheckpointError, NetworkError where a model cannot be had
 */
export async function withLocalModels(recipe: Recipe, options: ResolveOptions = {}): Promise<Recipe> {
  const { model, tokenizer } = recipe
  return {
    ...recipe,
    model: await localModel(model, options),
    ...(tokenizer !== undefined &&
      'from' in tokenizer && {
        tokenizer: { ...tokenizer, from: await resolveModel(tokenizer.from, { ...options, parts: 'tokenizer' }) },
      }),
  }
}

async function localModel(model: Recipe['model'], options: ResolveOptions): Promise<Recipe['model']> {
  if ('from' in model) return { ...model, from: await resolveModel(model.from, options) }
  if (!('encoder' in model)) return model
  const encoder = await resolveModel(model.encoder, options)
  return { ...model, encoder, decoder: await resolveModel(model.decoder, options) }
}
