import { BYTE_CHARACTERS, wordEnd } from './byte-level.js'
import type { BytePairModel } from './byte-pair-model.js'
import { WordTable } from './word-table.js'

/** How many UTF-16 units of distinct words are remembered: with their tokens up to about 100 MB. */
const REMEMBERED_UNITS = 8_000_000

/** A token of a text: its id, and where it starts and ends in UTF-16 units. */
export type OnToken = (id: number, start: number, end: number) => void

/**
 * Byte-level byte-pair encoding of whole texts. Text is mostly words that came before: their tokens are looked up
 * without a string or an object being made for a word.
 */
export class ByteLevelEncoder {
  readonly #model: BytePairModel
  readonly #byteIds: Int32Array
  #words = new WordTable()
  /** The tokens of all words with their offsets in the word, and where the tokens of each word start. */
  #ids = new Int32Array(1 << 10)
  #tokenStarts = new Int32Array(1 << 10)
  #tokenEnds = new Int32Array(1 << 10)
  #starts = [0]
  /** One word's symbols and where each ends, counted in bytes. */
  #symbols = new Int32Array(1 << 8)
  #ends = new Int32Array(1 << 8)

  /** @param ids the id of every token; one for each byte must be there */
  constructor(model: BytePairModel, ids: ReadonlyMap<string, number>) {
    this.#model = model
    this.#byteIds = Int32Array.from(BYTE_CHARACTERS, (character) => ids.get(character) ?? -1)
  }

  /** Appends the ids of a text, which is split into words as a text of its own. */
  appendIds(text: string, list: IdList): void {
    for (let start = 0; start < text.length; ) {
      const end = wordEnd(text, start)
      const word = this.#wordAt(text, start, end)
      list.append(this.#ids, this.#starts[word], this.#starts[word + 1])
      start = end
    }
  }

  /** Calls back for each token of a text. */
  forEachToken(text: string, onToken: OnToken): void {
    for (let start = 0; start < text.length; ) {
      const end = wordEnd(text, start)
      const word = this.#wordAt(text, start, end)
      for (let i = this.#starts[word]; i < this.#starts[word + 1]; i++) {
        onToken(this.#ids[i], start + this.#tokenStarts[i], start + this.#tokenEnds[i])
      }
      start = end
    }
  }

  /** The number of a word whose tokens are known from now on. */
  #wordAt(text: string, start: number, end: number): number {
    if (this.#words.units > REMEMBERED_UNITS) {
      this.#words = new WordTable()
      this.#starts = [0]
    }
    const word = this.#words.add(text, start, end)
    if (word === this.#starts.length - 1) this.#learn(text, start, end)
    return word
  }

  #learn(text: string, start: number, end: number): void {
    if ((end - start) * 3 > this.#symbols.length) {
      this.#symbols = new Int32Array((end - start) * 3)
      this.#ends = new Int32Array((end - start) * 3)
    }
    const bytes = this.#spell(text, start, end)
    const size = this.#model.merge(this.#symbols, this.#ends, bytes)
    let count = this.#starts[this.#starts.length - 1]
    if (count + size > this.#ids.length) this.#grow(count + size)
    // Tokens that share a character all stand for the whole of it.
    let byte = 0
    let unit = start
    for (let i = 0; i < size; i++) {
      const from = unit
      while (byte < this.#ends[i]) {
        const length = utf8LengthAt(text, unit)
        if (byte + length > this.#ends[i]) break
        byte += length
        unit += length === 4 ? 2 : 1
      }
      const isInside = byte < this.#ends[i]
      this.#ids[count] = this.#symbols[i]
      this.#tokenStarts[count] = from - start
      this.#tokenEnds[count++] = unit - start + (isInside ? (utf8LengthAt(text, unit) === 4 ? 2 : 1) : 0)
    }
    this.#starts.push(count)
  }

  /** Fills in the symbols of a word's bytes. Returns how many there are. */
  #spell(text: string, start: number, end: number): number {
    const ids = this.#byteIds
    const symbols = this.#symbols
    let size = 0
    for (let i = start; i < end; i++) {
      const point = text.codePointAt(i) ?? 0
      if (point < 0x80) symbols[size++] = ids[point]
      else {
        const length = utf8LengthAt(text, i)
        // Halves of surrogate pairs become the replacement character, as wherever text is encoded.
        const valid = (point & 0x1ff800) === 0xd800 ? 0xfffd : point
        symbols[size++] = ids[(length === 2 ? 0xc0 : length === 3 ? 0xe0 : 0xf0) | (valid >> (6 * (length - 1)))]
        for (let k = length - 2; k >= 0; k--) symbols[size++] = ids[0x80 | ((valid >> (6 * k)) & 0x3f)]
        if (length === 4) i++
      }
    }
    for (let i = 0; i < size; i++) this.#ends[i] = i + 1
    return size
  }

  #grow(needed: number): void {
    const larger = (array: Int32Array) => {
      const copy = new Int32Array(Math.ceil(needed * 1.5))
      copy.set(array)
      return copy
    }
    this.#ids = larger(this.#ids)
    this.#tokenStarts = larger(this.#tokenStarts)
    this.#tokenEnds = larger(this.#tokenEnds)
  }
}

/** How many bytes of UTF-8 the character at `position` has. */
function utf8LengthAt(text: string, position: number): 1 | 2 | 3 | 4 {
  const unit = text.charCodeAt(position)
  if (unit < 0x80) return 1
  if (unit < 0x800) return 2
  return (unit & 0xfc00) === 0xd800 && (text.codePointAt(position) ?? 0) > 0xffff ? 4 : 3
}

/** Ids that grow by one or many. */
export class IdList {
  #ids: Uint32Array
  #size = 0

  /** @param expected how many ids to have room for at first */
  constructor(expected: number) {
    this.#ids = new Uint32Array(Math.max(16, Math.ceil(expected)))
  }

  /** Appends `source[start]` to `source[end - 1]`. */
  append(source: ArrayLike<number>, start: number, end: number): void {
    const size = this.#size + end - start
    if (size > this.#ids.length) {
      const larger = new Uint32Array(Math.ceil(size * 1.5))
      larger.set(this.#ids.subarray(0, this.#size))
      this.#ids = larger
    }
    for (let i = start; i < end; i++) this.#ids[this.#size++] = source[i]
  }

  /** A copy of the ids. */
  toArray(): Uint32Array {
    return this.#ids.slice(0, this.#size)
  }
}
