import { type DocumentPiece, distinctCharacters } from '../../data/documents.js'
import { tokenizablePieces } from '../../data/pieces.js'
import { trainCharacterTokenizer } from '../../tokenizers/characters.js'
import { createTokenizer, loadTokenizer } from '../../tokenizers/node.js'
import { postProcessorSteps } from '../../tokenizers/post-processors.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import { addedTokens, parseTokenizer } from '../../tokenizers/tokenizer-json.js'
import { trainTokenizer } from '../../tokenizers/training/train.js'
import type { TokenizerOptions } from '../recipe.js'

/** Of tokenizers that are trained for encoder–decoders the tokens that are no text, by type. */
const endedTokens = {
  characters: ['<pad>', '</s>'],
  bpe: ['<pad>', '</s>'],
  unigram: ['<pad>', '</s>', '<unk>'],
  wordpiece: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'],
}

/** How {@link makeEndedTokenizer} differs from {@link makeTokenizer}. */
export interface EndedTokenizerOptions {
  /** The share of the documents that is not learnt from (default 0). */
  readonly heldBack?: number
  /** Further tokens that are no text. */
  readonly more?: readonly string[]
}

/**
 * Loads the tokenizer that a recipe names, or trains one whose texts have an end: with tokens to fill up batches and to
 * stand behind every text, which it puts there itself (but for characters).
 *
 * @param documents the texts to train it on, read again at each call
 * @throws ConfigError, DataError, TokenizerError where that cannot be
 */
export async function makeEndedTokenizer(
  options: TokenizerOptions = { type: 'characters' },
  documents: () => AsyncIterable<DocumentPiece>,
  { heldBack = 0, more = [] }: EndedTokenizerOptions = {},
): Promise<Tokenizer> {
  if ('from' in options) return loadTokenizer(options.from)
  const specialTokens = [...endedTokens[options.type], ...more]
  if (options.type === 'characters') {
    return createTokenizer(trainCharacterTokenizer(await distinctCharacters(documents()), specialTokens))
  }
  const trained = await trainTokenizer(firstTexts(documents, heldBack), { ...options, specialTokens, lines: false })
  return createTokenizer(options.type === 'wordpiece' ? trained : endingTexts(trained, '</s>'))
}

/** A `tokenizer.json` that puts a token behind every text. */
function endingTexts(text: string, end: string): string {
  const json = parseTokenizer(text, 'tokenizer.json')
  const id = addedTokens(json).find(({ content }) => content === end)?.id
  const sequence = (name: string, type: number) => ({ Sequence: { id: name, type_id: type } })
  const ending = (type: number) => ({ SpecialToken: { id: end, type_id: type } })
  const template = {
    type: 'TemplateProcessing',
    single: [sequence('A', 0), ending(0)],
    pair: [sequence('A', 0), ending(0), sequence('B', 0), ending(0)],
    special_tokens: { [end]: { id: end, ids: [id], tokens: [end] } },
  }
  const steps = [...postProcessorSteps(json.post_processor), template]
  const processing = steps.length === 1 ? template : { type: 'Sequence', processors: steps }
  return JSON.stringify({ ...json, post_processor: processing })
}

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
