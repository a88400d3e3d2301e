/**
 * Distinct pairs of token ids, numbered in the order in which they came: a hash table without an object for each pair,
 * because a training has millions of them.
 */
export class PairTable {
  /** The first id of each pair. */
  lefts = new Int32Array(1 << 10)
  /** The second id of each pair. */
  rights = new Int32Array(1 << 10)
  /** Number of a pair + 1 at its hash or behind it, 0 for none. */
  #slots = new Int32Array(1 << 11)
  #size = 0

  /** Number of pairs. */
  get size(): number {
    return this.#size
  }

  /** The number of a pair, -1 where it is not there. */
  find(left: number, right: number): number {
    return this.#slots[this.#slotOf(left, right)] - 1
  }

  /** The number of a pair, which becomes `size` - 1 where it is new. */
  add(left: number, right: number): number {
    const slot = this.#slotOf(left, right)
    if (this.#slots[slot] > 0) return this.#slots[slot] - 1
    const pair = this.#size++
    if (pair === this.lefts.length) this.#grow()
    this.lefts[pair] = left
    this.rights[pair] = right
    this.#slots[slot] = pair + 1
    if (this.#size * 2 > this.#slots.length) this.#rehash()
    return pair
  }

  #slotOf(left: number, right: number): number {
    const mask = this.#slots.length - 1
    let slot = hashOf(left, right) & mask
    for (;;) {
      const pair = this.#slots[slot] - 1
      if (pair < 0 || (this.lefts[pair] === left && this.rights[pair] === right)) return slot
      slot = (slot + 1) & mask
    }
  }

  #grow(): void {
    for (const name of ['lefts', 'rights'] as const) {
      const larger = new Int32Array(this[name].length * 2)
      larger.set(this[name])
      this[name] = larger
    }
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2)
    const mask = slots.length - 1
    for (let pair = 0; pair < this.#size; pair++) {
      let slot = hashOf(this.lefts[pair], this.rights[pair]) & mask
      while (slots[slot] > 0) slot = (slot + 1) & mask
      slots[slot] = pair + 1
    }
    this.#slots = slots
  }
}

function hashOf(left: number, right: number): number {
  const hash = Math.imul(Math.imul(left, 0x9e3779b1) ^ right, 0x85ebca6b)
  return hash ^ (hash >>> 15)
}
