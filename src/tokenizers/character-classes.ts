/** \p{L}. */
export const LETTER = 1

/** \p{N}. */
export const NUMBER = 2

/** \p{White_Space}. */
export const SPACE = 3

/** Every other code point, unassigned ones and halves of surrogate pairs included. */
export const OTHER = 4

/** The class of each code point, 0 where it was not asked for yet. */
const classes = new Uint8Array(0x110000)

/**
 * Letters and numbers that came with Unicode 17: the native library knows Unicode 16, engines of JavaScript know one or
 * the other, and the same text must become the same tokens everywhere. First and last code point of each range.
 */
const UNICODE_17 = [
  0x88f, 0x88f, 0xc5c, 0xc5c, 0xcdc, 0xcdc, 0xa7ce, 0xa7cf, 0xa7d2, 0xa7d2, 0xa7d4, 0xa7d4, 0xa7f1, 0xa7f1, 0x10940,
  0x10959, 0x10ec5, 0x10ec7, 0x11db0, 0x11ddb, 0x11de0, 0x11de9, 0x16ea0, 0x16eb8, 0x16ebb, 0x16ed3, 0x16ff2, 0x16ff6,
  0x187f8, 0x187ff, 0x18d09, 0x18d1e, 0x18d80, 0x18df2, 0x1e6c0, 0x1e6de, 0x1e6e0, 0x1e6e2, 0x1e6e4, 0x1e6e5, 0x1e6e7,
  0x1e6ed, 0x1e6f0, 0x1e6f4, 0x1e6fe, 0x1e6ff, 0x2b73a, 0x2b73f, 0x2cea2, 0x2cead, 0x323b0, 0x33479,
]

/** The class of a code point: {@link LETTER}, {@link NUMBER}, {@link SPACE} or {@link OTHER}. */
export function characterClass(codePoint: number): number {
  return classes[codePoint] || classify(codePoint)
}

/** Where the white space that ends at `end` of a text starts. */
export function spaceStart(text: string, end: number): number {
  let start = end
  while (start > 0 && characterClass(text.charCodeAt(start - 1)) === SPACE) start--
  return start
}

/** Where the white space that starts at `start` of a text ends. */
export function spaceEnd(text: string, start: number): number {
  let end = start
  while (end < text.length && characterClass(text.charCodeAt(end)) === SPACE) end++
  return end
}

function classify(codePoint: number): number {
  const character = String.fromCodePoint(codePoint)
  let found = OTHER
  if (/\p{White_Space}/u.test(character)) found = SPACE
  else if (isNew(codePoint)) found = OTHER
  else if (/\p{L}/u.test(character)) found = LETTER
  else if (/\p{N}/u.test(character)) found = NUMBER
  classes[codePoint] = found
  return found
}

function isNew(codePoint: number): boolean {
  for (let i = 0; i < UNICODE_17.length; i += 2) {
    if (codePoint >= UNICODE_17[i] && codePoint <= UNICODE_17[i + 1]) return true
  }
  return false
}
