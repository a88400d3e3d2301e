import type { TokenStore } from './token-store.js'

/** Some tokens of a text in order. */
export interface TokenRun {
  readonly ids: ArrayLike<number>
  /** 1 for each token that goes on with the word of the one before it; only where the store knows words. */
  readonly goesOn?: ArrayLike<number> | undefined
}

/** Which sentences a document has: those from number `first` to before `end`. */
export interface SentenceRange {
  readonly first: number
  readonly end: number
}

/**
 * Documents as tokens, sentence by sentence, wherever they lie. Between two documents stands one token, the tokenizer's
 * separator. In memory are 8 bytes a document.
 */
export class SentenceStore {
  readonly #store: TokenStore
  /** Of each document its first sentence and the one behind its last. */
  readonly #ranges: Uint32Array
  readonly #knowsWords: boolean

  private constructor(store: TokenStore, ranges: Uint32Array, knowsWords: boolean) {
    this.#store = store
    this.#ranges = ranges
    this.#knowsWords = knowsWords
  }

  /**
   * @param store each sentence as a document of its own; one that is the token `border` alone ends a document
   * @param border as the store has it
   * @param knowsWords whether the store has 2 · id + 1 for tokens that go on with a word and 2 · id for others, not ids
   */
  static of(store: TokenStore, border: number, knowsWords = false): SentenceStore {
    return new SentenceStore(store, findDocuments(store, border), knowsWords)
  }

  get documents(): number {
    return this.#ranges.length / 2
  }

  /** Tokens from the first sentence to the last, the separators between documents included. */
  get length(): number {
    const { first, end } = this.sentences
    const starts = new SentenceStarts(this)
    return starts.at(end) - starts.at(first)
  }

  /** The sentences of all documents; among them are separators, which stand between two documents and are of none. */
  get sentences(): SentenceRange {
    return { first: this.#ranges.at(0) ?? 0, end: this.#ranges.at(-1) ?? 0 }
  }

  /** @param index from 0 to before `documents` */
  document(index: number): SentenceRange {
    return { first: this.#ranges[2 * index], end: this.#ranges[2 * index + 1] }
  }

  /** Where sentences begin, from number `first` on, as far as there are so many; behind the last one stands its end. */
  sentenceStarts(first: number, count: number): Float64Array {
    return this.#store.documentStarts(first, Math.min(count, this.#store.documents + 1 - first))
  }

  /** The tokens at positions `start` to before `end`. */
  tokens(start: number, end: number): TokenRun {
    const stored = this.#store.read(start, end - start)
    if (!this.#knowsWords) return { ids: stored }
    return { ids: stored.map((mark) => mark >>> 1), goesOn: stored.map((mark) => mark & 1) }
  }

  /** The documents from number `first` to before `end`. */
  slice(first: number, end: number = this.documents): SentenceStore {
    return this.#with(this.#ranges.subarray(2 * first, 2 * end))
  }

  /** The first document up to a share of its sentences, and the rest of it. */
  splitDocument(share: number): [before: SentenceStore, behind: SentenceStore] {
    const { first, end } = this.document(0)
    const cut = first + Math.floor((end - first) * share)
    return [this.#with(Uint32Array.of(first, cut)), this.#with(Uint32Array.of(cut, end))]
  }

  /** As many of the first documents as have at most `maximum` tokens; the last one is cut behind a sentence. */
  limit(maximum: number): SentenceStore {
    const starts = new SentenceStarts(this)
    const limit = starts.at(this.sentences.first) + maximum
    let documents = 0
    while (documents < this.documents && starts.at(this.document(documents).end) <= limit) documents++
    if (documents === this.documents) return this
    const ranges = this.#ranges.slice(0, 2 * documents + 2)
    const cut = ranges.length - 1
    while (ranges[cut] > ranges[cut - 1] && starts.at(ranges[cut]) > limit) ranges[cut]--
    return this.#with(ranges[cut] > ranges[cut - 1] ? ranges : ranges.subarray(0, cut - 1))
  }

  #with(ranges: Uint32Array): SentenceStore {
    return new SentenceStore(this.#store, ranges, this.#knowsWords)
  }
}

/** Where single sentences begin: neighbours are read together. */
export class SentenceStarts {
  readonly #store: SentenceStore
  #first = 0
  #block: Float64Array = new Float64Array(0)

  constructor(store: SentenceStore) {
    this.#store = store
  }

  /** @param sentence its number; that behind the last one gives the end */
  at(sentence: number): number {
    const offset = sentence - this.#first
    if (offset >= 0 && offset < this.#block.length) return this.#block[offset]
    this.#first = sentence - (sentence % sentencesAtOnce)
    this.#block = this.#store.sentenceStarts(this.#first, sentencesAtOnce)
    return this.#block[sentence - this.#first]
  }
}

/** Sentences that are looked up together. */
const sentencesAtOnce = 1024

function findDocuments(store: TokenStore, border: number): Uint32Array {
  const ranges: number[] = []
  let first = 0
  for (let block = 0; block < store.documents; block += sentencesAtOnce) {
    const count = Math.min(sentencesAtOnce, store.documents - block)
    const starts = store.documentStarts(block, count + 1)
    for (let i = 0; i < count; i++) {
      if (starts[i + 1] - starts[i] > 1 || store.read(starts[i], 1)[0] !== border) continue
      if (block + i > first) ranges.push(first, block + i)
      first = block + i + 1
    }
  }
  if (store.documents > first) ranges.push(first, store.documents)
  return Uint32Array.from(ranges)
}
