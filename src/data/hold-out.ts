import { permutation } from '../runtime/random.js'

/** The share of the data that is kept for validation where it has no files of its own, as in nanoGPT. */
export const validationShare = 0.1

/** Splits examples, in an order shuffled by the seed, into those to train on and the last tenth to validate on. */
export function holdOut<T>(all: readonly T[], seed: number): { train: T[]; validation: T[] } {
  const order = [...permutation(all.length, seed, 'data.split', 0)].map((index) => all[index])
  const cut = Math.floor(all.length * (1 - validationShare))
  return { train: order.slice(0, cut), validation: order.slice(cut) }
}
