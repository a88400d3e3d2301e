import { characterClass, SPACE } from './character-classes.js'

/**
 * The characters that stand for the 256 bytes in the vocabularies of byte-level tokenizers (Radford et al. 2019, GPT-2):
 * the byte itself where Latin-1 has a visible character for it, otherwise a character from U+0100 on.
 */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters()

/** The byte of each of {@link BYTE_CHARACTERS}. */
export const CHARACTER_BYTES: ReadonlyMap<string, number> = new Map(BYTE_CHARACTERS.map((c, byte) => [c, byte]))

const encoder = new TextEncoder()

function byteCharacters(): string[] {
  let next = 0x100
  const visible = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(visible(byte) ? byte : next++))
}

/** A text as the characters of its UTF-8 bytes, in which byte-level vocabularies spell their tokens. */
export function toByteCharacters(text: string): string {
  let spelling = ''
  for (const byte of encoder.encode(text)) spelling += BYTE_CHARACTERS[byte]
  return spelling
}

const APOSTROPHE = 0x27
const LINE_FEED = 0x0a
const BLANK = 0x20

/**
 * Where the word that starts at `start` ends, in GPT-2's splitting of a text (Radford et al. 2019), whose pattern is
 *
 * `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
 *
 * A loop over a table of character classes is several times faster than the regular expression.
 *
 * @param start below the text's length, at the end of the word before
 * @param lines whether a line feed ends a text, so that no word goes on behind it
 * @returns the end in UTF-16 units, above `start`
 */
export function wordEnd(text: string, start: number, lines = false): number {
  const first = text.charCodeAt(start)
  if (first === APOSTROPHE) {
    const end = start + contractionLength(text, start)
    if (end > start) return end
  }
  const from = first === BLANK && start + 1 < text.length ? start + 1 : start
  const kind = characterClass(codePointAt(text, from))
  return kind === SPACE ? spaceEnd(text, start, lines) : runEnd(text, from, kind)
}

/** The length of 's, 't, 're, 've, 'm, 'll or 'd at `start`, 0 where there is none. */
function contractionLength(text: string, start: number): 0 | 2 | 3 {
  switch (text[start + 1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2
    case 'r':
    case 'v':
      return text[start + 2] === 'e' ? 3 : 0
    case 'l':
      return text[start + 2] === 'l' ? 3 : 0
    default:
      return 0
  }
}

/** The end of the run of one class at `start`: letters, numbers, or what is none of both and no space. */
function runEnd(text: string, start: number, kind: number): number {
  let end = start
  while (end < text.length) {
    const codePoint = codePointAt(text, end)
    if (characterClass(codePoint) !== kind) break
    end += codePoint > 0xffff ? 2 : 1
  }
  return end
}

/** The end of a run of spaces, whose last one belongs to what follows unless it is alone or ends the text. */
function spaceEnd(text: string, start: number, lines: boolean): number {
  let end = start
  while (end < text.length) {
    const unit = text.charCodeAt(end)
    if (characterClass(unit) !== SPACE) break
    end++
    if (lines && unit === LINE_FEED) return end
  }
  return end === text.length || end === start + 1 ? end : end - 1
}

/** `text.codePointAt`, quick for the many that are one unit. */
function codePointAt(text: string, position: number): number {
  const unit = text.charCodeAt(position)
  if ((unit & 0xfc00) !== 0xd800) return unit
  return text.codePointAt(position) ?? unit
}
