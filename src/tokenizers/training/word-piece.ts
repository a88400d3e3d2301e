import { ConfigError } from '../../errors.js'
import { bertNormalizer, type Normalizer } from '../normalizers.js'
import { forEachBertWord } from '../pre-tokenizers.js'
import { wordPieceJson } from '../tokenizer-json.js'
import { characterCounts } from './character-words.js'
import { learnMerges, type SymbolWords } from './merges.js'
import { checkSize, specialTokensOf, type TrainingRequest } from './request.js'
import type { WordCounts } from './word-counts.js'

/** What tokens inside of a word begin with. */
const PREFIX = '##'

const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']

type NormalizationRequest = Pick<TrainingRequest, 'lowercase' | 'stripAccents' | 'splitChinese'>

/** BERT's cleaning of text. */
export function wordPieceNormalizer(request: NormalizationRequest): Normalizer {
  const { lowercase = true, stripAccents = lowercase, splitChinese = true } = request
  return bertNormalizer({ cleanText: true, handleChineseCharacters: splitChinese, stripAccents, lowercase })
}

/** Counts the words of a text as BERT splits it; line feeds are spaces like any other. */
export function countBertWords(text: string, counts: WordCounts, normalizer: Normalizer): void {
  const cleaned = normalizer.apply(text)
  forEachBertWord(cleaned, (start, end) => counts.add(cleaned, start, end))
}

/**
 * Learns a WordPiece vocabulary (Schuster & Nakajima 2012; Devlin et al. 2019) as Hugging Face's trainer does: Google's
 * own was never published, so the pieces are those that byte-pair encoding learns over characters, where a character
 * inside a word is another one than at its start (`##`). Encoding then takes the longest piece that fits, not the merges.
 *
 * Hugging Face numbers the `##` characters in the random order of a hash table, here they are sorted: of pieces that are
 * equally frequent others may be taken.
 *
 * @returns a `tokenizer.json`
 * @throws ConfigError where the vocabulary cannot hold the characters and the special tokens, or these lack [UNK], [CLS]
 * or [SEP]
 */
export function trainWordPiece(counts: WordCounts, request: TrainingRequest): string {
  const special = specialTokensOf(request, SPECIAL)
  const lacking = ['[UNK]', '[CLS]', '[SEP]'].filter((token) => !special.includes(token))
  if (lacking.length > 0) {
    throw new ConfigError(
      `specialTokens: a WordPiece tokenizer needs ${lacking.join(', ')} too, got ${special.join(' ')}`,
    )
  }
  const kept = characterCounts(counts, request.alphabetLimit).map(([character]) => character)
  const alphabet = kept.sort((a, b) => codePoint(a) - codePoint(b))
  const first = [...new Set([...special, ...alphabet])]
  const inside = insideCharacters(counts, new Set(alphabet)).map((character) => PREFIX + character)
  const needed = first.length - special.length + inside.length
  checkSize(request, { special: special.length, alphabet: needed, what: 'characters, see alphabetLimit' })
  const initial = [...first, ...inside]
  const { tokens } = learnMerges({
    words: bertSymbols(counts, new Map(initial.map((token, id) => [token, id]))),
    tokens: initial,
    vocabularySize: request.vocabularySize,
    minimumFrequency: request.minimumFrequency ?? 0,
    join: (left, right) => left + (right.startsWith(PREFIX) ? right.slice(PREFIX.length) : right),
    onProgress: request.onLearn,
  })
  const { lowercase = true, stripAccents, splitChinese } = request
  return wordPieceJson({ tokens, special, normalization: { lowercase, stripAccents, splitChinese } })
}

/** The characters that occur behind the first of a word, by rising code point. */
function insideCharacters(counts: WordCounts, alphabet: ReadonlySet<string>): string[] {
  const found = new Set<string>()
  for (const word of counts.words()) {
    const [, ...rest] = word
    for (const character of rest) if (alphabet.has(character)) found.add(character)
  }
  return [...found].sort((a, b) => codePoint(a) - codePoint(b))
}

/** The words as ids of their characters; characters that are no tokens are left out. */
function bertSymbols(counts: WordCounts, ids: ReadonlyMap<string, number>): SymbolWords {
  const symbols = new Int32Array(counts.units)
  const starts = new Uint32Array(counts.size + 1)
  let size = 0
  let word = 0
  for (const text of counts.words()) {
    let prefix = ''
    for (const character of text) {
      const id = ids.get(prefix + character)
      if (id !== undefined) symbols[size++] = id
      prefix = PREFIX
    }
    starts[++word] = size
  }
  return { symbols, starts, counts: counts.counts }
}

function codePoint(character: string): number {
  return character.codePointAt(0) ?? 0
}
