/** A ratio of medians and how sure it is. */
export interface Comparison {
  /** Median of the peer's times over the median of ours: above 1 we are faster. */
  readonly ratio: number
  /** First and third quartile of the ratios of the single groups, [low, high]. */
  readonly ratioSpread: readonly [number, number]
  /** The same ratio of the shortest times: what is left where other work on the machine slows both sides. */
  readonly bestRatio: number
}

/**
 * The p-quantile of some numbers, interpolated linearly between the two nearest: the value at position p·(n − 1) of the
 * sorted numbers (Hyndman & Fan 1996, definition 7).
 *
 * @param p in [0, 1]
 * @returns not a number where there are no values
 */
export function quantile(values: readonly number[], p: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  const position = p * (sorted.length - 1)
  const below = Math.floor(position)
  const above = Math.ceil(position)
  return sorted[below] + (position - below) * (sorted[above] - sorted[below])
}

/** The middle of some numbers; not a number where there are none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/**
 * Compares two sides that took turns.
 *
 * The spread pairs each group of steps with the other side's group beside it in time, so that a machine that is slower
 * for a while, and then slows both, does not widen it.
 *
 * @param ours seconds of each step, group by group
 * @param peer the same of the other side, as many groups
 */
export function compare(ours: readonly (readonly number[])[], peer: readonly (readonly number[])[]): Comparison {
  const ratios = ours.map((group, i) => median(peer[i]) / median(group))
  return {
    ratio: median(peer.flat()) / median(ours.flat()),
    ratioSpread: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
    bestRatio: Math.min(...peer.flat()) / Math.min(...ours.flat()),
  }
}
