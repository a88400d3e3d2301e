import { DataError } from '../errors.js'
import { permutation } from '../runtime/random.js'
import { asTokenStore, type TokenIds, type TokenStore } from './token-store.js'
import { packedPlan, type Span, separatedPlan, type WindowPlan } from './window-plan.js'

export type { TokenIds, TokenStore } from './token-store.js'

/** The target of positions that do not count, as in PyTorch. */
export const ignoredTarget = -100n

/** B windows of T tokens, row after row. Rows that end before T are filled with token 0 and ignored targets. */
export interface WindowBatch {
  /** What the model reads, int64 [B, T]. */
  readonly ids: BigInt64Array
  /** The token that follows each of `ids`, or −100 for padding, int64 [B, T]. */
  readonly targets: BigInt64Array
  /** How many targets count. */
  readonly predictions: number
}

/** A batch for evaluation, which can be smaller than the others at the end of the text. */
export interface EvaluationBatch extends WindowBatch {
  /** B, the number of windows. */
  readonly batch: number
  /** T, the tokens of each window. */
  readonly length: number
}

/** How tokens become windows. */
export interface WindowOptions {
  /** T, the most tokens of a window. */
  readonly contextLength: number
  /** Whether windows run across the borders of documents, so that none is padded; true by default. */
  readonly packing?: boolean
}

/**
 * Shuffled batches of next-token windows, for training.
 *
 * Each epoch cuts the tokens into windows that hold every target exactly once (see {@link packedPlan} and
 * {@link separatedPlan}), and visits them in a random order; a batch may span two epochs. Cuts and order depend on the
 * seed and the epoch alone: a run that resumes at batch n sees what it would have seen. The order takes 4 bytes a window;
 * the tokens stay where they are.
 */
export class Windows {
  /** Windows that one epoch visits. */
  readonly windowsPerEpoch: number

  readonly #store: TokenStore
  readonly #contextLength: number
  readonly #seed: number
  readonly #plan: WindowPlan
  #epoch = -1
  #order: Uint32Array = new Uint32Array(0)

  /** @throws DataError where there is nothing to predict, or packed tokens do not fill one window */
  constructor(tokens: TokenStore | TokenIds, options: WindowOptions & { readonly seed: number }) {
    const { contextLength, packing = true, seed } = options
    const store = asTokenStore(tokens)
    if (packing && store.length <= contextLength) {
      throw new DataError(
        `the text to train on has ${store.length} tokens, a window needs ${contextLength + 1} (contextLength ${contextLength} and one to predict); give more text or a smaller contextLength`,
      )
    }
    this.#plan = packing ? packedPlan(store.length, contextLength, seed) : separatedPlan(store, contextLength)
    if (this.#plan.count === 0) {
      throw new DataError(`none of the ${store.documents} documents to train on has two tokens; give longer ones`)
    }
    this.windowsPerEpoch = this.#plan.count
    this.#store = store
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
    const spans = Array.from({ length: batchSize }, (_, row) => this.#span(index * batchSize + row))
    return gather(this.#store, spans, this.#contextLength)
  }

  /** The window that is visited as number `visit` since the start of the training. */
  #span(visit: number): Span {
    const epoch = Math.floor(visit / this.windowsPerEpoch)
    if (epoch !== this.#epoch) {
      this.#order = permutation(this.windowsPerEpoch, this.#seed, 'data.windows.order', epoch)
      this.#epoch = epoch
    }
    return this.#plan.span(this.#order[visit % this.windowsPerEpoch], epoch)
  }
}

/**
 * All tokens in windows that do not overlap, in order: every token but the first (of the store, or of each document
 * without packing) is a target exactly once. All batches have B windows of T tokens but the last ones. Packed: full
 * windows that do not fill a batch, then the rest as one shorter window; not packed: fewer windows.
 *
 * @param batchSize B, the most windows of a batch
 * @throws DataError where there is nothing to predict
 */
export function* evaluationBatches(
  tokens: TokenStore | TokenIds,
  options: WindowOptions & { readonly batchSize: number },
): Generator<EvaluationBatch, void, undefined> {
  const { contextLength, batchSize, packing = true } = options
  const store = asTokenStore(tokens)
  if (store.length < 2) throw new DataError(`the text to evaluate has ${store.length} tokens, expected at least 2`)
  const plan = packing ? uncutPlan(store.length, contextLength) : separatedPlan(store, contextLength)
  if (plan.count === 0) throw new DataError(`none of the ${store.documents} documents to evaluate has two tokens`)
  for (let first = 0; first < plan.count; ) {
    let batch = Math.min(batchSize, plan.count - first)
    const spans = Array.from({ length: batch }, (_, row) => plan.span(first + row, 0))
    // The rest of packed tokens is a batch of its own, so that nothing is padded.
    if (packing && batch > 1 && spans[batch - 1].length < contextLength) spans.length = --batch
    const length = packing ? spans[0].length : contextLength
    yield { ...gather(store, spans, length), batch, length }
    first += batch
  }
}

/** One stream cut from its very start. */
function uncutPlan(length: number, contextLength: number): WindowPlan {
  const span = (index: number) => {
    const start = index * contextLength
    return { start, length: Math.min(contextLength, length - 1 - start) }
  }
  return { count: Math.ceil((length - 1) / contextLength), span }
}

function gather(store: TokenStore, spans: readonly Span[], length: number): WindowBatch {
  const ids = new BigInt64Array(spans.length * length)
  const targets = new BigInt64Array(spans.length * length).fill(ignoredTarget)
  let predictions = 0
  spans.forEach((span, row) => {
    const tokens = store.read(span.start, span.length + 1)
    for (let i = 0; i < span.length; i++) {
      ids[row * length + i] = BigInt(tokens[i])
      targets[row * length + i] = BigInt(tokens[i + 1])
    }
    predictions += span.length
  })
  return { ids, targets, predictions }
}
