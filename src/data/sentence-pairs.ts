import { RandomStream } from '../runtime/random.js'
import { type SentenceRange, SentenceStarts, type SentenceStore } from './sentence-store.js'
import type { TextSequence, TextSequences } from './sentence-windows.js'

/** How documents become pairs. */
export interface SentencePairOptions {
  /** Most tokens of both texts together. */
  readonly length: number
  readonly seed: number
  /** The share of pairs that are made shorter, to know short sequences too (default 0.1, as in BERT). */
  readonly shortShare?: number
}

/** The texts of a pair as positions of tokens, and whether the second follows the first. */
interface Pair {
  readonly first: TokenSpan
  readonly second: TokenSpan
  readonly follows: boolean
}

interface TokenSpan {
  start: number
  end: number
}

/**
 * Pairs of texts, of which the second follows the first in half of the cases and is from another document in the others
 * (Devlin et al. 2018, §3.1, task 2; the way of google-research/bert).
 *
 * A document is gone through in chunks of as many sentences as reach the target, which is the largest length or in one
 * case of ten a random one below. A chunk is cut between two sentences at random; what follows the cut is either the
 * second text or put back, and sentences of another document take its place. What is too long loses tokens of the longer
 * text, at its beginning or its end at random. Unlike there, a last sentence without one that follows begins no pair: it
 * could only have a second text from elsewhere, and more than half of all pairs would.
 *
 * The pairs of an epoch depend on the seed and the epoch alone. All epochs visit as many as the first has: where another
 * has more, some are left out, where it has fewer, some come twice. In memory are 40 bytes a pair.
 */
export class SentencePairs implements TextSequences {
  readonly count: number
  readonly #store: SentenceStore
  readonly #options: SentencePairOptions
  #epoch = 0
  #pairs: Float64Array

  /** @param store of two documents or more */
  constructor(store: SentenceStore, options: SentencePairOptions) {
    this.#store = store
    this.#options = options
    this.#pairs = pairsOf(store, options, 0)
    this.count = this.#pairs.length / numbersOfPair
  }

  sequence(index: number, epoch: number): TextSequence {
    if (epoch !== this.#epoch) {
      this.#pairs = pairsOf(this.#store, this.#options, epoch)
      this.#epoch = epoch
    }
    const at = (index * numbersOfPair) % this.#pairs.length
    const [start, end, secondStart, secondEnd, follows] = this.#pairs.subarray(at, at + numbersOfPair)
    return {
      first: this.#store.tokens(start, end),
      second: this.#store.tokens(secondStart, secondEnd),
      follows: follows === 1,
    }
  }
}

const numbersOfPair = 5

function pairsOf(store: SentenceStore, options: SentencePairOptions, epoch: number): Float64Array {
  let pairs = new Float64Array(1024 * numbersOfPair)
  let length = 0
  for (const { first, second, follows } of new PairMaker(store, options, epoch).pairs()) {
    if (length === pairs.length) {
      const larger = new Float64Array(2 * length)
      larger.set(pairs)
      pairs = larger
    }
    pairs.set([first.start, first.end, second.start, second.end, Number(follows)], length)
    length += numbersOfPair
  }
  return pairs.slice(0, length)
}

/** Makes the pairs of one epoch. */
class PairMaker {
  readonly #store: SentenceStore
  readonly #options: SentencePairOptions
  readonly #random: RandomStream
  readonly #starts: SentenceStarts
  /** Where sentences of other documents begin: apart, so that going back and forth reads nothing twice. */
  readonly #otherStarts: SentenceStarts

  constructor(store: SentenceStore, options: SentencePairOptions, epoch: number) {
    this.#store = store
    this.#options = options
    this.#random = new RandomStream(options.seed, 'data.pairs', epoch)
    this.#starts = new SentenceStarts(store)
    this.#otherStarts = new SentenceStarts(store)
  }

  *pairs(): Generator<Pair> {
    for (let document = 0; document < this.#store.documents; document++) {
      const { first, end } = this.#store.document(document)
      for (let sentence = first; end - sentence >= 2; ) {
        const target = this.#target()
        const chunkEnd = this.#chunkEnd({ first: sentence, end }, target)
        const cut = sentence + 1 + this.#random.integer(chunkEnd - sentence - 1)
        const text = this.#span(sentence, cut)
        const follows = this.#random.uniform() < 0.5
        const second = follows ? this.#span(cut, chunkEnd) : this.#other(document, target - (text.end - text.start))
        this.#truncate(text, second)
        yield { first: text, second, follows }
        sentence = follows ? chunkEnd : cut
      }
    }
  }

  #target(): number {
    const { length, shortShare = 0.1 } = this.#options
    return this.#random.uniform() < shortShare ? 2 + this.#random.integer(length - 1) : length
  }

  /** Behind as many sentences as reach the target, at least two. */
  #chunkEnd({ first, end }: SentenceRange, target: number): number {
    const start = this.#starts.at(first)
    let last = first + 2
    while (last < end && this.#starts.at(last) - start < target) last++
    return last
  }

  #span(first: number, end: number): TokenSpan {
    return { start: this.#starts.at(first), end: this.#starts.at(end) }
  }

  /** Sentences of another document from a random one on, as many as reach the target, at least one. */
  #other(document: number, target: number): TokenSpan {
    const drawn = this.#random.integer(this.#store.documents - 1)
    const { first, end } = this.#store.document(drawn < document ? drawn : drawn + 1)
    const sentence = first + this.#random.integer(end - first)
    const start = this.#otherStarts.at(sentence)
    let last = sentence + 1
    while (last < end && this.#otherStarts.at(last) - start < target) last++
    return { start, end: this.#otherStarts.at(last) }
  }

  #truncate(first: TokenSpan, second: TokenSpan): void {
    const lengthOf = ({ start, end }: TokenSpan) => end - start
    while (lengthOf(first) + lengthOf(second) > this.#options.length) {
      const longer = lengthOf(first) > lengthOf(second) ? first : second
      if (this.#random.uniform() < 0.5) longer.start++
      else longer.end--
    }
  }
}
