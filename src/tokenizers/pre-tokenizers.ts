import { TokenizerError } from '../errors.js'
import { AlignedText, characterLength } from './aligned-text.js'
import { BYTE_CHARACTERS, toByteCharacters, wordEnd } from './byte-level.js'
import { characterClass, SPACE } from './character-classes.js'
import { patternOf } from './pattern.js'
import type { TokenizerPart } from './tokenizer-json.js'
import { isNoPunctuation, isOldPunctuation } from './unicode-versions.js'

/** Splits a text into words, which are what a model turns into tokens. */
export type PreTokenizer = (text: AlignedText) => AlignedText[]

/** What becomes of the matches that a text is split at, by Hugging Face's names. */
type SplitBehavior = 'Removed' | 'Isolated' | 'Contiguous' | 'MergedWithPrevious' | 'MergedWithNext'

type Range = readonly [start: number, end: number]

/** The character that stands for a blank in SentencePiece's tokens. */
export const METASPACE = '\u2581'

/**
 * The pre-tokenizer of a `tokenizer.json`.
 *
 * @throws TokenizerError for a type that is not known here
 */
export function createPreTokenizer(part: TokenizerPart): PreTokenizer {
  switch (part.type) {
    case 'Sequence': {
      const steps = Array.isArray(part.pretokenizers) ? part.pretokenizers.map(createPreTokenizer) : []
      return (text) => steps.reduce((words, step) => words.flatMap(step), [text])
    }
    case 'ByteLevel':
      return byteLevel(part.add_prefix_space !== false, part.use_regex !== false)
    case 'BertPreTokenizer':
      return (text) => {
        const words: AlignedText[] = []
        forEachBertWord(text.text, (start, end) => words.push(text.slice(start, end)))
        return words
      }
    case 'Metaspace':
      return metaspace(part)
    case 'Split':
      return splitter(patternOf(part.pattern), behaviorOf(part.behavior), part.invert === true)
    case 'Whitespace':
      return splitter(
        /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
        'Removed',
        true,
      )
    case 'WhitespaceSplit':
      return splitter(/\p{White_Space}/gu, 'Removed')
    case 'Punctuation':
      return splitter(/[\p{P}!-/:-@[-`{-~]/gu, behaviorOf(part.behavior))
    case 'Digits':
      return splitter(/\p{N}/gu, part.individual_digits === true ? 'Isolated' : 'Contiguous')
    default:
      throw new TokenizerError(
        `tokenizer.json: pre-tokenizer ${part.type} is not available in JavaScript; use the native library, or a tokenizer without it`,
      )
  }
}

/** What a character is to BERT's splitting: white space, punctuation or another. */
const BERT_SPACE = 1
const BERT_PUNCTUATION = 2
const BERT_OTHER = 3

/** The class of each code point, 0 where it was not asked for yet. */
const bertClasses = new Uint8Array(0x110000)

function bertClass(point: number): number {
  return bertClasses[point] || classify(point)
}

function classify(point: number): number {
  const isPunctuation = /[\p{P}!-/:-@[-`{-~]/u.test(String.fromCodePoint(point)) && !isNoPunctuation(point)
  const isSpace = characterClass(point) === SPACE
  bertClasses[point] = isSpace ? BERT_SPACE : isPunctuation || isOldPunctuation(point) ? BERT_PUNCTUATION : BERT_OTHER
  return bertClasses[point]
}

/**
 * Calls back for each of BERT's words in a text that its normalizer has cleaned: they lie between white space, and every
 * character of punctuation is a word of its own.
 */
export function forEachBertWord(text: string, onWord: (start: number, end: number) => void): void {
  let start = 0
  for (let i = 0; i < text.length; ) {
    const unit = text.charCodeAt(i)
    const isPair = (unit & 0xfc00) === 0xd800 && characterLength(text, i) === 2
    const kind = bertClass(isPair ? (text.codePointAt(i) ?? 0) : unit)
    const end = isPair ? i + 2 : i + 1
    if (kind !== BERT_OTHER) {
      if (i > start) onWord(start, i)
      if (kind === BERT_PUNCTUATION) onWord(i, end)
      start = end
    }
    i = end
  }
  if (text.length > start) onWord(start, text.length)
}

function byteLevel(addPrefixSpace: boolean, useRegex: boolean): PreTokenizer {
  return (given) => {
    const text = addPrefixSpace && !given.text.startsWith(' ') ? given.prepended(' ') : given
    const words: AlignedText[] = []
    for (let start = 0; start < text.length; ) {
      const end = useRegex ? wordEnd(text.text, start) : text.length
      words.push(asBytes(text.slice(start, end)))
      start = end
    }
    return words
  }
}

/** Each byte becomes a character that comes from the whole character the byte is a part of. */
function asBytes(word: AlignedText): AlignedText {
  let isAscii = true
  let spelling = ''
  for (let i = 0; isAscii && i < word.length; i++) {
    const unit = word.text.charCodeAt(i)
    isAscii = unit < 0x80
    if (isAscii) spelling += BYTE_CHARACTERS[unit]
  }
  if (isAscii) return word.respelled(spelling)
  return AlignedText.build((append) =>
    word.copy(0, word.length, (character, start, end) => append(toByteCharacters(character), start, end)),
  )
}

function metaspace(part: TokenizerPart): PreTokenizer {
  const mark = String(part.replacement ?? METASPACE)
  const scheme = part.prepend_scheme ?? (part.add_prefix_space === false ? 'never' : 'always')
  return (given) => {
    const marked = given.respelled(given.text.replaceAll(' ', mark))
    const isFirst = scheme === 'always' || (scheme === 'first' && given.length > 0 && given.startAt(0) === 0)
    const text = isFirst && !marked.text.startsWith(mark) ? marked.prepended(mark) : marked
    if (part.split === false) return text.length > 0 ? [text] : []
    return cut(text, splitAt(text.text, new RegExp(mark, 'g'), { behavior: 'MergedWithNext' }))
  }
}

function splitter(pattern: RegExp, behavior: SplitBehavior, invert = false): PreTokenizer {
  return (text) => cut(text, splitAt(text.text, pattern, { behavior, invert }))
}

function cut(text: AlignedText, ranges: readonly Range[]): AlignedText[] {
  return ranges.map(([start, end]) => text.slice(start, end))
}

/** The words that result when a text is split at the matches of a pattern, or (`invert`) at what is between them. */
function splitAt(
  text: string,
  pattern: RegExp,
  { behavior, invert = false }: { behavior: SplitBehavior; invert?: boolean },
): Range[] {
  const parts = matchesAndGaps(text, pattern).map((part) => ({ ...part, isMatch: part.isMatch !== invert }))
  if (behavior === 'Removed') return parts.filter(({ isMatch }) => !isMatch).map(({ start, end }) => [start, end])
  if (behavior === 'MergedWithNext') parts.reverse()
  const words: { start: number; end: number }[] = []
  let before = false
  for (const { start, end, isMatch } of parts) {
    const last = words.at(-1)
    const joins = behavior === 'Contiguous' ? isMatch === before : behavior !== 'Isolated' && isMatch && !before
    if (last && joins) {
      last.start = Math.min(last.start, start)
      last.end = Math.max(last.end, end)
    } else words.push({ start, end })
    before = isMatch
  }
  if (behavior === 'MergedWithNext') words.reverse()
  return words.map(({ start, end }) => [start, end])
}

/** All of a text as matches of a pattern and what lies between them. */
function matchesAndGaps(text: string, pattern: RegExp): { start: number; end: number; isMatch: boolean }[] {
  const parts: { start: number; end: number; isMatch: boolean }[] = []
  let position = 0
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (match === '') continue
    if (index > position) parts.push({ start: position, end: index, isMatch: false })
    position = index + match.length
    parts.push({ start: index, end: position, isMatch: true })
  }
  if (text.length > position) parts.push({ start: position, end: text.length, isMatch: false })
  return parts
}

function behaviorOf(value: unknown): SplitBehavior {
  switch (value) {
    case 'Removed':
    case 'Contiguous':
    case 'MergedWithPrevious':
    case 'MergedWithNext':
      return value
    default:
      return 'Isolated'
  }
}
