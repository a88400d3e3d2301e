import type { PairTable } from '../pair-table.js'

/** Pairs by falling count, of equal count by rising ids (first, then second): a binary heap in typed arrays. */
export class PairQueue {
  readonly #table: PairTable
  #pairs = new Int32Array(1 << 10)
  #counts = new Float64Array(1 << 10)
  #size = 0

  /** @param table what knows the ids of the pairs by their numbers */
  constructor(table: PairTable) {
    this.#table = table
  }

  /** Enters a pair with its count of now; a pair may be there several times. */
  push(pair: number, count: number): void {
    if (this.#size === this.#pairs.length) this.#grow()
    let place = this.#size++
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!this.#isBefore(pair, count, parent)) break
      this.#move(parent, place)
      place = parent
    }
    this.#pairs[place] = pair
    this.#counts[place] = count
  }

  /** Takes the first pair out, with the count it was entered with; [-1, 0] where the queue is empty. */
  pop(): [pair: number, count: number] {
    if (this.#size === 0) return [-1, 0]
    const first: [number, number] = [this.#pairs[0], this.#counts[0]]
    const last = --this.#size
    const pair = this.#pairs[last]
    const count = this.#counts[last]
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= last) break
      if (child + 1 < last && this.#isBefore(this.#pairs[child + 1], this.#counts[child + 1], child)) child++
      if (this.#isBefore(pair, count, child)) break
      this.#move(child, place)
      place = child
    }
    this.#pairs[place] = pair
    this.#counts[place] = count
    return first
  }

  #isBefore(pair: number, count: number, place: number): boolean {
    if (count !== this.#counts[place]) return count > this.#counts[place]
    const { lefts, rights } = this.#table
    const other = this.#pairs[place]
    return lefts[pair] === lefts[other] ? rights[pair] < rights[other] : lefts[pair] < lefts[other]
  }

  #move(from: number, to: number): void {
    this.#pairs[to] = this.#pairs[from]
    this.#counts[to] = this.#counts[from]
  }

  #grow(): void {
    const pairs = new Int32Array(this.#pairs.length * 2)
    const counts = new Float64Array(this.#counts.length * 2)
    pairs.set(this.#pairs)
    counts.set(this.#counts)
    this.#pairs = pairs
    this.#counts = counts
  }
}
