import {
  type Counts,
  checkLabel,
  checkSameLength,
  type LabelScores,
  labelScoresOf,
  macroScoresOf,
  ratio,
  scoresOf,
  totalOf,
} from './counts.js'

/** How well sets of labels were predicted; all between 0 and 1. */
export interface MultiLabelMetrics {
  /** Share of examples whose whole set is right. */
  readonly accuracy: number
  /** Micro averages: over every label of every example. */
  readonly precision: number
  readonly recall: number
  readonly f1: number
  /** The means over all labels; a label that neither occurs nor is predicted counts as 0. */
  readonly macroPrecision: number
  readonly macroRecall: number
  readonly macroF1: number
}

/**
 * Compares predicted sets of labels with the true ones; equal to scikit-learn's `accuracy_score` and
 * `precision_recall_fscore_support` on indicator matrices with `zero_division=0`.
 *
 * @param expected the true labels of each example in any order, in [0, labels); an example may have none
 * @param predicted the predicted labels of each example
 * @param labels how many labels there are
 * @throws UsageError where the lengths differ, DataError for a label that does not exist
 */
export function multiLabelMetrics(
  expected: readonly (readonly number[])[],
  predicted: readonly (readonly number[])[],
  labels: number,
): MultiLabelMetrics {
  const { counts, exact } = countSets(expected, predicted, labels)
  const macro = macroScoresOf(counts)
  return {
    accuracy: ratio(exact, expected.length),
    ...scoresOf(totalOf(counts)),
    macroPrecision: macro.precision,
    macroRecall: macro.recall,
    macroF1: macro.f1,
  }
}

/**
 * Precision, recall, F1 and support of each label where examples have sets of labels; equal to scikit-learn's
 * `precision_recall_fscore_support` on indicator matrices with `zero_division=0`.
 *
 * @param expected the true labels of each example in any order, in [0, labels); an example may have none
 * @param predicted the predicted labels of each example
 * @param labels how many labels there are
 * @throws UsageError where the lengths differ, DataError for a label that does not exist
 */
export function multiLabelScores(
  expected: readonly (readonly number[])[],
  predicted: readonly (readonly number[])[],
  labels: number,
): LabelScores[] {
  return countSets(expected, predicted, labels).counts.map(labelScoresOf)
}

function countSets(
  expected: readonly (readonly number[])[],
  predicted: readonly (readonly number[])[],
  labels: number,
): { counts: Counts[]; exact: number } {
  checkSameLength('multi-label metrics', expected, predicted)
  const counts = Array.from({ length: labels }, () => ({ right: 0, predicted: 0, expected: 0 }))
  let exact = 0
  for (const [i, row] of expected.entries()) {
    const [wanted, found] = [new Set(row), new Set(predicted[i])]
    for (const label of [...wanted, ...found]) checkLabel('multi-label metrics', label, labels)
    let right = 0
    for (const label of wanted) counts[label].expected++
    for (const label of found) {
      counts[label].predicted++
      if (!wanted.has(label)) continue
      counts[label].right++
      right++
    }
    if (right === wanted.size && right === found.size) exact++
  }
  return { counts, exact }
}
