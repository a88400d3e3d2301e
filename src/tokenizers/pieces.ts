/** Pieces of words with their scores: piece p is the characters from `starts[p]` on in the symbols of the words. */
export interface Pieces {
  readonly starts: Int32Array

  /** In characters. */
  readonly lengths: Uint16Array

  /** The natural logarithm of each piece's probability. */
  readonly scores: Float64Array
}

/** Some of the pieces, in the given order. */
export function select({ starts, lengths, scores }: Pieces, chosen: ArrayLike<number>): Pieces {
  const all = Array.from(chosen)
  return {
    starts: Int32Array.from(all, (piece) => starts[piece]),
    lengths: Uint16Array.from(all, (piece) => lengths[piece]),
    scores: Float64Array.from(all, (piece) => scores[piece]),
  }
}
