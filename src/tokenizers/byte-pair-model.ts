import { NumberHeap } from './number-heap.js'
import { PairTable } from './pair-table.js'
import type { WordModel, WordTokens } from './word-model.js'

/** Up to so many symbols the strongest pair is searched for in all of them; longer words have a heap. */
const SHORT = 64

/**
 * Byte-pair encoding of single words (Sennrich et al. 2016): of all pairs of adjacent tokens the one that was learnt
 * first is merged, the leftmost of equal ones, until no pair is known.
 */
export class BytePairModel implements WordModel {
  readonly #ids: ReadonlyMap<string, number>
  readonly #pairs = new PairTable()
  /** The id that each pair merges into; pairs are numbered by their rank. */
  readonly #merged: Int32Array
  readonly #wholeWords: boolean
  readonly #ranks = new Int32Array(SHORT)

  /**
   * @param ids the id of every token
   * @param merges pairs of tokens, the strongest first; they and what they merge into must have ids
   * @param options.wholeWords whether a word that is a token is that token, whatever the merges say
   */
  constructor(
    ids: ReadonlyMap<string, number>,
    merges: readonly (readonly [left: string, right: string])[],
    { wholeWords = false } = {},
  ) {
    this.#ids = ids
    this.#wholeWords = wholeWords
    const merged: number[] = []
    for (const [left, right] of merges) {
      const [leftId, rightId, id] = [ids.get(left), ids.get(right), ids.get(left + right)]
      if (leftId === undefined || rightId === undefined || id === undefined) continue
      if (this.#pairs.add(leftId, rightId) === merged.length) merged.push(id)
    }
    this.#merged = Int32Array.from(merged)
  }

  /** The tokens of a word; characters that are no tokens are left out. */
  encode(word: string): WordTokens {
    const whole = this.#wholeWords ? this.#ids.get(word) : undefined
    if (whole !== undefined) return { ids: [whole], starts: [0], ends: [word.length] }
    const symbols = new Int32Array(word.length)
    const ends = new Int32Array(word.length)
    let size = 0
    let end = 0
    for (const character of word) {
      end += character.length
      const id = this.#ids.get(character)
      if (id === undefined) continue
      symbols[size] = id
      ends[size++] = end
    }
    size = this.merge(symbols, ends, size)
    const all = Array.from(ends.subarray(0, size))
    return { ids: Array.from(symbols.subarray(0, size)), starts: [0, ...all.slice(0, -1)].slice(0, size), ends: all }
  }

  /**
   * Merges the first `size` symbols in place.
   *
   * @param ends where each symbol ends, merged with them
   * @returns how many are left
   */
  merge(symbols: Int32Array, ends: Int32Array, size: number): number {
    return size <= SHORT ? this.#mergeShort(symbols, ends, size) : this.#mergeLong(symbols, ends, size)
  }

  #mergeShort(symbols: Int32Array, ends: Int32Array, size: number): number {
    const ranks = this.#ranks
    for (let i = 0; i + 1 < size; i++) ranks[i] = this.#pairs.find(symbols[i], symbols[i + 1])
    for (;;) {
      let best = -1
      for (let i = 0; i + 1 < size; i++) if (ranks[i] >= 0 && (best < 0 || ranks[i] < ranks[best])) best = i
      if (best < 0) return size
      symbols[best] = this.#merged[ranks[best]]
      ends[best] = ends[best + 1]
      size--
      for (let i = best + 1; i < size; i++) {
        symbols[i] = symbols[i + 1]
        ends[i] = ends[i + 1]
        ranks[i] = ranks[i + 1]
      }
      if (best + 1 < size) ranks[best] = this.#pairs.find(symbols[best], symbols[best + 1])
      if (best > 0) ranks[best - 1] = this.#pairs.find(symbols[best - 1], symbols[best])
    }
  }

  /** The same in O(n log n): a text without spaces is one word. */
  #mergeLong(symbols: Int32Array, ends: Int32Array, size: number): number {
    const next = Int32Array.from({ length: size }, (_, i) => i + 1)
    const before = Int32Array.from({ length: size }, (_, i) => i - 1)
    const queue = new NumberHeap()
    const enter = (i: number) => {
      if (i < 0 || next[i] >= size) return
      const rank = this.#pairs.find(symbols[i], symbols[next[i]])
      // Rank and place in one number: the lowest is the strongest pair, the leftmost of equal ones.
      if (rank >= 0) queue.push(rank * 2 ** 31 + i)
    }
    for (let i = 0; i + 1 < size; i++) enter(i)
    for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
      const rank = Math.floor(top / 2 ** 31)
      const i = top % 2 ** 31
      const other = next[i]
      // One of the two may have been merged with another neighbour since.
      if (symbols[i] < 0 || other >= size || this.#pairs.find(symbols[i], symbols[other]) !== rank) continue
      symbols[i] = this.#merged[rank]
      ends[i] = ends[other]
      symbols[other] = -1
      next[i] = next[other]
      if (next[i] < size) before[next[i]] = i
      enter(before[i])
      enter(i)
    }
    let left = 0
    for (let i = 0; i < size; i = next[i]) {
      symbols[left] = symbols[i]
      ends[left++] = ends[i]
    }
    return left
  }
}
