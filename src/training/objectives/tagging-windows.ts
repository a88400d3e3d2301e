import type { TokenSequence } from '../../models/index.js'
import type { Encoding, Tokenizer } from '../../tokenizers/tokenizer.js'
import { type ContextWindow, windows } from '../../tokenizers/truncation.js'
import { encodeWordsBatch } from '../../tokenizers/words.js'

/** A sentence as a model reads it, or a part of one that is too long. */
export interface WordWindow extends TokenSequence {
  readonly ids: Int32Array
  readonly segments: Uint8Array
  /** The sentence's number among those that were cut. */
  readonly sentence: number
  /** Which of its words are tagged in this window, at least one. */
  readonly words: Int32Array
  /** Where in the window the first token of each of these words is. */
  readonly places: Int32Array
}

/** How sentences become windows. */
export interface WordWindowOptions {
  readonly tokenizer: Tokenizer
  /** Most tokens of a window, those that the tokenizer adds included. */
  readonly maxLength: number
  /** How many tokens two windows of a sentence have in common (default a quarter of the most they have). */
  readonly stride?: number | undefined
}

/**
 * Sentences as token ids, cut into windows where they are too long. Every word is tagged in one window: the one that shows
 * most of what is around its first token. Words that have no token, such as control characters alone, are in none.
 *
 * @throws TokenizerError, UsageError where maxLength leaves no room
 */
export async function wordWindows(
  sentences: readonly (readonly string[])[],
  { tokenizer, maxLength, stride = Math.floor(maxLength / 4) }: WordWindowOptions,
): Promise<WordWindow[]> {
  const { template } = tokenizer
  const encodings = await encodeWordsBatch(tokenizer, sentences, { addSpecialTokens: false })
  return encodings.flatMap((encoding, sentence) => {
    const parts = windows(template, undefined, encoding, { maxLength, stride })
    const chosen = wordsOfParts(encoding, parts)
    return parts.flatMap(({ ids, segments, start }, i) => {
      const words = chosen[i]
      if (words.length === 0) return []
      const shift = template.before.length - start
      return {
        ids: Int32Array.from(ids),
        segments: Uint8Array.from(segments),
        sentence,
        words: Int32Array.from(words, ({ word }) => word),
        places: Int32Array.from(words, ({ token }) => token + shift),
      }
    })
  })
}

/** A word with its first token in the whole sentence. */
interface FirstToken {
  readonly word: number
  readonly token: number
}

/** The words that are tagged in each part of a sentence. */
function wordsOfParts(encoding: Encoding, parts: readonly ContextWindow[]): FirstToken[][] {
  const chosen = parts.map((): FirstToken[] => [])
  const length = encoding.ids.length
  let part = 0
  encoding.words.forEach((word, token) => {
    if (word === encoding.words[token - 1]) return
    // Later tokens have their best window where earlier ones have it, or further on.
    while (part + 1 < parts.length && context(parts[part + 1], token, length) > context(parts[part], token, length)) {
      part++
    }
    chosen[part].push({ word, token })
  })
  return chosen
}

/** Tokens that a part shows on the side of a token where it shows fewer; the ends of the sentence hide nothing. */
function context({ start, end }: ContextWindow, token: number, length: number): number {
  const before = start === 0 ? Number.POSITIVE_INFINITY : token - start
  const behind = end === length ? Number.POSITIVE_INFINITY : end - 1 - token
  return Math.min(before, behind)
}
