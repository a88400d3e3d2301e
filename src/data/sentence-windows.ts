import { SentenceStarts, type SentenceStore, type TokenRun } from './sentence-store.js'

/** A text, or two, as tokens, without what a model expects around them. */
export type { TokenRun } from './sentence-store.js'

export interface TextSequence {
  readonly first: TokenRun
  readonly second?: TokenRun
  /** Whether the second text follows the first in a document, or is from another one. */
  readonly follows?: boolean
}

/** The sequences that documents are cut into, for each epoch anew. */
export interface TextSequences {
  /** Sequences of an epoch, the same in all. */
  readonly count: number
  /** Sequence number `index` of an epoch, a pure function of the two and the seed. */
  sequence(index: number, epoch: number): TextSequence
}

/** How sentences fill windows. */
export interface SentenceWindowOptions {
  /** Most tokens of a window. */
  readonly length: number
  /** Whether windows run across the borders of documents; true by default. */
  readonly packing?: boolean | undefined
}

/**
 * Windows of whole sentences in succession, as many as fit, the same in every epoch. They run across the borders of
 * documents, where the separator stands between (FULL-SENTENCES of Liu et al. 2019, "RoBERTa", §4.2), or without packing
 * end there (DOC-SENTENCES). A sentence longer than a window is cut. In memory are 24 bytes a window.
 */
export class SentenceWindows implements TextSequences {
  readonly #store: SentenceStore
  readonly #starts: SentenceStarts
  /** Of each window where its tokens begin and end, and the number of the sentence that it begins in. */
  readonly #borders: Float64Array

  constructor(store: SentenceStore, options: SentenceWindowOptions) {
    this.#store = store
    this.#starts = new SentenceStarts(store)
    this.#borders = fill(store, options)
  }

  get count(): number {
    return this.#borders.length / numbersOfWindow
  }

  sequence(index: number): TextSequence {
    const [start, end] = this.#window(index)
    return { first: this.#store.tokens(start, end) }
  }

  /** Where the sentences of a window begin, counted in tokens from its start, which is the first of them. */
  sentenceStarts(index: number): number[] {
    const [start, end, first] = this.#window(index)
    const starts = [0]
    for (let sentence = first + 1; this.#starts.at(sentence) < end; sentence++) {
      starts.push(this.#starts.at(sentence) - start)
    }
    return starts
  }

  #window(index: number): Float64Array {
    return this.#borders.subarray(index * numbersOfWindow, (index + 1) * numbersOfWindow)
  }
}

const numbersOfWindow = 3

function fill(store: SentenceStore, { length, packing = true }: SentenceWindowOptions): Float64Array {
  const borders: number[] = []
  const starts = new SentenceStarts(store)
  let [start, end, first] = [0, 0, 0]
  const emit = () => {
    if (end > start) borders.push(start, end, first)
  }
  for (let document = 0; document < store.documents; document++) {
    const sentences = store.document(document)
    if (!packing || document === 0) {
      emit()
      start = end = starts.at(sentences.first)
      first = sentences.first
    }
    for (let sentence = sentences.first; sentence < sentences.end; sentence++) {
      const [sentenceStart, sentenceEnd] = [starts.at(sentence), starts.at(sentence + 1)]
      if (sentenceEnd - start > length) {
        emit()
        start = sentenceStart
        first = sentence
      }
      for (; sentenceEnd - start > length; start += length) borders.push(start, start + length, first)
      end = sentenceEnd
    }
  }
  emit()
  return Float64Array.from(borders)
}
