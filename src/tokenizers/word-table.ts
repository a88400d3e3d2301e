/**
 * Distinct words, numbered in the order in which they came: a hash table over slices of texts that keeps their UTF-16
 * units side by side, so that looking a word up makes no string.
 */
export class WordTable {
  #units = new Uint16Array(1 << 12)
  /** Where each word starts in #units; the entry behind the last word is the number of units. */
  #starts = new Uint32Array(1 << 8)
  #hashes = new Int32Array(1 << 8)
  /** Number of a word + 1 at its hash or behind it, 0 for none. */
  #slots = new Int32Array(1 << 9)
  #size = 0

  /** Number of words. */
  get size(): number {
    return this.#size
  }

  /** Number of UTF-16 units of all words. */
  get units(): number {
    return this.#starts[this.#size]
  }

  /** The number of the word `text.slice(start, end)`, -1 where it is not there. */
  find(text: string, start: number, end: number): number {
    return this.#slots[this.#slotOf(text, { start, end, hash: hashOf(text, start, end) })] - 1
  }

  /** The number of the word `text.slice(start, end)`, which becomes `size` - 1 where it is new. */
  add(text: string, start: number, end: number): number {
    const hash = hashOf(text, start, end)
    const slot = this.#slotOf(text, { start, end, hash })
    if (this.#slots[slot] > 0) return this.#slots[slot] - 1
    const word = this.#append(text, { start, end, hash })
    this.#slots[slot] = word + 1
    if (this.#size * 2 > this.#slots.length) this.#rehash()
    return word
  }

  /** The word of a number. */
  word(number: number): string {
    const units = this.#units.subarray(this.#starts[number], this.#starts[number + 1])
    if (units.length <= 4096) return String.fromCharCode(...units)
    let word = ''
    for (let i = 0; i < units.length; i += 4096) word += String.fromCharCode(...units.subarray(i, i + 4096))
    return word
  }

  #slotOf(text: string, { start, end, hash }: Slice): number {
    const mask = this.#slots.length - 1
    let slot = hash & mask
    while (this.#slots[slot] > 0 && !this.#equals(this.#slots[slot] - 1, text, { start, end, hash })) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  #equals(word: number, text: string, { start, end, hash }: Slice): boolean {
    const from = this.#starts[word]
    if (this.#hashes[word] !== hash || this.#starts[word + 1] - from !== end - start) return false
    for (let i = start; i < end; i++) if (this.#units[from + i - start] !== text.charCodeAt(i)) return false
    return true
  }

  #append(text: string, { start, end, hash }: Slice): number {
    const from = this.#starts[this.#size]
    const to = from + end - start
    if (to > this.#units.length) this.#units = grown(this.#units, new Uint16Array(roomFor(to)))
    if (this.#size + 2 > this.#starts.length) {
      this.#starts = grown(this.#starts, new Uint32Array(this.#starts.length * 2))
      this.#hashes = grown(this.#hashes, new Int32Array(this.#hashes.length * 2))
    }
    for (let i = start; i < end; i++) this.#units[from + i - start] = text.charCodeAt(i)
    this.#starts[this.#size + 1] = to
    this.#hashes[this.#size] = hash
    return this.#size++
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2)
    const mask = slots.length - 1
    for (let word = 0; word < this.#size; word++) {
      let slot = this.#hashes[word] & mask
      while (slots[slot] > 0) slot = (slot + 1) & mask
      slots[slot] = word + 1
    }
    this.#slots = slots
  }
}

interface Slice {
  readonly start: number
  readonly end: number
  readonly hash: number
}

/** FNV-1a over UTF-16 units, with a last mix because the table takes its low bits. */
function hashOf(text: string, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) | 0
}

/** A capacity of at least `needed`, half as much again. */
function roomFor(needed: number): number {
  return Math.ceil(needed * 1.5)
}

function grown<T extends Uint16Array | Uint32Array | Int32Array>(from: T, to: T): T {
  to.set(from)
  return to
}
