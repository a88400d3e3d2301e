import { DataError, UsageError } from '../errors.js'

/** How often something (a label, a type of entity) is right, predicted and expected. */
export interface Counts {
  right: number
  predicted: number
  expected: number
}

/** How well one label, one type of entity or all of them together were found; all between 0 and 1. */
export interface PrecisionRecallF1 {
  /** right / predicted; 0 where nothing was predicted. */
  readonly precision: number
  /** right / expected; 0 where nothing was expected. */
  readonly recall: number
  /** 2·right / (predicted + expected), the harmonic mean of the two; 0 where neither occurs. */
  readonly f1: number
}

/** {@link PrecisionRecallF1} of one label or type. */
export interface LabelScores extends PrecisionRecallF1 {
  /** How often it is expected. */
  readonly support: number
}

/** part / whole, and 0 where the whole is 0. */
export function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

/** Σ values. */
export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** The mean; 0 of no values. */
export function mean(values: readonly number[]): number {
  return ratio(sum(values), values.length)
}

/** Precision, recall and F1 of counts. */
export function scoresOf({ right, predicted, expected }: Counts): PrecisionRecallF1 {
  return {
    precision: ratio(right, predicted),
    recall: ratio(right, expected),
    f1: ratio(2 * right, predicted + expected),
  }
}

/** {@link scoresOf} with the support. */
export function labelScoresOf(counts: Counts): LabelScores {
  return { ...scoresOf(counts), support: counts.expected }
}

/** The sums of counts: what micro averages are computed from. */
export function totalOf(counts: readonly Counts[]): Counts {
  return {
    right: sum(counts.map(({ right }) => right)),
    predicted: sum(counts.map(({ predicted }) => predicted)),
    expected: sum(counts.map(({ expected }) => expected)),
  }
}

/** The means of precision, recall and F1: what macro averages are. */
export function macroScoresOf(counts: readonly Counts[]): PrecisionRecallF1 {
  const scores = counts.map(scoresOf)
  return {
    precision: mean(scores.map(({ precision }) => precision)),
    recall: mean(scores.map(({ recall }) => recall)),
    f1: mean(scores.map(({ f1 }) => f1)),
  }
}

/** @throws UsageError where there are not as many predictions as expected values */
export function checkSameLength(where: string, expected: ArrayLike<unknown>, predicted: ArrayLike<unknown>): void {
  if (expected.length === predicted.length) return
  throw new UsageError(`${where}: expected one prediction per example, got ${predicted.length} for ${expected.length}`)
}

/** @throws DataError where a label is not one of `labels` */
export function checkLabel(where: string, label: number, labels: number): void {
  if (Number.isInteger(label) && label >= 0 && label < labels) return
  throw new DataError(`${where}: expected labels from 0 to ${labels - 1}, got ${label}; count the labels again`)
}
