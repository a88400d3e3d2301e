/**
 * Text as SQuAD's evaluation compares it: lower case, without punctuation and English articles, single spaces
 * (Rajpurkar et al. 2016, §6.1 and its published script).
 */
export function normalizeAnswer(text: string): string {
  const withoutPunctuation = text.toLowerCase().replace(/[!-/:-@[-`{-~]/g, '')
  return withoutPunctuation
    .replace(/\b(a|an|the)\b/g, ' ')
    .split(/\s+/)
    .filter((word) => word !== '')
    .join(' ')
}

/** 1 where two texts are equal once normalized, else 0. */
export function exactMatch(predicted: string, expected: string): number {
  return normalizeAnswer(predicted) === normalizeAnswer(expected) ? 1 : 0
}

/** F1 of the words that two texts share, counted as often as they occur; of two empty texts 1. */
export function wordF1(predicted: string, expected: string): number {
  const [words, wanted] = [predicted, expected].map((text) => normalizeAnswer(text).split(' ').filter(Boolean))
  if (words.length === 0 || wanted.length === 0) return words.length === wanted.length ? 1 : 0
  const left = new Map<string, number>()
  for (const word of wanted) left.set(word, (left.get(word) ?? 0) + 1)
  let shared = 0
  for (const word of words) {
    const count = left.get(word) ?? 0
    if (count === 0) continue
    left.set(word, count - 1)
    shared++
  }
  return (2 * shared) / (words.length + wanted.length)
}
