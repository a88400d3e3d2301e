import { type DocumentPiece, distinctCharacters } from '../../data/documents.js'
import { tokenizablePieces } from '../../data/pieces.js'
import { trainCharacterTokenizer } from '../../tokenizers/characters.js'
import { createTokenizer, loadTokenizer } from '../../tokenizers/node.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import { trainTokenizer } from '../../tokenizers/training/train.js'
import type { TokenizerOptions } from '../recipe.js'

/**
 * Loads the tokenizer that a recipe names, or trains one.
 *
 * @param documents the texts to train it on, read again at each call
 * @param heldBack the share at their end that is for validation and not learnt from; single characters are taken from all
 * texts, so that none is unknown
 * @throws ConfigError, DataError, TokenizerError where that cannot be
 */
export async function makeTokenizer(
  options: TokenizerOptions = { type: 'characters' },
  documents: () => AsyncIterable<DocumentPiece>,
  heldBack = 0,
): Promise<Tokenizer> {
  if ('from' in options) return loadTokenizer(options.from)
  if (options.type === 'characters') {
    return createTokenizer(trainCharacterTokenizer(await distinctCharacters(documents())))
  }
  // Texts are encoded as a whole, so line ends are learnt like other characters.
  return createTokenizer(await trainTokenizer(firstTexts(documents, heldBack), { ...options, lines: false }))
}

/** The texts of all documents but the last ones, or of a single one all but its end. */
async function* firstTexts(documents: () => AsyncIterable<DocumentPiece>, heldBack: number): AsyncGenerator<string> {
  let count = 0
  let units = 0
  for await (const { text, ends } of documents()) {
    units += text.length
    if (ends) count++
  }
  const isSingle = count < 2
  let documentsLeft = isSingle || heldBack === 0 ? count : count - Math.max(1, Math.floor(count * heldBack))
  let unitsLeft = isSingle ? Math.floor(units * (1 - heldBack)) : units
  for await (const { text, ends } of tokenizablePieces(documents())) {
    yield text.slice(0, unitsLeft)
    unitsLeft -= text.length
    if (ends) documentsLeft--
    if (unitsLeft <= 0 || documentsLeft === 0) return
  }
}
