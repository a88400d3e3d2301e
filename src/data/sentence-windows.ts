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
 * end there (DOC-SENTENCES). A sentence longer than a window is cut. In memory are 16 bytes a window.
 */
export class SentenceWindows implements TextSequences {
  readonly #store: SentenceStore
  /** Of each window where its tokens begin and end. */
  readonly #borders: Float64Array

  constructor(store: SentenceStore, options: SentenceWindowOptions) {
    this.#store = store
    this.#borders = fill(store, options)
  }

  get count(): number {
    return this.#borders.length / 2
  }

  sequence(index: number): TextSequence {
    return { first: this.#store.tokens(this.#borders[2 * index], this.#borders[2 * index + 1]) }
  }
}

function fill(store: SentenceStore, { length, packing = true }: SentenceWindowOptions): Float64Array {
  const borders: number[] = []
  const starts = new SentenceStarts(store)
  let [start, end] = [0, 0]
  const emit = () => {
    if (end > start) borders.push(start, end)
  }
  for (let document = 0; document < store.documents; document++) {
    const sentences = store.document(document)
    if (!packing || document === 0) {
      emit()
      start = end = starts.at(sentences.first)
    }
    for (let sentence = sentences.first; sentence < sentences.end; sentence++) {
      const [sentenceStart, sentenceEnd] = [starts.at(sentence), starts.at(sentence + 1)]
      if (sentenceEnd - start > length) {
        emit()
        start = sentenceStart
      }
      for (; sentenceEnd - start > length; start += length) borders.push(start, start + length)
      end = sentenceEnd
    }
  }
  emit()
  return Float64Array.from(borders)
}
