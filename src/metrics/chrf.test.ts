import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { corpusChrf, sentenceChrf } from './index.js'

// These are counted by hand; test/parity/translation-metrics.test.ts compares with sacreBLEU.

describe('chrF', () => {
  it('averages precision and recall of the orders that both sides have', () => {
    // abc and abd: 2 of 3 characters, 1 of 2 pairs, 0 of 1 triple.
    expect(sentenceChrf('abc', 'abd').score).toBeCloseTo((100 * (2 / 3 + 1 / 2)) / 3, 12)
    // ab and abcd: precision 1 and 1, recall 2/4 and 1/3.
    const recall = (2 / 4 + 1 / 3) / 2
    expect(sentenceChrf('ab', 'abcd').score).toBeCloseTo((100 * 5 * recall) / (4 + recall), 12)
    expect(sentenceChrf('ab', 'abcd', { beta: 1 }).score).toBeCloseTo((100 * 2 * recall) / (1 + recall), 12)
  })

  it('counts characters, whatever they are made of', () => {
    expect(sentenceChrf('😀你', '😀好', { characterOrder: 1 }).score).toBeCloseTo(50, 12)
  })

  it('counts words without the punctuation around them', () => {
    const options = { characterOrder: 1, wordOrder: 1 }
    // (hi) and hi!: 2 of 4 characters, of 3 wanted; no word of "(hi" ")" is one of "hi" "!".
    const [precision, recall] = [(2 / 4 + 0) / 2, (2 / 3 + 0) / 2]
    expect(sentenceChrf('(hi)', 'hi!', options).score).toBeCloseTo(
      (500 * precision * recall) / (4 * precision + recall),
      12,
    )
    // Two of three characters and two of the words a , b.
    expect(sentenceChrf('a, b', 'b a.', options).score).toBeCloseTo(100 * (2 / 3), 12)
  })

  it('has options for spaces, case and smoothing', () => {
    expect(sentenceChrf('a b', 'ab').score).toBe(100)
    expect(sentenceChrf('a b', 'ab', { whitespace: true }).score).toBeLessThan(100)
    expect(sentenceChrf('ÀB', 'àb').score).toBe(0)
    expect(sentenceChrf('ÀB', 'àb', { lowercase: true }).score).toBe(100)
    // One character each: five of six orders have no n-grams.
    expect(sentenceChrf('a', 'a', { epsilonSmoothing: true }).score).toBeCloseTo(100 / 6, 10)
  })

  it('takes the best reference of each segment', () => {
    const best = sentenceChrf('the cat', ['a dog', 'the cat', 'the cats'])
    expect(best.score).toBe(100)
    expect(best.signature).toMatch(/^nrefs:3\|case:mixed\|eff:yes\|nc:6\|nw:0\|space:no\|version:heddle-/)
  })

  it('is 0 where one side is empty', () => {
    for (const [hypothesis, reference] of [
      ['', ''],
      ['', 'a'],
      ['a', ' '],
    ]) {
      expect(sentenceChrf(hypothesis, reference, { wordOrder: 2 }).score).toBe(0)
    }
  })

  it('is 100 for what equals its reference, and does not depend on the order of segments', () => {
    const text = fc.stringMatching(/^[abc你😀 ]{0,9}x$/u)
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 5 }), (rows) => {
        const [hypotheses, references] = [rows.map(([one]) => one), rows.map(([, other]) => other)]
        const options = { wordOrder: 2 }
        expect(corpusChrf(hypotheses, hypotheses, options).score).toBeCloseTo(100, 9)
        const { score } = corpusChrf(hypotheses, references, options)
        expect(corpusChrf(hypotheses.toReversed(), references.toReversed(), options).score).toBeCloseTo(score, 9)
        expect(score).toBeGreaterThan(0)
        expect(score).toBeLessThan(100.000001)
      }),
    )
  })
})
