import type { WordCounts } from './word-counts.js'

/** Words longer than this are cut: a lattice over a whole text without spaces would need too much memory. */
const LONGEST_WORD = 1000

/** Distinct words as numbers of characters, side by side in one array, and the characters by their numbers. */
export interface CharacterWords {
  /** Every character of the words once, by rising code point. */
  readonly characters: readonly string[]

  /** The words, one after the other: each character is its place in `characters`. */
  readonly symbols: Int32Array

  /** Where each word starts in `symbols`, and at last where the last one ends. */
  readonly starts: Uint32Array

  /** How often each word occurs. */
  readonly counts: Float64Array
}

/**
 * How often each character occurs in words, the most frequent first; of equal counts the lower code point first.
 *
 * @param limit how many to return at most
 */
export function characterCounts(
  words: WordCounts,
  limit = Number.POSITIVE_INFINITY,
): [character: string, count: number][] {
  const counts = new Map<string, number>()
  let number = 0
  for (const word of words.words()) {
    const count = words.counts[number++]
    for (const character of word) counts.set(character, (counts.get(character) ?? 0) + count)
  }
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || codePoint(a) - codePoint(b))
  return sorted.slice(0, limit)
}

/** Words as numbers of the given characters; at others, and where they are very long, words are cut. */
export function toCharacterWords(words: WordCounts, alphabet: readonly string[]): CharacterWords {
  const characters = [...alphabet].sort((a, b) => codePoint(a) - codePoint(b))
  const numbers = new Map(characters.map((character, number) => [character, number]))
  const symbols = new Int32Array(words.units)
  const starts = [0]
  const counts: number[] = []
  let size = 0
  let number = 0
  for (const word of words.words()) {
    const count = words.counts[number++]
    const close = () => {
      if (size === starts[starts.length - 1]) return
      starts.push(size)
      counts.push(count)
    }
    for (const character of word) {
      const symbol = numbers.get(character)
      if (symbol !== undefined) symbols[size++] = symbol
      if (symbol === undefined || size - starts[starts.length - 1] === LONGEST_WORD) close()
    }
    close()
  }
  return {
    characters,
    symbols: symbols.subarray(0, size),
    starts: Uint32Array.from(starts),
    counts: Float64Array.from(counts),
  }
}

function codePoint(character: string): number {
  return character.codePointAt(0) ?? 0
}
