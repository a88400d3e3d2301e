import type { DocumentPiece } from './documents.js'

/** Characters (UTF-16 units) of the longest piece that is tokenized at once. */
export const maximumPieceLength = 2 ** 18

/**
 * Cuts documents, in whatever pieces they come, into pieces that can be tokenized one by one: only documents longer than
 * a piece are cut, where {@link cutPosition} finds that it changes no token.
 *
 * @param maximum characters of a piece, at least 2
 */
export async function* tokenizablePieces(
  documents: AsyncIterable<DocumentPiece>,
  maximum: number = maximumPieceLength,
): AsyncGenerator<DocumentPiece, void, undefined> {
  let rest = ''
  for await (const { text, ends } of documents) {
    rest += text
    while (rest.length > maximum) {
      const cut = cutPosition(rest, maximum)
      yield { text: rest.slice(0, cut), ends: false }
      rest = rest.slice(cut)
    }
    if (!ends) continue
    yield { text: rest, ends }
    rest = ''
  }
}

/**
 * The last place in a text where it can be cut so that both parts have the tokens of the whole.
 *
 * Byte-level BPE splits text into words first, and the patterns of GPT-2 and its successors (GPT-4, Llama 3, Qwen) have a
 * border in these places, whatever stands around: before a space, or behind a line end, with no other white space there.
 * Where there is none, GPT-2's has one before any white space. Text without white space is cut anywhere between two code
 * points, and may then have another token at the cut; so may tokenizers that put a space before every text.
 *
 * @param limit the largest position, below the text's length, at least 2
 * @returns 1 … limit
 */
export function cutPosition(text: string, limit: number): number {
  for (const isBorder of borders) {
    for (let position = limit; position > 1; position--) if (isBorder(text, position)) return position
  }
  return isLowSurrogate(text.charCodeAt(limit)) ? limit - 1 : limit
}

const borders: ReadonlyArray<(text: string, position: number) => boolean> = [
  (text, position) => text[position] === ' ' && !isSpace(text[position - 1]),
  (text, position) => text[position - 1] === '\n' && !isSpace(text[position]) && !isSpace(text[position - 2]),
  (text, position) => isSpace(text[position]) && !isSpace(text[position - 1]),
]

// JavaScript leaves out the line end U+0085, which Unicode counts to white space.
function isSpace(character: string): boolean {
  return /[\s\u0085]/.test(character)
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}

/**
 * Makes two documents of one: the first ends at a position, or one before it where that would cut a surrogate pair.
 *
 * @param position UTF-16 units of the first document
 */
export async function* cutDocument(
  document: AsyncIterable<DocumentPiece>,
  position: number,
): AsyncGenerator<DocumentPiece, void, undefined> {
  let start = 0
  for await (const { text, ends } of document) {
    const at = position - start
    start += text.length
    if (at <= 0 || at > text.length) {
      yield { text, ends }
      continue
    }
    const cut = isLowSurrogate(text.charCodeAt(at)) ? at - 1 : at
    yield { text: text.slice(0, cut), ends: true }
    yield { text: text.slice(cut), ends }
  }
}
