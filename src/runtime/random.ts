/**
 * Counter-based randomness: every number is a pure function of (seed, place, step, index), so that runs resume exactly
 * and a browser, Node and a Python script draw the same numbers.
 *
 * The layout, for whoever writes a second implementation:
 *
 * - key word 0 = seed mod 2³²; key word 1 = {@link placeKey}(place) xor ⌊seed / 2³²⌋
 * - counter words = (block mod 2³², ⌊block / 2³²⌋, step mod 2³², ⌊step / 2³²⌋)
 * - word j of {@link philox}(counter, key) is number 4 · block + j of the stream
 *
 * Seeds, steps and block indices are non-negative safe integers (below 2⁵³).
 */
import { UsageError } from '../errors.js'

/** Four uint32 words: a Philox counter or block of output. */
export type PhiloxBlock = [number, number, number, number]

const MULTIPLIER_0 = 0xd2511f53
const MULTIPLIER_1 = 0xcd9e8d57
const WEYL_0 = 0x9e3779b9
const WEYL_1 = 0xbb67ae85
const ROUNDS = 10
const TWO_32 = 2 ** 32

/**
 * Philox4x32-10: ten rounds of a keyed bijection of 128-bit counters whose outputs are statistically independent
 * (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", §3.3).
 *
 * @param counter four uint32 words
 * @param key two uint32 words
 * @returns four uint32 words
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): PhiloxBlock {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0)
    const high1 = multiplyHigh(MULTIPLIER_1, c2)
    const low0 = Math.imul(MULTIPLIER_0, c0)
    const low1 = Math.imul(MULTIPLIER_1, c2)
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1 >>> 0
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0 >>> 0
    k0 = (k0 + WEYL_0) >>> 0
    k1 = (k1 + WEYL_1) >>> 0
  }
  return [c0, c1, c2, c3]
}

/** The upper 32 bits of the 64-bit product of two uint32, from products of 16-bit halves, which a double holds. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = (aLow * bHigh + (middle & 0xffff)) >>> 16
  return aHigh * bHigh + (middle >>> 16) + carry
}

/**
 * The 32-bit FNV-1a hash of a name in UTF-8 (Fowler, Noll & Vo; offset basis 0x811c9dc5, prime 0x01000193): it gives
 * every place that draws random numbers ("h.3.mlp.dropout", "shuffle") a key of its own.
 *
 * @returns a uint32
 */
export function placeKey(place: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(place)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/**
 * The Philox key of (seed, place): [seed mod 2³², placeKey(place) xor ⌊seed / 2³²⌋].
 *
 * @param seed a non-negative safe integer
 * @returns two uint32 words
 * @throws UsageError where the seed is anything else
 */
export function streamKey(seed: number, place: string): [number, number] {
  const [low, high] = splitWords(seed, 'seed')
  return [low, (placeKey(place) ^ high) >>> 0]
}

/**
 * A non-negative safe integer as the two words (value mod 2³², ⌊value / 2³²⌋).
 *
 * @param what names the value in the message
 * @throws UsageError where the value is anything else
 */
export function splitWords(value: number, what: string): [number, number] {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new UsageError(`random: ${what} must be an integer from 0 to 2^53 - 1, got ${value}; pass a smaller one`)
  }
  return [value % TWO_32, Math.floor(value / TWO_32)]
}

/** An array whose elements can be exchanged: a plain array or any typed array. */
export interface Shufflable<T> {
  readonly length: number
  [index: number]: T
}

/** A sequence of random numbers determined by (seed, place, step); the layout of key and counter heads this file. */
export class RandomStream {
  readonly #key: [number, number]
  readonly #step: [number, number]
  #block = 0
  #words: PhiloxBlock = [0, 0, 0, 0]
  #used = 4
  #spareNormal: number | undefined

  /**
   * @param seed the run's seed, a non-negative safe integer
   * @param place who draws: streams of different places are independent
   * @param step the training step, epoch or sample, a non-negative safe integer
   * @throws UsageError where seed or step is not such an integer
   */
  constructor(seed: number, place: string, step = 0) {
    this.#key = streamKey(seed, place)
    this.#step = splitWords(step, 'step')
  }

  /** The next word of the stream, uniform over the integers 0 … 2³² − 1. */
  uint32(): number {
    if (this.#used === 4) {
      const [low, high] = splitWords(this.#block++, 'block')
      this.#words = philox([low, high, this.#step[0], this.#step[1]], this.#key)
      this.#used = 0
    }
    return this.#words[this.#used++]
  }

  /** Uniform over [0, 1) with 53 bits: (⌊a / 2⁵⌋ · 2²⁶ + ⌊b / 2⁶⌋) / 2⁵³ of the next two words a, b. */
  uniform(): number {
    const upper = this.uint32() >>> 5
    const lower = this.uint32() >>> 6
    return (upper * 2 ** 26 + lower) / 2 ** 53
  }

  /**
   * Standard normal, by Box & Muller (1958): with u, v the next two uniforms and r = √(−2 ln(1 − u)), first
   * r · cos 2πv, at the next call r · sin 2πv. (1 − u lies in (0, 1], where the logarithm is finite.) Engines may differ
   * in the last bit, because their logarithms and cosines do.
   */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal
      this.#spareNormal = undefined
      return spare
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.#spareNormal = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /**
   * Uniform over the integers 0 … bound − 1, without bias: a word at or above the largest multiple of `bound` that
   * 2³² holds is thrown away, the next one below it is taken mod `bound`.
   *
   * @param bound an integer from 1 to 2³²
   * @throws UsageError where it is anything else
   */
  integer(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > TWO_32) {
      throw new UsageError(`RandomStream.integer: bound must be an integer from 1 to 2^32, got ${bound}`)
    }
    const limit = TWO_32 - (TWO_32 % bound)
    for (;;) {
      const word = this.uint32()
      if (word < limit) return word % bound
    }
  }

  /**
   * Shuffles an array in place and returns it, every order being equally likely (Fisher–Yates, in the form of Durstenfeld
   * 1964): for i from the last index down to 1, exchanges elements i and integer(i + 1).
   */
  shuffle<A extends Shufflable<unknown>>(array: A): A {
    const items: Shufflable<unknown> = array
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1)
      const item = items[i]
      items[i] = items[j]
      items[j] = item
    }
    return array
  }
}

/**
 * The numbers 0 … n − 1 in a random order determined by (seed, place, step).
 *
 * @param n how many, an integer from 0 to 2³² − 1
 * @param step for data order, the epoch
 * @throws UsageError where n is anything else, or seed or step is not a non-negative safe integer
 */
export function permutation(n: number, seed: number, place: string, step: number): Uint32Array {
  if (!Number.isInteger(n) || n < 0 || n >= TWO_32) {
    throw new UsageError(`permutation: n must be an integer from 0 to 2^32 - 1, got ${n}`)
  }
  const numbers = new Uint32Array(n)
  for (let i = 0; i < n; i++) numbers[i] = i
  return new RandomStream(seed, place, step).shuffle(numbers)
}
