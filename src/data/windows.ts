import { DataError } from '../errors.js'
import { permutation, RandomStream } from '../runtime/random.js'

/** Token ids of a text. */
export type TokenIds = Uint16Array | Uint32Array | Int32Array

/** B windows of T tokens, row after row. */
export interface WindowBatch {
  /** What the model reads, int64 [B, T]. */
  ids: BigInt64Array
  /** The token that follows each of `ids`, int64 [B, T]. */
  targets: BigInt64Array
}

/** A batch for evaluation, which can be smaller than the others at the end of the text. */
export interface EvaluationBatch extends WindowBatch {
  /** B, the number of windows. */
  batch: number
  /** T, the tokens of each window. */
  length: number
}

/**
 * Shuffled batches of next-token windows over one text, for training.
 *
 * Each epoch cuts the text into windows of T tokens that do not overlap, from a random phase on (so that the cuts fall
 * elsewhere every time), and visits each once in a random order; a batch may span two epochs. Phase and order depend on
 * the seed and the epoch alone: a run that resumes at batch n sees what it would have seen.
 */
export class Windows {
  /** Windows that one epoch visits. */
  readonly windowsPerEpoch: number

  readonly #ids: TokenIds
  readonly #contextLength: number
  readonly #seed: number
  readonly #phases: number
  #epoch = -1
  #starts = new Uint32Array(0)

  /**
   * @param ids the whole text, at least T + 1 tokens
   * @param contextLength T, tokens of a window
   * @throws DataError where the text is too short for one window
   */
  constructor(ids: TokenIds, contextLength: number, { seed }: { seed: number }) {
    const targets = ids.length - 1
    if (targets < contextLength) {
      throw new DataError(
        `the text to train on has ${ids.length} tokens, a window needs ${contextLength + 1} (contextLength ${contextLength} and one to predict); give more text or a smaller contextLength`,
      )
    }
    // One number of windows for every epoch, so that batch n falls into the same epoch whatever the phases were; it leaves
    // room for at least T phases where the text is long enough.
    this.windowsPerEpoch = Math.max(1, Math.floor((targets - (contextLength - 1)) / contextLength))
    this.#phases = targets - this.windowsPerEpoch * contextLength + 1
    this.#ids = ids
    this.#contextLength = contextLength
    this.#seed = seed
  }

  /**
   * One batch, a pure function of the seed and its index.
   *
   * @param index number of the batch, from 0 and without end
   * @param batchSize B, windows of the batch; the same for every index of a run
   */
  batch(index: number, batchSize: number): WindowBatch {
    const starts = Array.from({ length: batchSize }, (_, row) => this.#start(index * batchSize + row))
    return gather(this.#ids, starts, this.#contextLength)
  }

  /** Where the window begins that is visited as number `visit` since the start of the training. */
  #start(visit: number): number {
    const epoch = Math.floor(visit / this.windowsPerEpoch)
    if (epoch !== this.#epoch) {
      const phase = new RandomStream(this.#seed, 'data.windows.phase', epoch).integer(this.#phases)
      const order = permutation(this.windowsPerEpoch, this.#seed, 'data.windows.order', epoch)
      this.#starts = order.map((window) => phase + window * this.#contextLength)
      this.#epoch = epoch
    }
    return this.#starts[visit % this.windowsPerEpoch]
  }
}

/**
 * The whole text in windows of T tokens that do not overlap, in order: every token but the first is a target exactly
 * once. All batches have B windows of T tokens but the last ones: full windows that do not fill a batch, then the rest of
 * the text as one shorter window.
 *
 * @param ids the whole text, at least 2 tokens
 * @param contextLength T, the most tokens of a window
 * @param batchSize B, the most windows of a batch
 * @throws DataError where there is nothing to predict
 */
export function* evaluationBatches(
  ids: TokenIds,
  contextLength: number,
  batchSize: number,
): Generator<EvaluationBatch, void, undefined> {
  const targets = ids.length - 1
  if (targets < 1) throw new DataError(`the text to evaluate has ${ids.length} tokens, expected at least 2`)
  const windows = Math.floor(targets / contextLength)
  for (let first = 0; first < windows; first += batchSize) {
    const batch = Math.min(batchSize, windows - first)
    const starts = Array.from({ length: batch }, (_, row) => (first + row) * contextLength)
    yield { ...gather(ids, starts, contextLength), batch, length: contextLength }
  }
  const rest = targets - windows * contextLength
  if (rest > 0) yield { ...gather(ids, [windows * contextLength], rest), batch: 1, length: rest }
}

function gather(ids: TokenIds, starts: readonly number[], length: number): WindowBatch {
  const batch: WindowBatch = {
    ids: new BigInt64Array(starts.length * length),
    targets: new BigInt64Array(starts.length * length),
  }
  starts.forEach((start, row) => {
    for (let i = 0; i < length; i++) {
      batch.ids[row * length + i] = BigInt(ids[start + i])
      batch.targets[row * length + i] = BigInt(ids[start + i + 1])
    }
  })
  return batch
}
