/** A text cut into units, characters or words, so that each of its n-grams is a slice of it. */
export interface Units {
  readonly text: string
  /** Where each unit begins in the text, and at last where the text ends. */
  readonly starts: Uint32Array
  /** How many units there are. */
  readonly length: number
}

/** The characters of a text (code points) as units. */
export function characterUnits(text: string): Units {
  return joinUnits([...text])
}

/** Words without spaces as units; a space ends each, so that no two n-grams look the same. */
export function wordUnits(words: readonly string[]): Units {
  return joinUnits(words.map((word) => `${word} `))
}

function joinUnits(units: readonly string[]): Units {
  const starts = new Uint32Array(units.length + 1)
  for (const [i, unit] of units.entries()) starts[i + 1] = starts[i] + unit.length
  return { text: units.join(''), starts, length: units.length }
}

/** How many n-grams of an order there are: length − order + 1, or 0. */
export function ngramTotal({ length }: Units, order: number): number {
  return Math.max(0, length - order + 1)
}

/** How often every n-gram of the orders 1 to `largestOrder` occurs. */
export function countNgrams({ text, starts, length }: Units, largestOrder: number): Map<string, number> {
  const counts = new Map<string, number>()
  for (let order = 1; order <= largestOrder; order++) {
    for (let i = 0; i + order <= length; i++) {
      const ngram = text.slice(starts[i], starts[i + order])
      counts.set(ngram, (counts.get(ngram) ?? 0) + 1)
    }
  }
  return counts
}

/**
 * How many n-grams of an order are among those counted, each at most as often as it was counted:
 * Σ min(occurrences, count).
 *
 * @param counts from {@link countNgrams}; what is found is taken out of them, so that they serve once per order
 */
export function takeNgrams(counts: Map<string, number>, { text, starts, length }: Units, order: number): number {
  let taken = 0
  for (let i = 0; i + order <= length; i++) {
    const ngram = text.slice(starts[i], starts[i + order])
    const left = counts.get(ngram)
    if (!left) continue
    counts.set(ngram, left - 1)
    taken++
  }
  return taken
}
