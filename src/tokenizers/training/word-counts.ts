import { WordTable } from '../word-table.js'

/** Longer words, which are no words (encoded data, text without spaces), are counted in parts of this many UTF-16 units. */
const LONGEST = 4096

/** How much {@link WordCounts} keeps. */
export interface WordLimits {
  /** Distinct words; 4 million where absent. */
  readonly words?: number | undefined

  /** UTF-16 units of all distinct words; 24 million where absent, with which byte-level learning takes 2 GB at most. */
  readonly units?: number | undefined
}

/**
 * How often each word of a text occurs, which is all that a tokenizer learns from: the memory grows with the distinct
 * words, not with the text.
 *
 * Text whose words are never the same (Chinese without spaces, hashes) would grow it without bound. At a limit the
 * rarest words are forgotten until half of it is free: those that came once, then twice, and so on (lossy counting,
 * Manku & Motwani 2002). A word that was forgotten and comes again starts from 0; frequent words keep exact counts.
 */
export class WordCounts {
  #table = new WordTable()
  #counts = new Float64Array(1 << 10)
  readonly #limits: Required<{ [Name in keyof WordLimits]: number }>
  #forgotten = 0

  constructor({ words = 4_000_000, units = 24_000_000 }: WordLimits = {}) {
    this.#limits = { words, units }
  }

  /** Number of distinct words. */
  get size(): number {
    return this.#table.size
  }

  /** UTF-16 units of all distinct words. */
  get units(): number {
    return this.#table.units
  }

  /** The count of words that were forgotten, 0 for most texts. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** How often each word came, in the order of {@link WordCounts.words}. */
  get counts(): Float64Array {
    return this.#counts.subarray(0, this.size)
  }

  /** Counts the word `text.slice(start, end)`. */
  add(text: string, start: number, end: number, count = 1): void {
    let from = start
    while (end - from > LONGEST) {
      const isInside = (text.codePointAt(from + LONGEST - 1) ?? 0) > 0xffff
      const cut = from + LONGEST - (isInside ? 1 : 0)
      this.#count(text, { start: from, end: cut }, count)
      from = cut
    }
    this.#count(text, { start: from, end }, count)
  }

  /** The words in the order in which they came. */
  *words(): Generator<string> {
    for (let word = 0; word < this.size; word++) yield this.#table.word(word)
  }

  #count(text: string, { start, end }: { start: number; end: number }, count: number): void {
    const word = this.#table.add(text, start, end)
    if (word === this.#counts.length) {
      const larger = new Float64Array(this.#counts.length * 2)
      larger.set(this.#counts)
      this.#counts = larger
    }
    this.#counts[word] += count
    if (this.#table.size > this.#limits.words || this.#table.units > this.#limits.units) this.#forget()
  }

  #forget(): void {
    const { words, units } = this.#limits
    for (let least = 2; this.size > words / 2 || this.units > units / 2; least++) {
      const kept = new WordCounts({ words: Number.POSITIVE_INFINITY, units: Number.POSITIVE_INFINITY })
      for (let word = 0; word < this.size; word++) {
        const text = this.#counts[word] < least ? '' : this.#table.word(word)
        if (text !== '') kept.add(text, 0, text.length, this.#counts[word])
        else this.#forgotten += this.#counts[word]
      }
      this.#table = kept.#table
      this.#counts = kept.#counts
    }
  }
}
