import { type DocumentPiece, distinctCharacters } from '../../data/documents.js'
import { ConfigError } from '../../errors.js'
import { trainCharacterTokenizer } from '../../tokenizers/characters.js'
import { createTokenizer, loadTokenizer } from '../../tokenizers/node.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { TokenizerOptions } from '../recipe.js'

/**
 * Loads the tokenizer that a recipe names, or trains one.
 *
 * @param documents the texts to train it on, read again at each call
 * @throws ConfigError, DataError, TokenizerError where that cannot be
 */
export async function makeTokenizer(
  options: TokenizerOptions = { type: 'characters' },
  documents: () => AsyncIterable<DocumentPiece>,
): Promise<Tokenizer> {
  if ('from' in options) return loadTokenizer(options.from)
  if (options.type === 'characters') {
    return createTokenizer(trainCharacterTokenizer(await distinctCharacters(documents())))
  }
  throw new ConfigError(
    `tokenizer.type: training ${options.type} is not available yet; use characters, or tokenizer.from: DIR`,
  )
}
