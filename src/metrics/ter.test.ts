import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editsWithShifts } from './edit-rate.js'
import { corpusTer, sentenceTer } from './index.js'
import { terWords } from './ter.js'

// These are counted by hand; test/parity/translation-metrics.test.ts compares with sacreBLEU.

const edits = (hypothesis: string, reference: string) =>
  editsWithShifts(hypothesis.split(' ').filter(Boolean), reference.split(' ').filter(Boolean))

/** Edits without shifts, over the whole table. */
function levenshtein(a: string[], b: string[]): number {
  if (a.length === 0 || b.length === 0) return a.length + b.length
  const [rest, other] = [a.slice(1), b.slice(1)]
  if (a[0] === b[0]) return levenshtein(rest, other)
  return 1 + Math.min(levenshtein(rest, other), levenshtein(rest, b), levenshtein(a, other))
}

describe('TER', () => {
  it('counts a run of words that moved as one edit', () => {
    // Snover et al. 2006, §2.1: two shifts, one substitution, one insertion.
    const reference = 'saudi arabia denied this week information published in the american new york times'
    const hypothesis = 'this week the saudis denied information published in the new york times'
    expect(edits(hypothesis, reference)).toBe(4)
    expect(edits('c d e a b', 'a b c d e')).toBe(1)
    expect(edits('a b c d', 'd c b a')).toBe(3)
  })

  it('moves no more than ten words at once and none farther than fifty places', () => {
    const letters = (from: number, count: number) => Array.from({ length: count }, (_, i) => `w${from + i}`).join(' ')
    const swapped = (first: number, second: number) =>
      edits(`${letters(0, first)} ${letters(first, second)}`, `${letters(first, second)} ${letters(0, first)}`)
    expect(swapped(10, 30)).toBe(1)
    expect(swapped(11, 11)).toBe(2)
    expect(swapped(1, 50)).toBe(1)
    // Too far: one word less here, one more there.
    expect(swapped(1, 51)).toBe(2)
  })

  it('is what share of the reference the edits are, of several the least edits and the mean length', () => {
    expect(sentenceTer('a b c', 'a b d e').score).toBe(50)
    expect(sentenceTer('a b c', ['x y z w v', 'a b c d e', 'a']).score).toBeCloseTo((100 * 2) / (11 / 3), 12)
    expect(corpusTer(['a b', 'c'], ['a b', 'd e']).score).toBe(50)
  })

  it('is 100 for words where none are wanted and for none where some are', () => {
    expect(sentenceTer('', '').score).toBe(0)
    expect(sentenceTer('a b', '').score).toBe(100)
    expect(sentenceTer('', 'a b').score).toBe(100)
  })

  it('cuts text as its options say', () => {
    expect(terWords('It’s Tom\'s "3.5", A-B.', {})).toEqual(['it’s', "tom's", '"3.5",', 'a-b.'])
    expect(terWords('It is Tom\'s "3.5", A-B.', { normalized: true, caseSensitive: true })).toEqual(
      'It is Tom \'s " 3.5 " , A-B .'.split(' '),
    )
    expect(terWords('Yes, (no)!', { noPunctuation: true })).toEqual(['yes', 'no'])
    expect(terWords('你好，GPU。', { normalized: true })).toEqual(['你好，gpu。'])
    expect(terWords('你好，GPUひら。', { normalized: true, asianSupport: true })).toEqual(
      '你 好 ， gpuひら 。'.split(' '),
    )
    expect(terWords('你好，「GPU」。', { noPunctuation: true, asianSupport: true })).toEqual(['你好gpu'])
    expect(sentenceTer('a', 'a', { asianSupport: true, noPunctuation: true }).signature).toMatch(
      /^nrefs:1\|case:lc\|tok:tercom\|norm:no\|punct:no\|asian:yes\|version:heddle-/,
    )
  })

  it('is never above the edit distance, never below the words that only one side has, and 0 only for equal words', () => {
    const words = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 6 })
    fc.assert(
      fc.property(words, words, (hypothesis, reference) => {
        const found = editsWithShifts(hypothesis, reference)
        expect(found).toBeLessThanOrEqual(levenshtein(hypothesis, reference))
        expect(found).toBeGreaterThanOrEqual(Math.abs(hypothesis.length - reference.length))
        expect(found === 0).toBe(hypothesis.join() === reference.join())
      }),
    )
  })

  it('does not depend on the order of segments', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 7 }).map((words) => words.join(' '))
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 5 }), (rows) => {
        const [hypotheses, references] = [rows.map(([one]) => one), rows.map(([, other]) => other)]
        const { score } = corpusTer(hypotheses, references)
        expect(corpusTer(hypotheses.toReversed(), references.toReversed()).score).toBe(score)
      }),
    )
  })
})
