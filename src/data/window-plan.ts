import { RandomStream } from '../runtime/random.js'
import type { TokenStore } from './token-store.js'

/** A run of tokens to predict: the targets are one token further. */
export interface Span {
  /** Position of the first token that the model reads. */
  readonly start: number
  /** Targets, 1 … T. */
  readonly length: number
}

/** How tokens are cut into windows. In every epoch the windows hold each target exactly once. */
export interface WindowPlan {
  /** Windows of an epoch, the same in all. */
  readonly count: number
  /** Window number `index` of an epoch, counted along the tokens. */
  span(index: number, epoch: number): Span
}

/**
 * All documents as one stream: windows run across their borders. The cuts fall elsewhere in every epoch, so that each
 * token is predicted from contexts of different lengths; the first and the last window are shorter.
 *
 * With n targets = q · T + r and the first cut after T − u targets there are ⌈(n + u) / T⌉ windows, which is one of two
 * numbers: u is drawn from the larger of the two sets that give the same number, so that batch i lies in the same epoch
 * whatever was drawn.
 *
 * @param length tokens, at least 2
 * @param contextLength T
 */
export function packedPlan(length: number, contextLength: number, seed: number): WindowPlan {
  const targets = length - 1
  const lowest = Math.ceil(targets / contextLength)
  // The values of u with the lower number of windows are 0 … spare.
  const spare = lowest * contextLength - targets
  const takesLow = 2 * (spare + 1) >= contextLength
  const first = takesLow ? 0 : spare + 1
  const choices = takesLow ? spare + 1 : contextLength - 1 - spare
  let drawn = { epoch: -1, shift: 0 }
  const shiftOf = (epoch: number) => {
    if (epoch !== drawn.epoch) {
      drawn = { epoch, shift: first + new RandomStream(seed, 'data.windows.phase', epoch).integer(choices) }
    }
    return drawn.shift
  }
  return {
    count: takesLow ? lowest : lowest + 1,
    span(index, epoch) {
      const start = index * contextLength - shiftOf(epoch)
      const end = Math.min(targets, start + contextLength)
      return { start: Math.max(0, start), length: end - Math.max(0, start) }
    },
  }
}

/** Documents between two sums of {@link separatedPlan}: its memory is 8 bytes for as many documents. */
const documentsPerSum = 64

/**
 * Every document for itself, cut into windows from its start: documents of one token, in which there is nothing to
 * predict, have none.
 *
 * @param contextLength T
 */
export function separatedPlan(store: TokenStore, contextLength: number): WindowPlan {
  const sums: number[] = []
  let count = 0
  for (let first = 0; first < store.documents; first += documentsPerSum) {
    sums.push(count)
    for (const windows of windowsOf(store, first, contextLength)) count += windows
  }
  return {
    count,
    span(index) {
      const group = lastAtMost(sums, index)
      let document = group * documentsPerSum
      let part = index - sums[group]
      for (const windows of windowsOf(store, document, contextLength)) {
        if (part < windows) break
        part -= windows
        document++
      }
      const [documentStart, documentEnd] = store.documentStarts(document, 2)
      const start = documentStart + part * contextLength
      return { start, length: Math.min(contextLength, documentEnd - 1 - start) }
    },
  }
}

/** The numbers of windows of up to 64 documents from `first` on. */
function windowsOf(store: TokenStore, first: number, contextLength: number): number[] {
  const starts = store.documentStarts(first, Math.min(documentsPerSum, store.documents - first) + 1)
  return Array.from({ length: starts.length - 1 }, (_, i) => Math.ceil((starts[i + 1] - starts[i] - 1) / contextLength))
}

/** The last index of ascending numbers whose number is not above `limit`. */
function lastAtMost(numbers: readonly number[], limit: number): number {
  let low = 0
  let high = numbers.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (numbers[middle] <= limit) low = middle
    else high = middle - 1
  }
  return low
}
