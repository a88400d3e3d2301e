import { describe, expect, it } from 'vitest'
import { SentenceStarts, SentenceStore } from './sentence-store.js'
import { border, numberedDocuments, storeOf } from './sentence-store.testing.js'
import { MemoryTokenStore } from './token-store.js'

const documents = [[[10, 11], [12]], [[20], [21, 22, 23], [24]], [[30, 31]]]
const store = storeOf(documents)

/** The sentences of each document as tokens. */
function contents(store: SentenceStore): number[][][] {
  const starts = new SentenceStarts(store)
  return Array.from({ length: store.documents }, (_, index) => {
    const { first, end } = store.document(index)
    return Array.from({ length: end - first }, (_, i) => [
      ...Array.from(store.tokens(starts.at(first + i), starts.at(first + i + 1)).ids),
    ])
  })
}

describe('SentenceStore', () => {
  it('finds the documents and their sentences', () => {
    expect(contents(store)).toEqual(documents)
    // With the two separators between the three documents.
    expect(store.length).toBe(3 + 5 + 2 + 2)
  })

  it('finds them where there are more than are looked up at once', () => {
    const many = numberedDocuments(Array.from({ length: 700 }, (_, i) => Array.from({ length: 1 + (i % 5) }, () => 2)))
    expect(contents(storeOf(many))).toEqual(many)
  })

  it('knows documents without a separator behind the last, and none that are empty', () => {
    const ids = Uint32Array.of(border, 10, border, border, 20, 21)
    const sentences = new MemoryTokenStore(ids, Float64Array.of(0, 1, 2, 3, 4, 6))
    expect(contents(SentenceStore.of(sentences, border))).toEqual([[[10]], [[20, 21]]])
  })

  it('takes some of the documents', () => {
    expect(contents(store.slice(1))).toEqual(documents.slice(1))
    expect(contents(store.slice(1, 2))).toEqual([documents[1]])
    expect(store.slice(1).length).toBe(5 + 1 + 2)
  })

  it('parts the first document between sentences', () => {
    const [before, behind] = storeOf([[[1], [2], [4], [5], [6]]]).splitDocument(0.9)
    expect(contents(before)).toEqual([[[1], [2], [4], [5]]])
    expect(contents(behind)).toEqual([[[6]]])
  })

  it.each([
    [100, documents],
    [12, documents],
    [11, documents.slice(0, 2)],
    [8, [documents[0], documents[1].slice(0, 2)]],
    [5, [documents[0], documents[1].slice(0, 1)]],
    [4, [documents[0]]],
    [3, [documents[0]]],
    [2, [documents[0].slice(0, 1)]],
    [1, []],
  ])('is limited to %d tokens behind a sentence', (maximum, expected) => {
    expect(contents(store.limit(maximum))).toEqual(expected)
  })

  it('keeps which tokens go on with a word beside the ids', () => {
    const marked = storeOf([[[2 * 10, 2 * 11 + 1, 2 * 12]]], true)
    const { ids, goesOn } = marked.tokens(0, 3)
    expect([...Array.from(ids)]).toEqual([10, 11, 12])
    expect([...Array.from(goesOn ?? [])]).toEqual([0, 1, 0])
    expect(store.tokens(0, 2).goesOn).toBeUndefined()
  })
})
