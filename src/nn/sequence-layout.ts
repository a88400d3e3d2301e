import { constant, type Dimension, multiply, scalar, type Tensor } from '../graph/index.js'
import { collectRows, range, size, spreadRows, where } from '../graph/operations/index.js'
import { joinHeads, splitHeads } from './attention.js'

/**
 * Where the tokens of B sequences are: N rows, one after another, for everything that looks at one token at a time, and a
 * grid of B × T places for attention, T being the longest sequence's length.
 */
export interface SequenceLayout {
  /** T, places of a sequence in the grid. */
  readonly length: Dimension
  /** Which places of the grid hold a token, bool [B, T]. */
  readonly keep: Tensor
  /** The row of each sequence's first token, int64 [B]. */
  readonly first: Tensor
  /** Rows to the grid, the width divided among heads: x [N, C] → [B, H, T, C/H]. */
  split(x: Tensor, heads: number): Tensor
  /** The grid to rows, the heads side by side: x [B, H, T, D] → [N, H·D]. Other places than tokens' are not looked at. */
  join(x: Tensor): Tensor
}

/**
 * Sequences without padding: N is the number of tokens, so that linear layers, norms and heads cost what the tokens cost.
 *
 * Rows move to the grid and back by one look-up each, which also transposes heads and tokens. Places without a token hold
 * zeros, and so do their gradients.
 */
export class RaggedLayout implements SequenceLayout {
  readonly length: Dimension
  readonly keep: Tensor
  readonly first: Tensor
  readonly #grid: Tensor
  readonly #places: Tensor

  /**
   * @param grid the row of each place's token, or −1, int64 [B, T]; every sequence starts at the first place
   * @param places the place b·T + t of each row's token, int64 [N]
   */
  constructor(grid: Tensor, places: Tensor) {
    this.length = grid.shape[1]
    this.keep = grid.greater(-1).named('keep')
    this.first = grid.slice(1, 0, 1).reshape([-1])
    this.#grid = grid
    this.#places = places
  }

  split(x: Tensor, heads: number): Tensor {
    const [tokens, width] = x.shape
    const rows = x.reshape([tokens, heads, Number(width) / heads]) // [N, H, D]
    const { rowOf, placeOf } = this.#headIndices(heads)
    return spreadRows(rows, rowOf, placeOf) // [B, H, T, D]
  }

  join(x: Tensor): Tensor {
    const [, heads, , headWidth] = x.shape
    const { rowOf, placeOf } = this.#headIndices(Number(heads))
    const rows = collectRows(x, placeOf, rowOf) // [N, H, D]
    return rows.reshape([rows.shape[0], Number(heads) * Number(headWidth)])
  }

  /** The same indices for the heads of tokens; equal ones are computed once in a program. */
  #headIndices(heads: number): { rowOf: Tensor; placeOf: Tensor } {
    const head = constant([...Array(heads).keys()], [heads], 'int64')
    const row = this.#grid.unsqueeze(1).mul(heads).add(head.unsqueeze(1)) // [B, H, T]
    const rowOf = where(this.keep.unsqueeze(1), row, scalar(-1, 'int64')) // [B, H, T]
    // The place (b·H + h)·T + t of head h, from the token's place b·T + t.
    const length = size({ dimension: this.length })
    const sequence = this.#places.div(length) // [N]
    const above = sequence
      .mul(heads - 1)
      .unsqueeze(1)
      .add(head) // [N, H]
    const placeOf = above.mul(length).add(this.#places.unsqueeze(1)) // [N, H]
    return { rowOf, placeOf }
  }
}

/**
 * Sequences with padding: the rows are all B·T places of the grid, N = B·T, and nothing is looked up. Costs more where
 * lengths differ; for graphs whose inputs are padded ids and a mask.
 */
export class PaddedLayout implements SequenceLayout {
  readonly length: Dimension
  readonly keep: Tensor
  readonly first: Tensor
  readonly #batch: Dimension

  /** @param keep which places hold a token, bool [B, T]; every sequence starts at the first place */
  constructor(keep: Tensor) {
    const [batch, length] = keep.shape
    this.length = length
    this.keep = keep
    this.first = range({ limit: batch }).mul(size({ dimension: length }))
    this.#batch = batch
  }

  split(x: Tensor, heads: number): Tensor {
    return splitHeads(x.reshape([this.#batch, this.length, x.shape[1]]), heads)
  }

  join(x: Tensor): Tensor {
    const joined = joinHeads(x) // [B, T, C]
    return joined.reshape([multiply(this.#batch, this.length), joined.shape[2]])
  }
}

/** Rows in the grid: x [N, C] → [B, T, C]; what stands in places without a token depends on the layout. */
export function toGrid(x: Tensor, layout: SequenceLayout): Tensor {
  const grid = layout.split(x, 1) // [B, 1, T, C]
  const [batch, , length, width] = grid.shape
  return grid.reshape([batch, length, width])
}

/** The mean of each sequence's tokens: x [N, C] → [B, C]. */
export function meanOfTokens(x: Tensor, layout: SequenceLayout): Tensor {
  const kept = layout.keep.cast(x.dtype) // [B, T]
  const shares = kept.div(kept.sum([1], true)).unsqueeze(1) // [B, 1, T]
  const means = shares.matmul(toGrid(x, layout)) // [B, 1, C]
  return means.reshape([means.shape[0], means.shape[2]])
}
