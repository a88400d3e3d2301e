import { CheckpointError } from '../errors.js'

/**
 * Checks that a model has an embedding for every token of its tokenizer. It may have more: some are padded to round sizes.
 *
 * @throws CheckpointError where it has fewer
 */
export function checkTokenizer(
  tokenizer: { readonly vocabularySize: number },
  model: { readonly config: { readonly vocabularySize: number } },
  directory: string,
): void {
  if (tokenizer.vocabularySize <= model.config.vocabularySize) return
  throw new CheckpointError(
    `${directory}: the tokenizer has ${tokenizer.vocabularySize} tokens, the model ${model.config.vocabularySize}; they are not of one checkpoint`,
  )
}
