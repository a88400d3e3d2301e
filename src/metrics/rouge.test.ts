import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { corpusRouge, porterStem, sentenceRouge, summarizationMetrics, translationMetrics } from './index.js'

// These are counted by hand; test/parity/translation-metrics.test.ts compares with rouge-score.

describe('ROUGE', () => {
  it('compares words, pairs and the longest common subsequence', () => {
    // Lin 2004, §3: police killed the gunman / police kill the gunman / the gunman kill police.
    const reference = 'police killed the gunman'
    expect(sentenceRouge('police kill the gunman', reference).rougeL.f1).toBe(3 / 4)
    const turned = sentenceRouge('the gunman kill police', reference)
    expect(turned).toMatchObject({ rouge1: { f1: 3 / 4 }, rouge2: { f1: 1 / 3 }, rougeL: { f1: 1 / 2 } })
    const short = sentenceRouge('the gunman', reference)
    expect(short.rouge1).toEqual({ precision: 1, recall: 1 / 2, f1: 2 / 3 })
    expect(short.rouge2).toEqual({ precision: 1, recall: 1 / 3, f1: 1 / 2 })
  })

  it('unites the subsequences of all lines for Lsum', () => {
    // Lin 2004, §3.2: of w1 … w5, the lines share w1 w2 and w1 w3 w5, together four.
    const { rougeLsum, rougeL } = sentenceRouge('w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5', 'w1 w2 w3 w4 w5')
    expect(rougeLsum).toMatchObject({ precision: 4 / 10, recall: 4 / 5 })
    expect(rougeL).toMatchObject({ precision: 4 / 10 })
    // By whole texts, the order of lines matters.
    const lines = sentenceRouge('c d\na b', 'a b\nc d')
    expect([lines.rougeLsum.f1, lines.rougeL.f1]).toEqual([1, 1 / 2])
  })

  it('compares stems where asked', () => {
    expect(sentenceRouge('Killing cats.', 'killed a cat').rouge1.f1).toBe(0)
    // "cats" has four letters, "cat" is left as it is.
    expect(sentenceRouge('Killing cats.', 'killed a cat', { stem: true }).rouge1.recall).toBe(2 / 3)
  })

  it('compares Chinese by characters', () => {
    expect(sentenceRouge('春天来了', '春天来了').rouge1.f1).toBe(0)
    // 春 天 来 了 against 春 天 到 来 了 。
    const found = sentenceRouge('春天来了', '春天 到来了。', { tokenize: 'characters' })
    expect(found.rouge1).toMatchObject({ precision: 1, recall: 4 / 6 })
    expect(found.rouge2).toMatchObject({ precision: 2 / 3, recall: 2 / 5 })
    expect(found.rougeL).toMatchObject({ precision: 1, recall: 4 / 6 })
  })

  it('takes the best reference for each kind', () => {
    const found = sentenceRouge('a b c', ['c b a', 'a b x y'])
    expect(found.rouge1.f1).toBe(1)
    expect(found.rouge2).toEqual({ precision: 1 / 2, recall: 1 / 3, f1: 0.4 })
  })

  it('is 0 where one side is empty', () => {
    for (const [hypothesis, reference] of [
      ['', ''],
      ['', 'a'],
      ['a', ''],
    ]) {
      expect(sentenceRouge(hypothesis, reference)).toMatchObject({ rouge1: { f1: 0 }, rougeLsum: { f1: 0 } })
    }
  })

  it('refuses what does not fit', () => {
    expect(() => sentenceRouge('a', [])).toThrow(/ROUGE: expected a reference for every segment/)
    expect(() => corpusRouge(['a'], [])).toThrow(/one prediction per example, got 1 for 0/)
    expect(() => Reflect.apply(sentenceRouge, undefined, ['a', 'a', { tokenize: 'zh' }])).toThrow(
      /tokenize to be one of words, characters, got zh/,
    )
  })

  it('is 1 for what equals its reference, swaps precision and recall with its sides, and averages texts', () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', 'd', '\n'), { maxLength: 12 })
      .map((words) => `x y ${words.join(' ')}`)
    fc.assert(
      fc.property(text, text, (one, other) => {
        expect(sentenceRouge(one, one)).toMatchObject({ rouge1: { f1: 1 }, rouge2: { f1: 1 }, rougeL: { f1: 1 } })
        const [there, back] = [sentenceRouge(one, other), sentenceRouge(other, one)]
        for (const kind of ['rouge1', 'rouge2', 'rougeL'] as const) {
          expect(there[kind].precision).toBe(back[kind].recall)
          expect(corpusRouge([one, other], [other, other])[kind].recall).toBeCloseTo((there[kind].recall + 1) / 2, 12)
        }
      }),
    )
  })
})

describe("Porter's stemmer", () => {
  it.each([
    // Examples of the paper.
    ['caresses', 'caress'],
    ['plastered', 'plaster'],
    ['sing', 'sing'],
    ['conflated', 'conflat'],
    ['hopping', 'hop'],
    ['filing', 'file'],
    ['happy', 'happi'],
    ['relational', 'relat'],
    ['electrical', 'electr'],
    ['adoption', 'adopt'],
    ['controlling', 'control'],
    // What NLTK adds.
    ['dies', 'die'],
    ['enjoy', 'enjoy'],
    ['skies', 'sky'],
    ['theology', 'theolog'],
    ['Succeed', 'succeed'],
    ['is', 'is'],
  ])('%s: %s', (word, stem) => {
    expect(porterStem(word)).toBe(stem)
  })
})

describe('all scores together', () => {
  it('take Chinese by characters', () => {
    const found = translationMetrics(['今天天气好。'], ['今天天气很好。'])
    // One of seven characters is missing.
    expect(found.ter).toBeCloseTo(100 / 7, 12)
    expect(found.signatures.bleu).toContain('|tok:zh|')
    expect(found.signatures.ter).toContain('|norm:yes|punct:yes|asian:yes|')
    expect(summarizationMetrics(['今天天气好。'], ['今天天气很好。']).rouge1).toBeCloseTo(12 / 13, 12)
  })

  it('take the rest by words, upper and lower case apart where not asked otherwise', () => {
    const [hypotheses, references] = [['The Cat Sat On It'], [['the cat sat on it', 'something else']]]
    const found = translationMetrics(hypotheses, references)
    expect(found).toMatchObject({ bleu: 0, ter: 0 })
    expect(found.signatures.bleu).toMatch(/^nrefs:2\|case:mixed\|eff:no\|tok:13a\|/)
    expect(translationMetrics(hypotheses, references, { lowercase: true }).bleu).toBeCloseTo(100, 10)
    expect(translationMetrics(hypotheses, references, { tokenize: 'char' }).signatures.bleu).toContain('|tok:char|')
    expect(summarizationMetrics(['killing'], ['killed'])).toEqual({ rouge1: 0, rouge2: 0, rougeL: 0 })
    expect(summarizationMetrics(['killing'], ['killed'], { stem: true }).rouge1).toBe(1)
  })
})
