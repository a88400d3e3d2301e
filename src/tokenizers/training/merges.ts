import { PairTable } from '../pair-table.js'
import { PairQueue } from './pair-queue.js'

/** Distinct words as sequences of token ids, side by side in one array. Learning merges shortens them in place. */
export interface SymbolWords {
  /** The ids of all words, one word after the other. */
  readonly symbols: Int32Array

  /** Where each word starts in `symbols`, and at last where the last one ends. */
  readonly starts: Uint32Array

  /** How often each word occurs. */
  readonly counts: Float64Array
}

/** What {@link learnMerges} starts from. */
export interface MergeOptions {
  readonly words: SymbolWords

  /** The spelling of every id so far: special tokens and the alphabet. */
  readonly tokens: readonly string[]

  /** When to stop: so many tokens are there. */
  readonly vocabularySize: number

  /** How often a pair must occur to be merged. */
  readonly minimumFrequency: number

  /** The spelling of a merged pair. */
  readonly join: (left: string, right: string) => string

  /** Called now and then with the number of tokens. */
  readonly onProgress?: ((tokens: number) => void) | undefined
}

/** What was learnt: the spelling of every id, and the pairs of ids that were merged, the strongest first. */
export interface LearntMerges {
  readonly tokens: string[]
  readonly merges: [left: number, right: number][]
}

/**
 * Byte-pair encoding's learning (Sennrich et al. 2016, algorithm 1): again and again the most frequent pair of adjacent
 * tokens becomes a token. Of equally frequent pairs the one with the smallest ids is taken, as Hugging Face's trainer
 * does, so that the result depends on the words and their counts alone.
 *
 * Counts are updated where a merge happens (the cost of a merge is the length of the words that hold it), and the most
 * frequent pair is found in a priority queue.
 */
export function learnMerges(options: MergeOptions): LearntMerges {
  const { vocabularySize, minimumFrequency, join, onProgress } = options
  const tokens = [...options.tokens]
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const pairs = new PairCounts(options.words)
  const merges = new Map<number, [number, number]>()
  while (tokens.length < vocabularySize) {
    const pair = pairs.mostFrequent()
    if (pair < 0 || pairs.count(pair) < Math.max(1, minimumFrequency)) break
    const [left, right] = pairs.pair(pair)
    const token = join(tokens[left], tokens[right])
    const known = ids.get(token)
    const id = known ?? tokens.push(token) - 1
    ids.set(token, id)
    // A pair can come back when a second pair spells one of its tokens: it then takes its later, weaker place.
    merges.delete(pair)
    merges.set(pair, [left, right])
    pairs.merge(pair, id)
    if (tokens.length % 64 === 0) onProgress?.(tokens.length)
  }
  onProgress?.(tokens.length)
  return { tokens, merges: [...merges.values()] }
}

/** How often each pair of adjacent tokens occurs, and in which words. */
class PairCounts {
  readonly #table = new PairTable()
  readonly #queue = new PairQueue(this.#table)
  readonly #symbols: Int32Array
  readonly #starts: Uint32Array
  readonly #wordCounts: Float64Array
  /** Where each word ends by now. */
  readonly #ends: Uint32Array
  /** Occurrences of each pair. */
  #counts = new Float64Array(1 << 10)
  /** The first entry of each pair's list of words, 0 for none. */
  #heads = new Int32Array(1 << 10)
  /** The lists: a word, and the next entry, 0 for none. Entry 0 is not used, the free ones are a list as well. */
  #listWords = new Int32Array(1 << 12)
  #listNext = new Int32Array(1 << 12)
  #free = 0
  #used = 1

