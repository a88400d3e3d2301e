import { UsageError } from '../errors.js'

/**
 * Changes the logits of one row in place before a token is chosen.
 *
 * @param logits [vocabularySize]; -Infinity bans a token
 * @param ids the row so far, prompt and generated tokens
 */
export type LogitProcessor = (logits: Float32Array, ids: readonly number[]) => void

/**
 * Adds a bias to the logits of some tokens.
 *
 * @param biases [token id, bias]; the last one counts where an id comes twice
 * @returns a processor that throws UsageError for an id outside the vocabulary
 * @throws UsageError for an id that is not a whole number ≥ 0 or a bias that is not a number
 */
export function logitBias(biases: Iterable<readonly [number, number]>): LogitProcessor {
  const byToken = new Map(biases)
  for (const [id, bias] of byToken) {
    if (!Number.isInteger(id) || id < 0 || Number.isNaN(bias)) {
      throw new UsageError(`logitBias: expected token ids ≥ 0 with a number each, got ${id} with ${bias}`)
    }
  }
  return (logits) => {
    for (const [id, bias] of byToken) {
      if (id >= logits.length) {
        throw new UsageError(`logitBias: token ${id} is outside the vocabulary of ${logits.length} tokens`)
      }
      logits[id] += bias
    }
  }
}

/**
 * Makes tokens that the row already has less likely: positive logits are divided by the penalty, negative ones
 * multiplied (Keskar et al. 2019, CTRL, §4.1, with the sign rule of Hugging Face), once however often a token occurs.
 *
 * @param penalty > 0; 1 changes nothing, below 1 encourages repetition
 * @throws UsageError for a penalty that is not > 0
 */
export function repetitionPenalty(penalty: number): LogitProcessor {
  requireRange('repetitionPenalty', penalty, penalty > 0 && penalty < Infinity, 'a number > 0')
  return (logits, ids) => {
    for (const id of new Set(ids)) {
      if (id < logits.length) logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty
    }
  }
}

/**
 * Divides the logits by a temperature: below 1 sharpens the distribution, above 1 flattens it.
 *
 * @throws UsageError for a temperature that is not > 0
 */
export function temperature(value: number): LogitProcessor {
  requireRange('temperature', value, value > 0 && value < Infinity, 'a number > 0 (for 0 use greedy())')
  return (logits) => {
    for (let i = 0; i < logits.length; i++) logits[i] /= value
  }
}

/**
 * Bans all but the k most likely tokens (Fan et al. 2018, §5.2); tokens as likely as the k-th stay too.
 *
 * @param k a whole number ≥ 1
 * @throws UsageError for another k
 */
export function topK(k: number): LogitProcessor {
  requireRange('topK', k, Number.isInteger(k) && k >= 1, 'a whole number ≥ 1')
  let scratch = new Float32Array(0)
  return (logits) => {
    if (k >= logits.length) return
    if (scratch.length !== logits.length) scratch = new Float32Array(logits.length)
    scratch.set(logits)
    banBelow(logits, kthLargest(scratch, k))
  }
}

/**
 * Keeps the nucleus, the smallest set of most likely tokens whose probabilities sum to p or more (Holtzman et al. 2020,
 * §3.1). At least one token stays; of equally likely tokens at the edge the later ids stay.
 *
 * @param p in [0, 1]; 1 changes nothing
 * @throws UsageError for another p
 */
export function topP(p: number): LogitProcessor {
  requireRange('topP', p, p >= 0 && p <= 1, 'a number from 0 to 1')
  return (logits) => {
    if (p < 1) keepNucleus(logits, p)
  }
}

/**
 * Bans tokens that are less likely than a fraction of the most likely one (Nguyen et al. 2024, §3):
 * keeps token i where pᵢ ≥ minimum · max p.
 *
 * @param minimum in [0, 1]; 0 changes nothing
 * @throws UsageError for another minimum
 */
export function minP(minimum: number): LogitProcessor {
  requireRange('minP', minimum, minimum >= 0 && minimum <= 1, 'a number from 0 to 1')
  const distance = Math.log(minimum)
  return (logits) => banBelow(logits, Math.fround(largest(logits) + distance))
}

/** The largest of some values, -Infinity for none; NaN is never the largest. */
export function largest(values: Float32Array): number {
  let best = -Infinity
  for (let i = 0; i < values.length; i++) if (values[i] > best) best = values[i]
  return best
}

/** @throws UsageError where a value is not valid */
export function requireRange(name: string, value: number, valid: boolean, expected: string): void {
  if (!valid) throw new UsageError(`${name}: expected ${expected}, got ${value}`)
}

function banBelow(logits: Float32Array, threshold: number): void {
  for (let i = 0; i < logits.length; i++) if (logits[i] < threshold) logits[i] = -Infinity
}

/** Quickselect (Hoare 1961) for the k-th largest value; reorders the values. */
function kthLargest(values: Float32Array, k: number): number {
  const target = values.length - k
  let low = 0
  let high = values.length - 1
  while (low < high) {
    const pivot = values[(low + high) >> 1]
    let i = low
    let j = high
    while (i <= j) {
      while (values[i] < pivot) i++
      while (values[j] > pivot) j--
      if (i > j) break
      const swapped = values[i]
      values[i++] = values[j]
      values[j--] = swapped
    }
    if (target <= j) high = j
    else if (target >= i) low = i
    else break
  }
  return values[target]
}

const BINS = 512
/** How far below the largest logit, in nats, the last bin begins. */
const BIN_RANGE = 32

/**
 * Sorting a vocabulary every step is slow and needless: a histogram of probability over logits finds the bin in which
 * the nucleus ends, and only that bin is sorted.
 */
function keepNucleus(logits: Float32Array, p: number): void {
  const top = largest(logits)
  const binOf = (logit: number) => Math.min(BINS - 1, Math.floor(((top - logit) * BINS) / BIN_RANGE))
  const mass = new Float64Array(BINS)
  let total = 0
  for (let i = 0; i < logits.length; i++) {
    const weight = Math.exp(logits[i] - top)
    mass[binOf(logits[i])] += weight
    total += weight
  }
  // A token goes where it and everything less likely sum to 1 − p or less.
  const removable = (1 - p) * total
  let above = 0
  let edge = 0
  while (edge < BINS - 1 && total - (above + mass[edge]) > removable) above += mass[edge++]

  const edgeTokens: number[] = []
  for (let i = 0; i < logits.length; i++) {
    const bin = binOf(logits[i])
    if (bin === edge) edgeTokens.push(i)
    else if (bin > edge) logits[i] = -Infinity
  }
  edgeTokens.sort((a, b) => logits[b] - logits[a] || b - a)
  for (const [rank, token] of edgeTokens.entries()) {
    const weight = Math.exp(logits[token] - top)
    const isMostLikely = edge === 0 && rank === 0
    if (!isMostLikely && total - above <= removable) logits[token] = -Infinity
    above += weight
  }
}
