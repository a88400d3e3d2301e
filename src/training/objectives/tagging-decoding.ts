import { decodeTags } from '../../data/tag-decoding.js'
import type { LegalTags } from '../../data/tag-scheme.js'
import type { WordWindow } from './tagging-windows.js'

/** The logits of a sentence's words, [K] each; undefined for words that have no token. */
export type WordLogits = (Float32Array | undefined)[]

/** A word's tag. */
export interface WordTag {
  readonly tag: string
  /** Its probability; undefined where the model has not seen the word. */
  readonly score: number | undefined
}

/** Room for the logits of sentences, given the number of words of each. */
export function emptyLogits(lengths: readonly number[]): WordLogits[] {
  return lengths.map((length) => new Array(length).fill(undefined))
}

/**
 * Puts the logits of a batch where their words are.
 *
 * @param logits [M, K] for the words of all the windows, one after another
 */
export function collectLogits(logits: Float32Array, windows: readonly WordWindow[], sentences: WordLogits[]): void {
  const labels = logits.length / windows.reduce((sum, { words }) => sum + words.length, 0)
  let row = 0
  for (const { sentence, words } of windows) {
    for (const word of words) sentences[sentence][word] = logits.subarray(row * labels, ++row * labels)
  }
}

/**
 * The likeliest legal tags of a sentence, argmax Σ log P(tag of word t) over all sequences that follow the scheme. A word
 * without logits is outside of entities, or inside of one that goes on behind it.
 *
 * @param legal which sequences of the K tags follow the scheme
 * @throws DataError where no sequence of so many tags does
 */
export function decodeWords(logits: WordLogits, legal: LegalTags): WordTag[] {
  const { tags } = legal
  const scores = new Float32Array(logits.length * tags.length)
  const unseen = Float32Array.from(tags, unseenScore)
  for (const [word, row] of logits.entries()) scores.set(row ? logSoftmax(row) : unseen, word * tags.length)
  return Array.from(decodeTags(scores, legal), (tag, word) => ({
    tag: tags[tag],
    score: logits[word] && Math.exp(scores[word * tags.length + tag]),
  }))
}

/** What a tag scores where the model has not seen the word: O before what goes on before what begins, by next to nothing. */
function unseenScore(tag: string): number {
  if (tag === 'O') return 0
  return /^[BSU]/.test(tag) ? -2e-3 : -1e-3
}

/** log softmax(x). */
function logSoftmax(x: Float32Array): Float32Array {
  const highest = Math.max(...x)
  const logarithm = highest + Math.log(x.reduce((sum, logit) => sum + Math.exp(logit - highest), 0))
  return x.map((logit) => logit - logarithm)
}
