import { SentenceStore } from './sentence-store.js'
import { MemoryTokenStore } from './token-store.js'

/** The separator between documents in {@link storeOf}. */
export const border = 3

/** Documents as lists of sentences, these as lists of tokens, in a store. */
export function storeOf(documents: readonly (readonly (readonly number[])[])[], knowsWords = false): SentenceStore {
  const separator = knowsWords ? 2 * border : border
  const sentences = documents.flatMap((document) => [...document, [separator]])
  const starts = [0]
  for (const { length } of sentences) starts.push(starts[starts.length - 1] + length)
  const store = new MemoryTokenStore(Uint32Array.from(sentences.flat()), Float64Array.from(starts))
  return SentenceStore.of(store, separator, knowsWords)
}

/**
 * Documents with as many sentences as asked for, these of some tokens, no two of which are equal: the hundred thousands
 * of a token are its document, the rest its place there.
 */
export function numberedDocuments(sizes: readonly (readonly number[])[]): number[][][] {
  return sizes.map((lengths, document) => {
    let next = 100_000 * (document + 1)
    return lengths.map((length) => Array.from({ length }, () => next++))
  })
}
