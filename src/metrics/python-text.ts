/**
 * What Python takes for whitespace (`str.split`, `\s`), to be put into a class of a regular expression. JavaScript's
 * `\s` has U+FEFF besides and lacks U+001C to U+001F and U+0085.
 */
export const whitespace = String.raw`\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`

/** What Python takes for parts of words (`\w`, `\b`), for a class in mode `u`; JavaScript's `\w` knows only ASCII. */
export const wordCharacter = String.raw`\p{L}\p{N}_`

const spaces = new RegExp(`[${whitespace}]+`)

/** The parts of a text between whitespace, as Python's `str.split()`. */
export function splitWhitespace(text: string): string[] {
  return text.split(spaces).filter((part) => part !== '')
}

const startSpaces = new RegExp(`^[${whitespace}]+`)
// Looks behind so that a long run of spaces within the text is tried once, not from each of them.
const endSpaces = new RegExp(`(?<![${whitespace}])[${whitespace}]+$`)

/** A text without whitespace at its end, as Python's `str.rstrip()`. */
export function trimEnd(text: string): string {
  return text.replace(endSpaces, '')
}

/** A text without whitespace around it, as Python's `str.strip()`. */
export function trim(text: string): string {
  return trimEnd(text.replace(startSpaces, ''))
}
