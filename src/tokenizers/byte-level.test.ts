import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BYTE_CHARACTERS, CHARACTER_BYTES, toByteCharacters, wordEnd } from './byte-level.js'

/** GPT-2's pattern, with Unicode's white space in the place of JavaScript's. */
const space = '\\p{White_Space}'
const pattern = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${space}\\p{L}\\p{N}]+|${space}+(?!\\P{White_Space})|${space}+`,
  'gu',
)

function words(text: string, lines = false): string[] {
  const found: string[] = []
  for (let start = 0; start < text.length; ) {
    const end = wordEnd(text, start, lines)
    found.push(text.slice(start, end))
    start = end
  }
  return found
}

const unit = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(' ', '\n', '\r', '\t', '\u0085', '\u3000', '\ufeff', '\u2028') },
  {
    weight: 3,
    arbitrary: fc.constantFrom("'", 's', 't', 'r', 'e', 'v', 'm', 'l', 'd', 'S', 'a', '中', '𠀀', 'é', '\u0301'),
  },
  { weight: 2, arbitrary: fc.constantFrom('1', '½', '٣', '!', '_', '😀', '\u200d', '👍🏽', '\ud83d') },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0x7ff }).map((point) => String.fromCodePoint(point)) },
)
const text = fc.string({ unit, maxLength: 24 })

describe('wordEnd', () => {
  it('splits as the pattern does', () => {
    fc.assert(
      fc.property(text, (given) => {
        expect(words(given)).toEqual(given.match(pattern) ?? [])
      }),
      { numRuns: 2000 },
    )
  })

  it('splits lines on their own where asked', () => {
    fc.assert(
      fc.property(text, (given) => {
        const lines = given.split(/(?<=\n)/).filter(Boolean)
        expect(words(given, true)).toEqual(lines.flatMap((line) => line.match(pattern) ?? []))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('byte characters', () => {
  it('are 256 different ones, those of Latin-1 where they can be seen', () => {
    expect(CHARACTER_BYTES.size).toBe(256)
    expect(BYTE_CHARACTERS.map((character) => CHARACTER_BYTES.get(character))).toEqual([...Array(256).keys()])
    expect([0x41, 0xe9, 0x20, 0x0a, 0xad, 0x7f].map((byte) => BYTE_CHARACTERS[byte])).toEqual([
      'A',
      'é',
      'Ġ',
      'Ċ',
      'Ń',
      'ġ',
    ])
  })

  it('spell UTF-8', () => {
    expect(toByteCharacters(' é中😀')).toBe('ĠÃ©ä¸ŃðŁĺĢ')
  })
})
