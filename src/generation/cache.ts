import { type Input, input, type Tensor, type TypedArray } from '../graph/index.js'
import type { LayerCache, Segments } from '../nn/index.js'

/** Sizes of one layer's keys and values. */
export interface CacheSizes {
  readonly heads: number
  readonly headWidth: number
}

/**
 * One layer's cache inside a graph: earlier keys and values are inputs, the new ones outputs.
 *
 * Nothing is joined in the graph; the caller copies the new rows behind the old ones in its own buffers, so that a step
 * costs what its new tokens cost.
 */
export class GraphCache implements LayerCache {
  /** Earlier keys [batch, H, past, D]. */
  readonly pastKeys: Input
  /** Earlier values [batch, H, past, D]. */
  readonly pastValues: Input
  /** New keys and values [batch, H, sequence, D], once the layer has been built. */
  added: readonly [keys: Tensor, values: Tensor] | undefined

  constructor(layer: number, { heads, headWidth }: CacheSizes) {
    const shape = ['batch', heads, 'past', headWidth]
    this.pastKeys = input(pastName(2 * layer), 'float32', shape)
    this.pastValues = input(pastName(2 * layer + 1), 'float32', shape)
  }

  extend(k: Tensor, v: Tensor): Segments {
    this.added = [k, v]
    return { keys: [this.pastKeys, k], values: [this.pastValues, v] }
  }
}

/** A row of an array [rows, ...] that takes another one's place. */
export interface RowMove {
  readonly from: number
  readonly to: number
}

/**
 * Makes an array [rows, ...] smaller in place: some rows move to others' places, and those from `count` on are dropped.
 *
 * @param size elements of a row
 * @returns a view of the rows that stay
 */
export function keepRows<A extends TypedArray>(data: A, size: number, moves: readonly RowMove[], count: number): A {
  for (const { from, to } of moves) data.copyWithin(to * size, from * size, (from + 1) * size)
  return data.subarray(0, count * size) as A
}

/** One layer's keys or values of all rows, [rows, H, capacity, D]; each row is filled to a length of its own. */
export class CacheBuffer {
  readonly #sizes: CacheSizes
  #rows: number
  #capacity: number
  data: Float32Array

  constructor(sizes: CacheSizes, rows: number, capacity: number) {
    this.#sizes = sizes
    this.#rows = rows
    this.#capacity = capacity
    this.data = new Float32Array(rows * sizes.heads * capacity * sizes.headWidth)
  }

  /** The shape of {@link data}. */
  get shape(): readonly number[] {
    return [this.#rows, this.#sizes.heads, this.#capacity, this.#sizes.headWidth]
  }

  /**
   * Copies the first new positions of a row behind its earlier ones.
   *
   * @param added [rows, H, length, D]
   * @param at the row, how many positions it has and how many are added
   */
  append(added: Float32Array, length: number, at: { row: number; position: number; count: number }): void {
    const { heads, headWidth } = this.#sizes
    for (let head = at.row * heads; head < (at.row + 1) * heads; head++) {
      const from = head * length * headWidth
      const to = (head * this.#capacity + at.position) * headWidth
      this.data.set(added.subarray(from, from + at.count * headWidth), to)
    }
  }

  /** Makes room for other rows or a larger capacity: row i becomes what row source[i] was. */
  rearrange(source: readonly number[], capacity: number): void {
    const { heads, headWidth } = this.#sizes
    const old = { data: this.data, block: this.#capacity * headWidth }
    const block = capacity * headWidth
    const kept = Math.min(block, old.block)
    const data = new Float32Array(source.length * heads * block)
    for (const [row, from] of source.entries()) {
      for (let head = 0; head < heads; head++) {
        const start = (from * heads + head) * old.block
        data.set(old.data.subarray(start, start + kept), (row * heads + head) * block)
      }
    }
    this.data = data
    this.#rows = source.length
    this.#capacity = capacity
  }

  /** Drops rows in place; see {@link keepRows}. */
  keepRows(moves: readonly RowMove[], count: number): void {
    const { heads, headWidth } = this.#sizes
    this.data = keepRows(this.data, heads * this.#capacity * headWidth, moves, count)
    this.#rows = count
  }

  /**
   * Keeps some positions of each row and makes room for others: position i of row r becomes what its position
   * positions[r][i] was, and anything where that is −1.
   *
   * @param positions rising in each row
   */
  keepPositions(positions: readonly (readonly number[])[], capacity: number): void {
    const { heads, headWidth } = this.#sizes
    const [old, before] = [this.data, this.#capacity]
    if (capacity !== before) this.data = new Float32Array(this.#rows * heads * capacity * headWidth)
    for (let head = 0; head < this.#rows * heads; head++) {
      const kept = positions[Math.floor(head / heads)]
      for (let i = 0; i < kept.length; i++) {
        if (kept[i] < 0) continue
        const from = (head * before + kept[i]) * headWidth
        const to = (head * capacity + i) * headWidth
        // Rising positions only move to the front, where nothing lies any more that is still to be moved.
        if (this.data === old) old.copyWithin(to, from, from + headWidth)
        else this.data.set(old.subarray(from, from + headWidth), to)
      }
    }
    this.#capacity = capacity
  }
}

/** The input of a graph that is a cache: the keys of layer l are cache 2·l, its values 2·l + 1. */
export function pastName(cache: number): string {
  return `past.${cache >> 1}.${cache % 2 === 0 ? 'keys' : 'values'}`
}

/** The output of a graph that a cache gets. */
export function addedName(cache: number): string {
  return `added.${cache}`
}