  constructor({ symbols, starts, counts }: SymbolWords) {
    this.#symbols = symbols
    this.#starts = starts
    this.#wordCounts = counts
    this.#ends = starts.slice(1)
    for (let word = 0; word < counts.length; word++) {
      for (let i = starts[word]; i + 1 < starts[word + 1]; i++) {
        this.#change({ left: symbols[i], right: symbols[i + 1], by: counts[word], word })
      }
    }
    for (let pair = 0; pair < this.#table.size; pair++) this.#queue.push(pair, this.#counts[pair])
  }

  count(pair: number): number {
    return this.#counts[pair]
  }

  pair(pair: number): [left: number, right: number] {
    return [this.#table.lefts[pair], this.#table.rights[pair]]
  }

  /** Takes the most frequent pair out of the queue, -1 where there is none. */
  mostFrequent(): number {
    for (;;) {
      const [pair, count] = this.#queue.pop()
      // Pairs enter the queue when they become more frequent, not when they become rarer: that is found out here.
      if (pair < 0 || (count === this.#counts[pair] && this.#heads[pair] > 0)) return pair
      if (this.#counts[pair] > 0 && this.#heads[pair] > 0) this.#queue.push(pair, this.#counts[pair])
    }
  }

  /** Makes every occurrence of a pair the token `id`. */
  merge(pair: number, id: number): void {
    const [left, right] = this.pair(pair)
    const risen = new Set<number>()
    let entry = this.#heads[pair]
    this.#heads[pair] = 0
    while (entry > 0) {
      const next = this.#listNext[entry]
      this.#mergeInWord(this.#listWords[entry], { left, right, id }, risen)
      this.#listNext[entry] = this.#free
      this.#free = entry
      entry = next
    }
    for (const risenPair of risen) {
      if (this.#counts[risenPair] > 0) this.#queue.push(risenPair, this.#counts[risenPair])
    }
  }

  /** Merges from the left, and counts the neighbours' old pairs down and their new ones up. */
  #mergeInWord(word: number, merge: { left: number; right: number; id: number }, risen: Set<number>): void {
    const { left, right, id } = merge
    const symbols = this.#symbols
    const start = this.#starts[word]
    const end = this.#ends[word]
    const count = this.#wordCounts[word]
    let to = start
    for (let from = start; from < end; from++) {
      if (symbols[from] !== left || from + 1 >= end || symbols[from + 1] !== right) {
        symbols[to++] = symbols[from]
        continue
      }
      if (to > start) {
        this.#change({ left: symbols[to - 1], right: left, by: -count, word })
        risen.add(this.#change({ left: symbols[to - 1], right: id, by: count, word }))
      }
      if (from + 2 < end) {
        this.#change({ left: right, right: symbols[from + 2], by: -count, word })
        risen.add(this.#change({ left: id, right: symbols[from + 2], by: count, word }))
      }
      symbols[to++] = id
      from++
    }
    this.#ends[word] = to
  }

  /** Adds to a pair's count, and the word to its list where the pair rises. Returns the pair's number. */
  #change({ left, right, by, word }: { left: number; right: number; by: number; word: number }): number {
    const pair = this.#table.add(left, right)
    if (pair >= this.#counts.length) this.#growPairs()
    this.#counts[pair] += by
    const head = this.#heads[pair]
    if (by > 0 && (head === 0 || this.#listWords[head] !== word)) this.#heads[pair] = this.#newEntry(word, head)
    return pair
  }

  #newEntry(word: number, next: number): number {
    let entry = this.#free
    if (entry > 0) this.#free = this.#listNext[entry]
    else {
      entry = this.#used++
      if (entry === this.#listWords.length) {
        this.#listWords = enlarged(this.#listWords)
        this.#listNext = enlarged(this.#listNext)
      }
    }
    this.#listWords[entry] = word
    this.#listNext[entry] = next
    return entry
  }

  #growPairs(): void {
    const counts = new Float64Array(this.#counts.length * 2)
    counts.set(this.#counts)
    this.#counts = counts
    this.#heads = enlarged(this.#heads)
  }
}

/** A copy with more room: twice as much, or half as much again where that is large. */
function enlarged(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.ceil(array.length * (array.length < 1 << 22 ? 2 : 1.5)))
  larger.set(array)
  return larger
}
