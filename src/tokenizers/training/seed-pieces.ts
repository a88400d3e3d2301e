import { PairTable } from '../pair-table.js'
import type { Pieces } from '../pieces.js'
import type { CharacterWords } from './character-words.js'

/** A substring of words: where it occurs first, its length in characters, and its count, or count · length. */
interface Substring {
  readonly start: number
  readonly length: number
  readonly weight: number
}

/**
 * The pieces that unigram training starts from (Kudo 2018, §3.2): every character, and the substrings of words with the
 * largest count · length, among those that occur at least twice and do not always go on with the same character.
 *
 * Substrings of n + 1 characters are counted only where the n first ones are frequent enough, so that rare text, which is
 * most of the distinct text, costs little. SentencePiece finds the same substrings with a suffix array.
 *
 * @param options.longest how many characters a piece has at most
 * @param options.limit how many pieces there are at most
 * @returns pieces with the logarithms of their share as scores, single characters first
 */
export function seedPieces(words: CharacterWords, options: { longest: number; limit: number }): Pieces {
  const characters = singleCharacters(words)
  const substrings: Substring[] = []
  let level: { nodes: Int32Array; found: Substring[] } = { nodes: words.symbols.slice(), found: characters }
  for (let length = 1; length < options.longest && level.found.length > 0; length++) {
    const { nodes, found, parents } = longerSubstrings(words, level.nodes, length)
    // A substring that always goes on the same way is not worth a piece of its own.
    const deadEnds = new Set<number>()
    found.forEach(({ weight }, i) => {
      if (weight === level.found[parents[i]].weight) deadEnds.add(parents[i])
    })
    if (length > 1) keep(substrings, level.found, deadEnds)
    level = { nodes, found }
  }
  keep(substrings, level.found, new Set())
  const all = [...characters, ...heaviest(substrings, options.limit - characters.length)]
  const sum = Math.log(all.reduce((total, { weight }) => total + weight, 0))
  return {
    starts: Int32Array.from(all, ({ start }) => start),
    lengths: Uint16Array.from(all, ({ length }) => length),
    scores: Float64Array.from(all, ({ weight }) => Math.log(weight) - sum),
  }
}

function keep(substrings: Substring[], found: readonly Substring[], deadEnds: ReadonlySet<number>): void {
  found.forEach(({ start, length, weight }, i) => {
    if (weight >= 2 && !deadEnds.has(i)) substrings.push({ start, length, weight: weight * length })
  })
}

function singleCharacters({ characters, symbols, starts, counts }: CharacterWords): Substring[] {
  const firsts = new Int32Array(characters.length)
  const weights = new Float64Array(characters.length)
  for (let word = 0; word < counts.length; word++) {
    for (let i = starts[word]; i < starts[word + 1]; i++) {
      if (weights[symbols[i]] === 0) firsts[symbols[i]] = i
      weights[symbols[i]] += counts[word]
    }
  }
  return Array.from(weights, (weight, i) => ({ start: firsts[i], length: 1, weight }))
}

/**
 * Counts the substrings of `length` + 1 characters that go on from given ones.
 *
 * @param nodes the number of the substring of `length` characters that starts at each symbol, -1 for none
 * @returns the same for the longer ones, -1 where they are rare; the longer ones; and which one each goes on from
 */
function longerSubstrings({ symbols, starts, counts }: CharacterWords, nodes: Int32Array, length: number) {
  const table = new PairTable()
  const found: Substring[] = []
  let weights = new Float64Array(1 << 10)
  for (let word = 0; word < counts.length; word++) {
    for (let i = starts[word]; i < starts[word + 1]; i++) {
      const node = nodes[i]
      nodes[i] = -1
      if (node < 0 || i + length >= starts[word + 1]) continue
      const longer = table.add(node, symbols[i + length])
      if (longer === weights.length) weights = enlarged(weights)
      weights[longer] += counts[word]
      nodes[i] = longer
    }
  }
  const firsts = new Int32Array(table.size).fill(-1)
  for (let i = 0; i < nodes.length; i++) {
    if (nodes[i] < 0) continue
    if (firsts[nodes[i]] < 0) firsts[nodes[i]] = i
    if (weights[nodes[i]] < 2) nodes[i] = -1
  }
  for (let i = 0; i < table.size; i++) found.push({ start: firsts[i], length: length + 1, weight: weights[i] })
  return { nodes, found, parents: table.lefts }
}

/** The substrings of the largest weight, in order of weight, then of length, then of place. */
function heaviest(substrings: Substring[], limit: number): Substring[] {
  return substrings
    .sort((a, b) => b.weight - a.weight || a.length - b.length || a.start - b.start)
    .slice(0, Math.max(0, limit))
}

function enlarged(array: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length * 2)
  larger.set(array)
  return larger
}
