import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTokenizer, loadTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { byteLevelBpe } from '../tokenizers/tokenizer-json.js'
import type { DocumentPiece } from './documents.js'
import { cutDocument, cutPosition, tokenizablePieces } from './pieces.js'

/** A text in pieces of a length, as a file is read. */
async function* inPieces(text: string, length: number): AsyncGenerator<DocumentPiece> {
  const characters = [...text]
  for (let start = 0; start < characters.length; start += length) {
    const end = start + length
    yield { text: characters.slice(start, end).join(''), ends: end >= characters.length }
  }
}

async function collect(pieces: AsyncIterable<DocumentPiece>): Promise<DocumentPiece[]> {
  const found: DocumentPiece[] = []
  for await (const piece of pieces) found.push(piece)
  return found
}

async function pieceTokens(tokenizer: Tokenizer, text: string, maximum: number): Promise<number[]> {
  const pieces = await collect(tokenizablePieces(inPieces(text, 7), maximum))
  expect(pieces.map((piece) => piece.text).join('')).toBe(text)
  expect(pieces.every((piece) => piece.text.length <= maximum)).toBe(true)
  const ids: number[] = []
  for (const piece of pieces) ids.push(...(await tokenizer.encodeToArray(piece.text)))
  return ids
}

/** GPT-2's tokenizer with few merges, among them such as show whether a cut moved white space to another word. */
function smallBpe(): string {
  const bytes = [...range(0x21, 0x7e), ...range(0xa1, 0xac), ...range(0xae, 0xff)]
  const others = range(0, 255).filter((byte) => !bytes.includes(byte))
  const symbols = [
    ...bytes.map((byte) => String.fromCharCode(byte)),
    ...others.map((_, i) => String.fromCharCode(256 + i)),
  ]
  const merges = ['Ġ Ġ', 'Ċ Ċ', 'ĠĠ Ġ', 'Ġ Ċ', 'a b', 'Ġ a', 'Ġ ab', '. Ċ', 'Ġ .', 'č Ċ', "' a", '1 2']
  const vocabulary = [...symbols, ...merges.map((merge) => merge.replace(' ', ''))]
  return byteLevelBpe(
    JSON.stringify(Object.fromEntries(vocabulary.map((token, id) => [token, id]))),
    merges.join('\n'),
    'test',
  )
}

/** The words of GPT-4 and Llama 3: punctuation takes the line ends behind it along. */
function withNewerPattern(json: string): string {
  const pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
  const split = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }
  return JSON.stringify({ ...JSON.parse(json), pre_tokenizer: { type: 'Sequence', pretokenizers: [split, bytes] } })
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

describe('tokenizablePieces', () => {
  it.each([
    ["GPT-2's pattern", createTokenizer(smallBpe())],
    ['the pattern of GPT-4 and Llama 3', createTokenizer(withNewerPattern(smallBpe()))],
  ])('changes no token under %s', async (_name, tokenizer) => {
    // Every 15 characters there is a place that can be cut.
    const place = fc.constantFrom('a b', 'a\nb', 'ab.\nab', 'a  ab', '🧵 .', '1 2', "a 'a", '、 。', 'a   b')
    const words = fc.string({
      unit: fc.constantFrom('a', 'b', ' ', '\n', '\r\n', '.', '1', "'", '、', '🧵', '\t'),
      maxLength: 9,
    })
    const text = fc.array(
      fc.tuple(place, words).map((parts) => parts.join('')),
      { minLength: 1, maxLength: 12 },
    )
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 20, max: 40 }), async (parts, maximum) => {
        const whole = `${parts.join('')}`
        expect(await pieceTokens(tokenizer, whole, maximum)).toEqual([...(await tokenizer.encodeToArray(whole))])
      }),
      { numRuns: 200 },
    )
  })

  it('leaves documents that are short enough alone, and ends each', async () => {
    async function* documents(): AsyncGenerator<DocumentPiece> {
      yield { text: 'one two', ends: true }
      yield { text: 'three ', ends: false }
      yield { text: 'four five', ends: true }
    }
    expect(await collect(tokenizablePieces(documents(), 10))).toEqual([
      { text: 'one two', ends: true },
      { text: 'three four', ends: false },
      { text: ' five', ends: true },
    ])
  })

  const real = process.env.HEDDLE_DATA
  it.skipIf(!real)("changes no token of GPT-2's on real texts (skipped where HEDDLE_DATA is not set)", async () => {
    const { readFile } = await import('node:fs/promises')
    const tokenizer = await loadTokenizer(join(real ?? '', 'tokenizers/gpt2'))
    for (const [name, maximum] of [
      ['lm/tinyshakespeare.txt', 1000],
      ['lm/zh-poetry/tang-300.json', 500],
      ['classification/zh-chnsenticorp/ChnSentiCorp_htl_all.csv', 2000],
    ] as const) {
      const text = (await readFile(join(real ?? '', name), 'utf8')).slice(0, 200_000)
      expect(await pieceTokens(tokenizer, text, maximum)).toEqual([...(await tokenizer.encodeToArray(text))])
    }
  })
})

describe('cutPosition', () => {
  it.each<[text: string, limit: number, cut: number]>([
    ['one two three', 10, 7], // before the space
    ['one two', 3, 3],
    ['one  two', 7, 3], // before both spaces
    ['一二\n三四', 4, 3], // behind the line end
    ['一二\r\n三四', 5, 2], // no other place than before the line end
    ['一二。\n\n三四', 6, 3],
    ['一二三四', 3, 3], // nowhere: anywhere
    ['一\u{1f9f5}三', 2, 1], // but never within a character
    [' ab', 2, 2],
  ])('cuts %j (limit %d) at %d', (text, limit, cut) => {
    expect(cutPosition(text, limit)).toBe(cut)
  })
})

describe('cutDocument', () => {
  const cut = async (text: string, position: number, length: number) => {
    const documents = ['']
    for await (const piece of cutDocument(inPieces(text, length), position)) {
      documents[documents.length - 1] += piece.text
      if (piece.ends) documents.push('')
    }
    expect(documents.pop()).toBe('')
    return documents
  }

  it('makes two documents of one, wherever its pieces end', async () => {
    for (const length of [1, 2, 3, 7, 10]) expect(await cut('0123456789', 7, length)).toEqual(['0123456', '789'])
  })

  it('never cuts a surrogate pair', async () => {
    for (const length of [1, 2, 20]) {
      expect(await cut('01234567\u{1f9f5}', 9, length)).toEqual(['01234567', '\u{1f9f5}'])
      expect(await cut('0123456\u{1f9f5}8', 9, length)).toEqual(['0123456\u{1f9f5}', '8'])
    }
  })
})
