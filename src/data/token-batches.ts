import { DataError } from '../errors.js'
import { permutation } from '../runtime/random.js'

/** Batches' worth of examples that are sorted by length at a time: more saves padding, fewer keeps batches random. */
const batchesPerPool = 32

/**
 * Shuffled batches of about as many tokens, from examples of similar length.
 *
 * Each epoch shuffles all examples, sorts pools of them by length, one pool upwards and the next downwards so that lengths
 * never jump, and cuts the whole into batches of equal shares of the tokens; then it shuffles those. Every epoch has as
 * many batches, so that a batch is a pure function of the seed and its index: a run that resumes at batch n sees what it
 * would have seen.
 *
 * With T tokens in all there are B = max(1, ⌊T / max(batchTokens, longest)⌋) batches. An example belongs to batch
 * ⌊first · B / T⌋, `first` being the number of tokens before it: none is empty, on the average they have T / B tokens, and
 * a batch has less than that and the length of one example together.
 */
export class TokenBatches {
  readonly batchesPerEpoch: number
  readonly #lengths: ArrayLike<number>
  readonly #tokens: number
  readonly #seed: number
  #epoch = -1
  #batches: number[][] = []

  /** @param lengths tokens of each example, at least one */
  constructor(lengths: ArrayLike<number>, batchTokens: number, { seed }: { seed: number }) {
    if (lengths.length === 0) throw new DataError('the training data has no examples')
    let tokens = 0
    let longest = 0
    for (let i = 0; i < lengths.length; i++) {
      tokens += lengths[i]
      longest = Math.max(longest, lengths[i])
    }
    this.batchesPerEpoch = Math.max(1, Math.floor(tokens / Math.max(batchTokens, longest)))
    this.#lengths = lengths
    this.#tokens = tokens
    this.#seed = seed
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
    const batches: number[][] = Array.from({ length: this.batchesPerEpoch }, () => [])
    let first = 0
    for (const example of this.#sorted(epoch)) {
      batches[Math.floor((first * batches.length) / this.#tokens)].push(example)
      first += this.#lengths[example]
    }
    const places = permutation(batches.length, this.#seed, 'data.batches', epoch)
    return [...places].map((place) => batches[place])
  }

  *#sorted(epoch: number): Generator<number> {
    const order = permutation(this.#lengths.length, this.#seed, 'data.examples', epoch)
    const pool = batchesPerPool * Math.ceil(order.length / this.batchesPerEpoch)
    for (let start = 0; start < order.length; start += pool) {
      const sign = (start / pool) % 2 === 0 ? 1 : -1
      yield* order.subarray(start, start + pool).sort((a, b) => sign * (this.#lengths[a] - this.#lengths[b]))
    }
  }
}

/** Examples in batches of at most so many tokens (one example at least), the shortest first: for evaluation. */
export function* sortedTokenBatches(lengths: ArrayLike<number>, batchTokens: number): Generator<number[]> {
  const order = Array.from(lengths, (_, i) => i).sort((a, b) => lengths[a] - lengths[b])
  let batch: number[] = []
  let tokens = 0
  for (const example of order) {
    if (batch.length > 0 && tokens + lengths[example] > batchTokens) {
      yield batch
      batch = []
      tokens = 0
    }
    batch.push(example)
    tokens += lengths[example]
  }
  if (batch.length > 0) yield batch
}
