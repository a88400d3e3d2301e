/** How well labels were predicted; all between 0 and 1 but Matthews', which is between −1 and 1. */
export interface ClassificationMetrics {
  /** Share of right predictions. */
  readonly accuracy: number
  /** Of two labels the second's; of more the micro average, which is the accuracy. */
  readonly precision: number
  readonly recall: number
  readonly f1: number
  /** The mean of all labels' F1; a label that neither occurs nor is predicted counts as 0. */
  readonly macroF1: number
  /** Matthews' correlation coefficient (Gorodkin 2004 for more than two labels); 0 where it is not defined. */
  readonly matthews: number
}

/**
 * Compares predicted labels with the true ones; equal to scikit-learn's functions of the same names with
 * `zero_division=0`.
 *
 * @param expected the true label of each example, in [0, labels)
 * @param predicted the predicted label of each example
 * @param labels how many labels there are
 */
export function classificationMetrics(
  expected: readonly number[],
  predicted: readonly number[],
  labels: number,
): ClassificationMetrics {
  const counts = Array.from({ length: labels }, () => ({ right: 0, expected: 0, predicted: 0 }))
  for (const [i, label] of expected.entries()) {
    counts[label].expected++
    counts[predicted[i]].predicted++
    if (predicted[i] === label) counts[label].right++
  }
  const right = counts.reduce((sum, count) => sum + count.right, 0)
  const accuracy = ratio(right, expected.length)
  const f1s = counts.map((count) => ratio(2 * count.right, count.expected + count.predicted))
  const macroF1 = ratio(
    f1s.reduce((sum, f1) => sum + f1, 0),
    labels,
  )
  const matthews = matthewsCorrelation(counts, right, expected.length)
  if (labels !== 2) return { accuracy, precision: accuracy, recall: accuracy, f1: accuracy, macroF1, matthews }
  const positive = counts[1]
  const precision = ratio(positive.right, positive.predicted)
  const recall = ratio(positive.right, positive.expected)
  return { accuracy, precision, recall, f1: f1s[1], macroF1, matthews }
}

/** (c·s − Σ pₖtₖ) / √((s² − Σ pₖ²)(s² − Σ tₖ²)) with c right of s examples, pₖ predicted and tₖ true of label k. */
function matthewsCorrelation(
  counts: readonly { expected: number; predicted: number }[],
  right: number,
  total: number,
): number {
  const sum = (value: (count: (typeof counts)[number]) => number) => counts.reduce((s, count) => s + value(count), 0)
  const covariance = right * total - sum((count) => count.predicted * count.expected)
  const predicted = total ** 2 - sum((count) => count.predicted ** 2)
  const expected = total ** 2 - sum((count) => count.expected ** 2)
  return ratio(covariance, Math.sqrt(predicted * expected))
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}
