import { DataError } from '../errors.js'
import { permutation } from '../runtime/random.js'

/** The share of the data that is kept for validation where it has no files of its own, as in nanoGPT. */
export const validationShare = 0.1

/** Splits examples, in an order shuffled by the seed, into those to train on and the last tenth to validate on. */
export function holdOut<T>(all: readonly T[], seed: number): { train: T[]; validation: T[] } {
  const order = [...permutation(all.length, seed, 'data.split', 0)].map((index) => all[index])
  const cut = Math.floor(all.length * (1 - validationShare))
  return { train: order.slice(0, cut), validation: order.slice(cut) }
}

/** How {@link splitByKey} parts examples. */
export interface SplitOptions<T> {
  /** The parts' sizes, which add up to 1. */
  readonly shares: readonly number[]
  readonly seed: number
  /** What no two parts have in common. */
  readonly keyOf: (example: T) => string
}

/**
 * Parts examples at random by the seed, those of one key together: with the sentences as keys, none of a part is in
 * another with a second translation. The shares count keys. Within a part the order stays.
 *
 * @throws DataError where there are fewer keys than parts
 */
export function splitByKey<T>(all: readonly T[], { shares, seed, keyOf }: SplitOptions<T>): T[][] {
  const keys = [...new Set(all.map(keyOf))]
  if (keys.length < shares.length) {
    throw new DataError(
      `data.split: ${keys.length} different sources cannot be parted into ${shares.length}; give more`,
    )
  }
  let end = 0
  let sum = 0
  const ends = shares.map((share, part) => {
    sum += share
    const left = shares.length - 1 - part
    end = left === 0 ? keys.length : Math.min(Math.max(Math.round(sum * keys.length), end + 1), keys.length - left)
    return end
  })
  const partOf = new Map<string, number>()
  for (const [place, index] of permutation(keys.length, seed, 'data.split', 0).entries()) {
    partOf.set(
      keys[index],
      ends.findIndex((last) => place < last),
    )
  }
  return shares.map((_, part) => all.filter((example) => partOf.get(keyOf(example)) === part))
}
