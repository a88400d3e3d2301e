import { TokenizerError } from '../errors.js'
import { AlignedText } from './aligned-text.js'
import { spaceEnd, spaceStart } from './character-classes.js'
import { patternOf } from './pattern.js'
import type { TokenizerPart } from './tokenizer-json.js'
import { isKeptFormat, isKeptMark, isNotNormalized, isStrippedMark } from './unicode-versions.js'

/** A change that text goes through before it is split into words. */
export interface Normalizer {
  /** The changed text. */
  apply(text: string): string

  /** The changed text, which knows where it comes from. */
  align(text: AlignedText): AlignedText
}

/** How BERT cleans text: see {@link bertNormalizer}. */
export interface BertNormalizerOptions {
  /** Whether control characters go and every white space becomes a blank. */
  readonly cleanText: boolean

  /** Whether Chinese characters become words of their own. */
  readonly handleChineseCharacters: boolean

  readonly stripAccents: boolean
  readonly lowercase: boolean
}

/**
 * The normalizer of a `tokenizer.json`; alignments are those of Hugging Face's library.
 *
 * @throws TokenizerError for a type that is not known here
 */
export function createNormalizer(part: TokenizerPart): Normalizer {
  switch (part.type) {
    case 'Sequence':
      return sequence(parts(part.normalizers).map(createNormalizer))
    case 'BertNormalizer':
      return bertNormalizer({
        cleanText: part.clean_text !== false,
        handleChineseCharacters: part.handle_chinese_chars !== false,
        stripAccents: Boolean(part.strip_accents ?? part.lowercase !== false),
        lowercase: part.lowercase !== false,
      })
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return unicodeForm(part.type)
    case 'Lowercase':
      return byCharacter((character) => character.toLowerCase())
    case 'StripAccents':
      return byCharacter((character) => (/\p{M}/u.test(character) ? '' : character))
    case 'Nmt':
      return nmt
    case 'Precompiled':
      // The table that the file brings is, for the models that use it, that of SentencePiece's nmt_nfkc.
      return sequence([nmt, unicodeForm('NFKC')])
    case 'Replace':
      return replace(patternOf(part.pattern), String(part.content ?? ''))
    case 'Prepend':
      return prepend(String(part.prepend ?? ''))
    case 'Strip':
      return strip(part.strip_left !== false, part.strip_right !== false)
    default:
      throw new TokenizerError(
        `tokenizer.json: normalizer ${part.type} is not available in JavaScript; use the native library, or a tokenizer without it`,
      )
  }
}

/**
 * BERT's cleaning (Devlin et al. 2019; google-research/bert's BasicTokenizer): what it does to a character depends on
 * this character alone.
 */
export function bertNormalizer(options: BertNormalizerOptions): Normalizer {
  return byCharacter((character) => {
    let changed = options.cleanText ? clean(character) : character
    if (changed === '') return ''
    if (options.handleChineseCharacters && isChinese(changed)) changed = ` ${changed} `
    if (options.stripAccents) changed = [...decomposed(changed)].filter((c) => !isAccent(c)).join('')
    return options.lowercase ? [...changed].map((c) => c.toLowerCase()).join('') : changed
  })
}

/** A Unicode normalization form (UAX #15). */
export function unicodeForm(form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): Normalizer {
  const compatible = form === 'NFKC' || form === 'NFKD' ? 'NFKD' : 'NFD'
  const apply = (text: string) => normalized(text, form)
  return {
    apply,
    align: (text) => {
      if (apply(text.text) === text.text) return text
      return AlignedText.build((append) => {
        // Only what follows a character in such a cluster can be composed with it or change places with it.
        for (const { 0: cluster, index } of text.text.matchAll(/[\s\S][\p{M}\u1160-\u11ff\uff9e\uff9f]*/gu)) {
          alignCluster(text.slice(index, index + cluster.length), apply(cluster), compatible, append)
        }
      })
    },
  }
}

function normalized(text: string, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): string {
  const result = text.normalize(form)
  // Text that is normalized already, which most is, has nothing that would have to be left as it is.
  if (result === text) return text
  let parts = ''
  let start = 0
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i) ?? 0
    const length = point > 0xffff ? 2 : 1
    if (point >= 0x32ff && isNotNormalized(point)) {
      parts += text.slice(start, i).normalize(form) + text.slice(i, i + length)
      start = i + length
    }
    i += length - 1
  }
  return start === 0 ? result : parts + text.slice(start).normalize(form)
}

type Append = (piece: string, start: number, end: number) => void

/**
 * Aligns a cluster's characters with those of its normalized spelling as Hugging Face's library does: in order, where a
 * character that was composed takes the place of as many as it was composed of.
 */
