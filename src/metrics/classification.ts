import {
  type Counts,
  checkLabel,
  checkSameLength,
  type LabelScores,
  labelScoresOf,
  macroScoresOf,
  ratio,
  scoresOf,
  sum,
  totalOf,
} from './counts.js'

/** How well labels were predicted; all between 0 and 1 but Matthews', which is between −1 and 1. */
export interface ClassificationMetrics {
  /** Share of right predictions. */
  readonly accuracy: number
  /** Of two labels the second's; of more the micro average, which is the accuracy. */
  readonly precision: number
  readonly recall: number
  readonly f1: number
  /** The means over all labels; a label that neither occurs nor is predicted counts as 0. */
  readonly macroPrecision: number
  readonly macroRecall: number
  readonly macroF1: number
  /** Matthews' correlation coefficient (Gorodkin 2004 for more than two labels); 0 where it is not defined. */
  readonly matthews: number
}

/**
 * Compares predicted labels with the true ones; equal to scikit-learn's functions of the same names with
 * `labels=range(labels)` and `zero_division=0`.
 *
 * @param expected the true label of each example, in [0, labels)
 * @param predicted the predicted label of each example
 * @param labels how many labels there are
 * @throws UsageError where the lengths differ, DataError for a label that does not exist
 */
export function classificationMetrics(
  expected: readonly number[],
  predicted: readonly number[],
  labels: number,
): ClassificationMetrics {
  const counts = countLabels(expected, predicted, labels)
  const total = totalOf(counts)
  const macro = macroScoresOf(counts)
  return {
    accuracy: ratio(total.right, total.expected),
    ...scoresOf(labels === 2 ? counts[1] : total),
    macroPrecision: macro.precision,
    macroRecall: macro.recall,
    macroF1: macro.f1,
    matthews: matthewsCorrelation(counts, total),
  }
}

/**
 * Precision, recall, F1 and support of each label; equal to scikit-learn's `precision_recall_fscore_support` with
 * `labels=range(labels)` and `zero_division=0`.
 *
 * @param expected the true label of each example, in [0, labels)
 * @param predicted the predicted label of each example
 * @param labels how many labels there are
 * @throws UsageError where the lengths differ, DataError for a label that does not exist
 */
export function labelScores(expected: readonly number[], predicted: readonly number[], labels: number): LabelScores[] {
  return countLabels(expected, predicted, labels).map(labelScoresOf)
}

function countLabels(expected: readonly number[], predicted: readonly number[], labels: number): Counts[] {
  checkSameLength('classification metrics', expected, predicted)
  const counts = Array.from({ length: labels }, () => ({ right: 0, predicted: 0, expected: 0 }))
  for (const [i, label] of expected.entries()) {
    checkLabel('classification metrics', label, labels)
    checkLabel('classification metrics', predicted[i], labels)
    counts[label].expected++
    counts[predicted[i]].predicted++
    if (predicted[i] === label) counts[label].right++
  }
  return counts
}

/** (c·s − Σ pₖtₖ) / √((s² − Σ pₖ²)(s² − Σ tₖ²)) with c right of s examples, pₖ predicted and tₖ true of label k. */
function matthewsCorrelation(counts: readonly Counts[], { right, expected: examples }: Counts): number {
  const covariance = right * examples - sum(counts.map((count) => count.predicted * count.expected))
  const predicted = examples ** 2 - sum(counts.map((count) => count.predicted ** 2))
  const expected = examples ** 2 - sum(counts.map((count) => count.expected ** 2))
  return ratio(covariance, Math.sqrt(predicted * expected))
}
