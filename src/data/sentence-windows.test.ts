import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { border, numberedDocuments, storeOf } from './sentence-store.testing.js'
import { type SentenceWindowOptions, SentenceWindows } from './sentence-windows.js'

function windowsOf(documents: number[][][], options: SentenceWindowOptions): number[][] {
  const windows = new SentenceWindows(storeOf(documents), options)
  return Array.from({ length: windows.count }, (_, i) => Array.from(windows.sequence(i).first.ids))
}

describe('SentenceWindows', () => {
  const documents = [[[10, 11], [12], [13, 14]], [[20], [21, 22]], [[30, 31, 32, 33, 34, 35, 36, 37, 38]]]

  it('fill up with whole sentences across documents, with the separator between', () => {
    expect(windowsOf(documents, { length: 4 })).toEqual([
      [10, 11, 12],
      [13, 14, border, 20],
      [21, 22],
      [30, 31, 32, 33],
      [34, 35, 36, 37],
      [38],
    ])
  })

  it('end with their document without packing', () => {
    expect(windowsOf(documents, { length: 7, packing: false })).toEqual([
      [10, 11, 12, 13, 14],
      [20, 21, 22],
      [30, 31, 32, 33, 34, 35, 36],
      [37, 38],
    ])
  })

  it('know where their sentences begin, separators among them', () => {
    const windows = new SentenceWindows(storeOf(documents), { length: 6 })
    const all = Array.from({ length: windows.count }, (_, i) => windows.sentenceStarts(i))
    // [10 11 | 12 | 13 14 | border], [20 | 21 22], and the long sentence in two.
    expect(windowsOf(documents, { length: 6 }).map((window) => window.length)).toEqual([5, 3, 6, 3])
    expect(all).toEqual([[0, 2, 3], [0, 1], [0], [0]])
    const across = new SentenceWindows(storeOf(documents.slice(0, 2)), { length: 9 })
    expect(across.sentenceStarts(0)).toEqual([0, 2, 3, 5, 6, 7])
  })

  it('hold every token once, in order, and are cut between sentences where these fit', () => {
    const sizes = fc.array(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 }), { minLength: 1 })
    fc.assert(
      fc.property(sizes, fc.integer({ min: 2, max: 9 }), fc.boolean(), (given, length, packing) => {
        const all = numberedDocuments(given)
        const windows = windowsOf(all, { length, packing })
        expect(windows.flat().filter((id) => id !== border)).toEqual(all.flat(2))
        const firsts = new Set(all.flatMap((document) => document.map(([first]) => first)))
        const sentenceOf = new Map(all.flat().flatMap((sentence) => sentence.map((id) => [id, sentence])))
        for (const [i, window] of windows.entries()) {
          expect(window.length).toBeLessThanOrEqual(length)
          expect([window[0], window.at(-1)]).not.toContain(border)
          if (!packing) expect(window).not.toContain(border)
          const isCut = !firsts.has(window[0])
          if (isCut) expect(sentenceOf.get(window[0])?.length).toBeGreaterThan(length)
          // The first sentence of the next window would not have fitted in.
          const [next] = windows[i + 1] ?? []
          if (next === undefined || !firsts.has(next)) continue
          const crosses = Math.floor(next / 100_000) > Math.floor(window[0] / 100_000)
          const separators = Math.floor(next / 100_000) - Math.floor(window.at(-1)! / 100_000)
          if (crosses && !packing) continue
          expect(window.length + separators + sentenceOf.get(next)!.length).toBeGreaterThan(length)
        }
      }),
    )
  })
})
