import { DataError } from '../errors.js'
import { permutation } from '../runtime/random.js'

/** Batches' worth of examples that are sorted by length at a time: more saves padding, fewer keeps batches random. */
const batchesPerPool = 32

/**
 * Shuffled batches of examples of similar length, so that little is padded.
 *
 * Each epoch shuffles all examples, sorts pools of them by length, cuts the pools into batches and shuffles those. A batch
 * is a pure function of the seed and its index: a run that resumes at batch n sees what it would have seen.
 */
export class LengthBatches {
  readonly #lengths: ArrayLike<number>
  readonly #batchSize: number
  readonly #seed: number
  #epoch = -1
  #batches: number[][] = []

  /** @param lengths tokens of each example, at least one */
  constructor(lengths: ArrayLike<number>, batchSize: number, { seed }: { seed: number }) {
    if (lengths.length === 0) throw new DataError('the training data has no examples')
    this.#lengths = lengths
    this.#batchSize = batchSize
    this.#seed = seed
  }

  /** Batches that visit every example once; the last one may be smaller. */
  get batchesPerEpoch(): number {
    return Math.ceil(this.#lengths.length / this.#batchSize)
  }

  /** The examples of batch number `index`, from 0 and without end. */
  batch(index: number): readonly number[] {
    const epoch = Math.floor(index / this.batchesPerEpoch)
    if (epoch !== this.#epoch) {
      this.#batches = this.#shuffled(epoch)
      this.#epoch = epoch
    }
    return this.#batches[index % this.batchesPerEpoch]
  }

  #shuffled(epoch: number): number[][] {
    const order = permutation(this.#lengths.length, this.#seed, 'data.examples', epoch)
    const pool = batchesPerPool * this.#batchSize
    const batches: number[][] = []
    for (let start = 0; start < order.length; start += pool) {
      const sorted = [...order.subarray(start, start + pool)].sort((a, b) => this.#lengths[a] - this.#lengths[b])
      for (let i = 0; i < sorted.length; i += this.#batchSize) batches.push(sorted.slice(i, i + this.#batchSize))
    }
    const places = permutation(batches.length, this.#seed, 'data.batches', epoch)
    return [...places].map((place) => batches[place])
  }
}

/** Examples in batches of similar length, the shortest first: for evaluation, where the order does not matter. */
export function* sortedBatches(lengths: ArrayLike<number>, batchSize: number): Generator<number[]> {
  const order = Array.from(lengths, (_, i) => i).sort((a, b) => lengths[a] - lengths[b])
  for (let i = 0; i < order.length; i += batchSize) yield order.slice(i, i + batchSize)
}
