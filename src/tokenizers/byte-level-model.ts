import { BYTE_CHARACTERS } from './byte-level.js'
import type { BytePairModel } from './byte-pair-model.js'
import type { WordModel, WordTokens } from './word-model.js'

/** Byte-pair encoding of the UTF-8 bytes of words that are given as text, not as the characters of their bytes. */
export class ByteLevelModel implements WordModel {
  readonly #model: BytePairModel
  readonly #byteIds: Int32Array
  /** One word's symbols, and where each ends, counted in bytes. */
  #symbols = new Int32Array(1 << 8)
  #ends = new Int32Array(1 << 8)

  /** @param ids the id of every token, one for each byte among them */
  constructor(model: BytePairModel, ids: ReadonlyMap<string, number>) {
    this.#model = model
    this.#byteIds = Int32Array.from(BYTE_CHARACTERS, (character) => ids.get(character) ?? -1)
  }

  encode(word: string): WordTokens {
    if (word.length * 3 > this.#symbols.length) {
      this.#symbols = new Int32Array(word.length * 3)
      this.#ends = new Int32Array(word.length * 3)
    }
    const size = this.#model.merge(this.#symbols, this.#ends, this.#spell(word))
    const tokens = { ids: new Array<number>(size), starts: new Array<number>(size), ends: new Array<number>(size) }
    let byte = 0
    let unit = 0
    for (let i = 0; i < size; i++) {
      tokens.ids[i] = this.#symbols[i]
      tokens.starts[i] = unit
      for (let bytes = utf8Length(word, unit); byte + bytes <= this.#ends[i]; bytes = utf8Length(word, unit)) {
        byte += bytes
        unit += bytes === 4 ? 2 : 1
        if (unit === word.length) break
      }
      // Tokens that share a character all stand for the whole of it.
      tokens.ends[i] = byte === this.#ends[i] ? unit : unit + (utf8Length(word, unit) === 4 ? 2 : 1)
    }
    return tokens
  }

  /** Fills in the symbols of a word's bytes. Returns how many there are. */
  #spell(word: string): number {
    const ids = this.#byteIds
    const symbols = this.#symbols
    let size = 0
    for (let i = 0; i < word.length; i++) {
      const point = word.codePointAt(i) ?? 0
      if (point < 0x80) symbols[size++] = ids[point]
      else {
        const length = utf8Length(word, i)
        symbols[size++] = ids[(length === 2 ? 0xc0 : length === 3 ? 0xe0 : 0xf0) | (point >> (6 * (length - 1)))]
        for (let k = length - 2; k >= 0; k--) symbols[size++] = ids[0x80 | ((point >> (6 * k)) & 0x3f)]
        if (length === 4) i++
      }
    }
    for (let i = 0; i < size; i++) this.#ends[i] = i + 1
    return size
  }
}

/** How many bytes of UTF-8 the character at `position` of a well-formed text has. */
function utf8Length(text: string, position: number): 1 | 2 | 3 | 4 {
  const unit = text.charCodeAt(position)
  if (unit < 0x80) return 1
  if (unit < 0x800) return 2
  return (unit & 0xfc00) === 0xd800 ? 4 : 3
}