function alignCluster(cluster: AlignedText, spelling: string, form: 'NFD' | 'NFKD', append: Append): void {
  const sources: { start: number; end: number }[] = []
  // The parts that the cluster decomposes into: the first of a character takes its place, others come in addition.
  const parts: { text: string; added: number }[] = []
  cluster.copy(0, cluster.length, (character, start, end) => {
    sources.push({ start, end })
    ;[...character.normalize(form)].forEach((text, i) => {
      parts.push({ text, added: i > 0 ? 1 : 0 })
    })
  })
  let place = 0
  for (const character of spelling) {
    let change = 1
    for (const text of character.normalize(form)) {
      const found = parts.findIndex((part) => part.text === text)
      change += (found < 0 ? 0 : parts.splice(found, 1)[0].added) - 1
    }
    const { start, end } = sources[Math.min(change > 0 ? Math.max(place - 1, 0) : place, sources.length - 1)]
    append(character, start, end)
    if (change <= 0) place += 1 - change
  }
}

/** A change of each character that does not depend on its neighbours. */
function byCharacter(change: (character: string) => string): Normalizer {
  const known = new Map<string, string>()
  /** The changes of characters of one UTF-16 unit, which a list finds sooner than a map. */
  const units = new Array<string | undefined>(0x10000)
  const changed = (character: string) => {
    const isUnit = character.length === 1
    let result = isUnit ? units[character.charCodeAt(0)] : known.get(character)
    if (result === undefined) {
      result = change(character)
      if (isUnit) units[character.charCodeAt(0)] = result
      else known.set(character, result)
    }
    return result
  }
  const apply = (text: string) => {
    let result = ''
    for (const character of text) result += changed(character)
    return result
  }
  return {
    apply,
    align: (text) => {
      let result = ''
      let isAligned = true
      for (const character of text.text) {
        const replaced = changed(character)
        result += replaced
        isAligned &&= replaced.length === character.length
      }
      // Where each character keeps its length, as in lower case, every unit stays where it is.
      if (isAligned) return result === text.text ? text : text.respelled(result)
      return AlignedText.build((append) =>
        text.copy(0, text.length, (character, start, end) => append(changed(character), start, end)),
      )
    },
  }
}

function sequence(normalizers: readonly Normalizer[]): Normalizer {
  return {
    apply: (text) => normalizers.reduce((result, normalizer) => normalizer.apply(result), text),
    align: (text) => normalizers.reduce((result, normalizer) => normalizer.align(result), text),
  }
}

function replace(pattern: RegExp, content: string): Normalizer {
  return {
    apply: (text) => text.replace(pattern, () => content),
    align: (text) => {
      const matches = [...text.text.matchAll(pattern)].filter(({ 0: match }) => match !== '')
      if (matches.length === 0) return text
      return AlignedText.build((append) => {
        let position = 0
        for (const { 0: match, index } of matches) {
          text.copy(position, index, append)
          position = index + match.length
          const last = /[\ud800-\udbff][\udc00-\udfff]$/.test(match) ? 2 : 1
          append(content, text.startAt(position - last), text.endAt(position - 1))
        }
        text.copy(position, text.length, append)
      })
    },
  }
}

function prepend(prefix: string): Normalizer {
  return {
    apply: (text) => (text === '' ? '' : prefix + text),
    align: (text) => text.prepended(prefix),
  }
}

function strip(left: boolean, right: boolean): Normalizer {
  const bounds = (text: string): [number, number] => {
    const start = left ? spaceEnd(text, 0) : 0
    return [start, right ? Math.max(start, spaceStart(text, text.length)) : text.length]
  }
  return {
    apply: (text) => text.slice(...bounds(text)),
    align: (text) => text.slice(...bounds(text.text)),
  }
}

/** What SentencePiece does to control characters and spaces in all of its normalization rules. */
const nmt = byCharacter((character) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/.test(character)) return ''
  return /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/.test(character) ? ' ' : character
})

function decomposed(character: string): string {
  return isNotNormalized(codePoint(character)) ? character : character.normalize('NFD')
}

function isAccent(character: string): boolean {
  const point = codePoint(character)
  return (/\p{Mn}/u.test(character) && !isKeptMark(point)) || isStrippedMark(point)
}

function codePoint(character: string): number {
  return character.codePointAt(0) ?? 0
}

function clean(character: string): string {
  if (/[\t\n\r]/.test(character)) return ' '
  if (isKeptFormat(codePoint(character))) return character
  if (/[\0\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u.test(character)) return ''
  return /\p{White_Space}/u.test(character) ? ' ' : character
}

/** The blocks of CJK ideographs that BERT separates. */
function isChinese(character: string): boolean {
  return /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/u.test(
    character,
  )
}

function parts(value: unknown): TokenizerPart[] {
  return Array.isArray(value) ? value : []
}
