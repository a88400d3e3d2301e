import { ConfigError } from '../../errors.js'
import type { Pieces } from '../pieces.js'
import { METASPACE } from '../pre-tokenizers.js'
import { specialToken } from '../tokenizer-json.js'
import { forEachMetaspaceWord } from '../word-splitters.js'
import { type CharacterWords, characterCounts, toCharacterWords } from './character-words.js'
import { prune, reestimate } from './expectation.js'
import { checkSize, specialTokensOf, type TrainingRequest } from './request.js'
import { seedPieces } from './seed-pieces.js'
import type { WordCounts } from './word-counts.js'

/** The settings of SentencePiece. */
const LONGEST_PIECE = 16
const SEED_PIECES = 1_000_000
const STEPS_BETWEEN_PRUNINGS = 2
const SHRINKING_FACTOR = 0.75

const UNKNOWN = '<unk>'

/** Counts the words of a text as SentencePiece's tokenizers split it: before every blank, and around line feeds. */
export function countMetaspaceWords(text: string, counts: WordCounts, lines: boolean): void {
  const marked = text.normalize('NFKC').replaceAll(' ', METASPACE)
  // The first word of a text has a mark too, so that it is the same word as elsewhere.
  const starts = lines ? /(?<![^\n])(?!\u2581|$(?![\s\S]))/gm : /^(?!\u2581|\n|$)/g
  const prepared = marked.replace(starts, METASPACE)
  forEachMetaspaceWord(prepared, (start, end) => counts.add(prepared, start, end))
}

/**
 * Learns a unigram language model over pieces of words (Kudo 2018, §3.2; SentencePiece): from many substrings of the
 * text to the vocabulary's size, by turns of expectation–maximization and of dropping the least useful quarter.
 *
 * @returns a `tokenizer.json`
 * @throws ConfigError where the vocabulary cannot hold the characters and the special tokens, or these lack <unk>
 */
export function trainUnigram(counts: WordCounts, request: TrainingRequest): string {
  const special = specialTokensOf(request, ['<pad>', '</s>', UNKNOWN])
  if (!special.includes(UNKNOWN)) {
    throw new ConfigError(`specialTokens: a unigram tokenizer needs ${UNKNOWN} among them, got ${special.join(' ')}`)
  }
  const alphabet = characterCounts(counts, request.alphabetLimit).map(([character]) => character)
  checkSize(request, { special: special.length, alphabet: alphabet.length, what: 'characters, see alphabetLimit' })
  const words = toCharacterWords(counts, alphabet)
  const pieces = learnPieces(words, request)
  const scored = finalPieces(words, pieces, request.vocabularySize - special.length)
  return unigramJson(special, scored)
}

function learnPieces(words: CharacterWords, { vocabularySize, onLearn }: TrainingRequest): Pieces {
  // Somewhat more pieces than needed are left, of which the most useful are taken at last.
  const desired = Math.floor(vocabularySize * 1.1)
  let pieces = seedPieces(words, { longest: LONGEST_PIECE, limit: SEED_PIECES })
  for (;;) {
    for (let step = 0; step < STEPS_BETWEEN_PRUNINGS; step++) {
      onLearn?.(pieces.starts.length)
      pieces = reestimate(words, pieces)
    }
    if (pieces.starts.length <= desired) return pieces
    pieces = prune(words, pieces, Math.max(desired, Math.floor(pieces.starts.length * SHRINKING_FACTOR)))
  }
}

/** Every character, and as many of the pieces as there is room for, by falling score. */
function finalPieces(words: CharacterWords, pieces: Pieces, size: number): [piece: string, score: number][] {
  const scores = new Map<string, number>()
  pieces.starts.forEach((start, piece) => {
    const symbols = words.symbols.subarray(start, start + pieces.lengths[piece])
    scores.set(Array.from(symbols, (symbol) => words.characters[symbol]).join(''), pieces.scores[piece])
  })
  const least = pieces.scores.reduce((lowest, score) => Math.min(lowest, score), 0)
  const chosen = new Map<string, number>()
  let missing = 0
  // Characters that were dropped come back as the least likely pieces, each with a score of its own.
  for (const character of words.characters) chosen.set(character, scores.get(character) ?? least + 0.0001 * missing++)
  for (const [piece, score] of scores) if (chosen.size < size) chosen.set(piece, score)
  return [...chosen].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
}

function unigramJson(special: readonly string[], pieces: readonly [piece: string, score: number][]): string {
  const split = { type: 'Split', pattern: { String: '\n' }, behavior: 'Isolated', invert: false }
  const metaspace = { type: 'Metaspace', replacement: METASPACE, prepend_scheme: 'always', split: true }
  return JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => specialToken({ id, content, normalized: false })),
    normalizer: { type: 'NFKC' },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [metaspace, split] },
    post_processor: null,
    decoder: metaspace,
    model: {
      type: 'Unigram',
      unk_id: special.indexOf(UNKNOWN),
      vocab: [...special.map((token) => [token, 0]), ...pieces],
      byte_fallback: false,
    },
  })
}
