import { type Input, input, type Tensor } from '../graph/index.js'
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
    this.pastKeys = input(`past.${layer}.keys`, 'float32', shape)
    this.pastValues = input(`past.${layer}.values`, 'float32', shape)
  }

  extend(k: Tensor, v: Tensor): Segments {
    this.added = [k, v]
    return { keys: [this.pastKeys, k], values: [this.pastValues, v] }
  }
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
}
