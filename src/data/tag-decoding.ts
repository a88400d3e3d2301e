import { DataError, ShapeError } from '../errors.js'
import type { LegalTags } from './tag-scheme.js'

/** What a score of −∞ counts as: worse than any other, yet better than what is not legal. */
const lowestScore = -1e30

/**
 * The legal sequence of tags with the highest sum of scores (Viterbi 1967), argmax Σₜ scores[t, yₜ] over the sequences y
 * that are legal.
 *
 * T tokens, K tags; takes O(T·K²) steps.
 *
 * @param scores [T, K]: the log-probability of each tag for each token
 * @param legal which sequences of the K tags are legal
 * @returns [T]: the index of each token's tag
 * @throws ShapeError where the scores are not a multiple of K, DataError where no sequence of T tags is legal
 */
export function decodeTags(scores: Float32Array, legal: LegalTags): Int32Array {
  const tags = legal.tags.length
  const length = scores.length / tags
  if (!Number.isInteger(length))
    throw new ShapeError(`decodeTags: expected scores [T, ${tags}], got ${scores.length} numbers; pass one row a token`)
  if (length === 0) return new Int32Array(0)
  const before = new Int32Array(length * tags) // [T, K]: the tag before each tag on the best way to it
  // [K]: the sum of the best way to each tag; −∞ where none is legal.
  let sums = Float64Array.from(legal.start, (allowed, tag) => (allowed ? scoreAt(scores, tag) : -Infinity))
  for (let token = 1; token < length; token++) {
    const next = new Float64Array(tags)
    for (let tag = 0; tag < tags; tag++) {
      const from = bestWay(sums, (from) => legal.transition[from * tags + tag])
      before[token * tags + tag] = from
      next[tag] = from === -1 ? -Infinity : sums[from] + scoreAt(scores, token * tags + tag)
    }
    sums = next
  }
  const last = bestWay(sums, (tag) => legal.end[tag])
  if (last === -1) throw noLegalSequence(length, legal)
  const found = new Int32Array(length)
  found[length - 1] = last
  for (let token = length - 1; token > 0; token--) found[token - 1] = before[token * tags + found[token]]
  return found
}

function scoreAt(scores: Float32Array, place: number): number {
  return Math.max(scores[place], lowestScore)
}

/** The tag with the best sum among those that are allowed (the first of equals); −1 where there is none. */
function bestWay(sums: Float64Array, allowed: (tag: number) => number): number {
  let best = -1
  let bestSum = -Infinity
  for (let tag = 0; tag < sums.length; tag++) {
    if (!(sums[tag] > bestSum) || allowed(tag) === 0) continue
    best = tag
    bestSum = sums[tag]
  }
  return best
}

function noLegalSequence(length: number, { tags }: LegalTags): DataError {
  return new DataError(
    `decodeTags: expected numbers as scores and a legal sequence of ${length} tags, found none of ${tags.join(', ')}; ` +
      'add O or a tag for entities of one token',
  )
}
