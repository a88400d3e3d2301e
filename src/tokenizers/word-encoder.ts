import type { AlignedText } from './aligned-text.js'
import type { WordModel } from './word-model.js'
import { WordTable } from './word-table.js'

/** How many UTF-16 units of distinct words are remembered: with their tokens up to about 100 MB. */
const REMEMBERED_UNITS = 8_000_000

/** How a normalized text becomes words, for tokenizers whose words are slices of the text. */
export interface WordSplitter {
  /** The text that words are slices of: the given one in another spelling. */
  prepare(text: string): string

  /** The same, which knows where it comes from. */
  align(text: AlignedText): AlignedText

  /** Calls back for each word of a prepared text, in order. */
  forEachWord(text: string, onWord: (start: number, end: number) => void): void
}

/**
 * Encodes prepared texts word by word. Text is mostly words that came before: their tokens are looked up without a string
 * or an object being made for a word.
 */
export class WordEncoder {
  readonly #splitter: WordSplitter
  readonly #model: WordModel
  #words = new WordTable()
  /** Where the tokens of each word start in the lists below, and at last where those of the last one end. */
  #firsts = [0]
  #ids = new Int32Array(1 << 10)
  #starts = new Int32Array(1 << 10)
  #ends = new Int32Array(1 << 10)

  constructor(splitter: WordSplitter, model: WordModel) {
    this.#splitter = splitter
    this.#model = model
  }

  /** Appends the ids of a prepared text. */
  appendIds(text: string, list: IdList): void {
    this.#splitter.forEachWord(text, (start, end) => {
      const word = this.#wordAt(text, start, end)
      list.append(this.#ids, this.#firsts[word], this.#firsts[word + 1])
    })
  }

  /**
   * Calls back for each token of a prepared text, with where it starts and ends in it, and its word.
   *
   * @param first the number of the text's first word
   * @returns the number of the word behind the last one
   */
  forEachToken(
    text: string,
    first: number,
    onToken: (id: number, start: number, end: number, word: number) => void,
  ): number {
    let count = first
    this.#splitter.forEachWord(text, (start, end) => {
      const word = this.#wordAt(text, start, end)
      for (let i = this.#firsts[word]; i < this.#firsts[word + 1]; i++) {
        onToken(this.#ids[i], start + this.#starts[i], start + this.#ends[i], count)
      }
      count++
    })
    return count
  }

  /** The number of a word whose tokens are known from now on. */
  #wordAt(text: string, start: number, end: number): number {
    if (this.#words.units > REMEMBERED_UNITS) {
      this.#words = new WordTable()
      this.#firsts = [0]
    }
    const word = this.#words.add(text, start, end)
    if (word === this.#firsts.length - 1) this.#learn(text.slice(start, end))
    return word
  }

  #learn(word: string): void {
    const { ids, starts, ends } = this.#model.encode(word)
    let count = this.#firsts[this.#firsts.length - 1]
    if (count + ids.length > this.#ids.length) this.#grow(count + ids.length)
    for (let i = 0; i < ids.length; i++) {
      this.#ids[count] = ids[i]
      this.#starts[count] = starts[i]
      this.#ends[count++] = ends[i]
    }
    this.#firsts.push(count)
  }

  #grow(needed: number): void {
    const larger = (array: Int32Array) => {
      const copy = new Int32Array(Math.ceil(needed * 1.5))
      copy.set(array)
      return copy
    }
    this.#ids = larger(this.#ids)
    this.#starts = larger(this.#starts)
    this.#ends = larger(this.#ends)
  }
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
  append(source: ArrayLike<number>, start = 0, end = source.length): void {
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
