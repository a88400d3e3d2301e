import { checkSameLength, mean, sum } from './counts.js'

/** How well numbers were predicted. */
export interface RegressionMetrics {
  /** Σ(y − ŷ)² / n. */
  readonly meanSquaredError: number
  /** Between −1 and 1; not a number where either side is constant. */
  readonly pearson: number
  /** Between −1 and 1; not a number where either side is constant. */
  readonly spearman: number
}

/**
 * Compares predicted numbers with the true ones; see {@link meanSquaredError}, {@link pearson}, {@link spearman}.
 *
 * @throws UsageError where the lengths differ
 */
export function regressionMetrics(expected: readonly number[], predicted: readonly number[]): RegressionMetrics {
  return {
    meanSquaredError: meanSquaredError(expected, predicted),
    pearson: pearson(expected, predicted),
    spearman: spearman(expected, predicted),
  }
}

/**
 * The mean squared error, Σ(y − ŷ)² / n; 0 of no numbers.
 *
 * @throws UsageError where the lengths differ
 */
export function meanSquaredError(expected: readonly number[], predicted: readonly number[]): number {
  checkSameLength('mean squared error', expected, predicted)
  return mean(expected.map((value, i) => (value - predicted[i]) ** 2))
}

/**
 * Pearson's correlation coefficient, Σ(x − x̄)(y − ȳ) / (‖x − x̄‖·‖y − ȳ‖), as scipy computes it.
 *
 * @returns between −1 and 1; not a number for less than two pairs or where either side is constant
 * @throws UsageError where the lengths differ
 */
export function pearson(x: readonly number[], y: readonly number[]): number {
  checkSameLength('Pearson correlation', x, y)
  if (x.length < 2) return Number.NaN
  const [a, b] = [direction(x), direction(y)]
  return Math.max(-1, Math.min(1, sum(a.map((value, i) => value * b[i]))))
}

/**
 * Spearman's rank correlation: {@link pearson} of the ranks, equal values sharing the mean of theirs, as scipy has it.
 *
 * @returns between −1 and 1; not a number for less than two pairs or where either side is constant
 * @throws UsageError where the lengths differ
 */
export function spearman(x: readonly number[], y: readonly number[]): number {
  checkSameLength('Spearman correlation', x, y)
  return pearson(ranks(x), ranks(y))
}

/** (x − x̄) / ‖x − x̄‖; numbers that are no numbers where x is constant. */
function direction(x: readonly number[]): number[] {
  // The mean of equal numbers can differ from them in its last digit, which would make noise a direction.
  if (x.every((value) => value === x[0])) return x.map(() => Number.NaN)
  const center = mean(x)
  const centred = x.map((value) => value - center)
  // Divided by the largest first: squares of very small or large numbers leave the range.
  const largest = centred.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const scaled = centred.map((value) => value / largest)
  const length = Math.sqrt(sum(scaled.map((value) => value * value)))
  return scaled.map((value) => value / length)
}

/** The rank of each value from 1, equal values sharing the mean of their ranks. */
function ranks(values: readonly number[]): number[] {
  if (values.some(Number.isNaN)) return values.map(() => Number.NaN)
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b])
  const found = new Array<number>(values.length)
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    while (end < order.length && values[order[end]] === values[order[start]]) end++
    for (const i of order.slice(start, end)) found[i] = (start + 1 + end) / 2
    start = end
  }
  return found
}
