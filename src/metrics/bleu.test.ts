import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bleuTokenizerFor, bleuTokens, isMostlyChinese } from './bleu-tokenizers.js'
import { corpusBleu, sentenceBleu } from './index.js'

// These are counted by hand; test/parity/translation-metrics.test.ts compares with sacreBLEU.

const segment = fc
  .array(fc.constantFrom('the', 'a', 'cat', 'sat', 'on', 'mat', '猫', '😀'), { minLength: 5, maxLength: 9 })
  .map((words) => words.join(' '))

describe('BLEU', () => {
  it('counts a word as often as one reference has it', () => {
    // Papineni et al. 2002, §2.1: "the" occurs twice in the first reference.
    const found = sentenceBleu('the the the the the the the', ['the cat is on the mat', 'there is a cat on the mat'])
    expect(found).toMatchObject({ counts: [2, 0, 0, 0], totals: [7, 6, 5, 4], referenceLength: 7, brevityPenalty: 1 })
    // Smoothed: ½ of 6, ¼ of 5, ⅛ of 4.
    expect(found.score).toBeCloseTo(100 * ((2 / 7) * (0.5 / 6) * (0.25 / 5) * (0.125 / 4)) ** 0.25, 10)
  })

  it('adds up segments before it divides, and punishes what is too short', () => {
    const { score, precisions, brevityPenalty } = corpusBleu(['a b c d', 'x y z w'], ['a b c d e f', 'x y z w v u'])
    expect(precisions).toEqual([100, 100, 100, 100])
    expect(brevityPenalty).toBeCloseTo(Math.exp(1 - 12 / 8), 15)
    expect(score).toBeCloseTo(100 * brevityPenalty, 10)
  })

  it('smooths as asked', () => {
    // Of a b c d e: 3 words, 2 pairs, 1 triple match, no quadruple of 2.
    const score = (options: Parameters<typeof sentenceBleu>[2]) => sentenceBleu('a b c y z', 'a b c d e', options).score
    expect(score({ smoothMethod: 'none' })).toBe(0)
    expect(score({ smoothMethod: 'exp' })).toBeCloseTo(100 * ((3 / 5) * (2 / 4) * (1 / 3) * (0.5 / 2)) ** 0.25, 10)
    expect(score({ smoothMethod: 'floor' })).toBeCloseTo(100 * ((3 / 5) * (2 / 4) * (1 / 3) * (0.1 / 2)) ** 0.25, 10)
    expect(score({ smoothMethod: 'add-k' })).toBeCloseTo(100 * ((3 / 5) * (3 / 5) * (2 / 4) * (1 / 3)) ** 0.25, 10)
    expect(score({ smoothMethod: 'add-k', smoothValue: 3 })).toBeCloseTo(
      100 * ((3 / 5) * (5 / 7) * (4 / 6) * (3 / 5)) ** 0.25,
      10,
    )
  })

  it('leaves out orders that a sentence is too short for, a corpus only where asked', () => {
    expect(sentenceBleu('你好', '你好', { tokenize: 'zh' }).score).toBeCloseTo(100, 10)
    expect(sentenceBleu('你好', '你好', { tokenize: 'zh', effectiveOrder: false }).score).toBe(0)
    expect(corpusBleu(['你好'], ['你好'], { tokenize: 'zh' }).score).toBe(0)
  })

  it('is 0 for empty hypotheses and references', () => {
    for (const [hypothesis, reference] of [
      ['', ''],
      ['', 'a b'],
      ['a b', ''],
    ]) {
      expect(sentenceBleu(hypothesis, reference).score).toBe(0)
    }
  })

  it('says how it was computed', () => {
    const { version }: { version: string } = JSON.parse(
      readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
    )
    expect(corpusBleu(['a'], ['a']).signature).toBe(
      `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:heddle-${version}`,
    )
    expect(
      corpusBleu(['a', 'b'], ['a', ['b', 'c']], { tokenize: 'zh', lowercase: true, smoothMethod: 'floor' }).signature,
    ).toMatch(/^nrefs:var\|case:lc\|eff:no\|tok:zh\|smooth:floor\[0\.10\]\|version:/)
  })

  it('refuses what does not fit', () => {
    expect(() => corpusBleu(['a'], ['a', 'b'])).toThrow(/BLEU: expected one prediction per example, got 1 for 2/)
    expect(() => corpusBleu([], [])).toThrow(/at least one segment to score, got none/)
    expect(() => corpusBleu(['a', 'b'], ['a', []])).toThrow(/a reference for every segment, got none for segment 1/)
    const tokenize: string = 'ja-mecab'
    expect(() => Reflect.apply(corpusBleu, undefined, [['a'], ['a'], { tokenize }])).toThrow(
      /tokenize to be one of 13a, intl, zh, char, none, got ja-mecab/,
    )
    expect(() => Reflect.apply(corpusBleu, undefined, [['a'], ['a'], { smoothMethod: 'toString' }])).toThrow(
      /smoothMethod to be one of none, floor, add-k, exp, got toString/,
    )
  })

  it('is 100 for what equals its reference, and does not depend on the order of segments or references', () => {
    const pairs = fc.array(fc.tuple(segment, segment, segment), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(pairs, (rows) => {
        const texts = rows.map(([text]) => text)
        expect(corpusBleu(texts, texts, { tokenize: 'zh' }).score).toBeCloseTo(100, 9)
        const score = (shown: typeof rows, turn: boolean) =>
          corpusBleu(
            shown.map(([text]) => text),
            shown.map(([, one, other]) => (turn ? [other, one] : [one, other])),
          ).score
        expect(score(rows.toReversed(), true)).toBeCloseTo(score(rows, false), 9)
      }),
    )
  })
})

describe("BLEU's tokenizers", () => {
  it.each([
    [
      '13a',
      'It’s $3.50, "ok"—1990-95; a.b 1,000. &quot;x&quot;',
      'It’s $ 3.50 , " ok " —1990 - 95 ; a . b 1,000 . " x "',
    ],
    ['intl', 'It’s $3.50, «ok»€ 5.', 'It ’ s $ 3.50 , « ok » € 5.'],
    ['zh', '我用GPU，跑3.5小时。𠀀𠀁', '我 用 GPU ， 跑 3.5 小 时 。 𠀀𠀁'],
    ['char', 'a 你😀.', 'a 你 😀 .'],
    ['none', ' a,  b.\u00a0c ', 'a, b. c'],
  ] as const)('%s', (name, line, tokens) => {
    expect(bleuTokens(line, name).join(' ')).toBe(tokens)
  })

  it('are chosen by language', () => {
    for (const code of ['zh', 'zh-CN', 'ZH_tw', 'zho_Hans', 'cmn', 'yue']) expect(bleuTokenizerFor(code)).toBe('zh')
    for (const code of ['en', 'de-AT', 'zha', 'ja', '']) expect(bleuTokenizerFor(code)).toBe('13a')
  })

  it('are chosen by text', () => {
    expect(isMostlyChinese(['他在2024年用了 GPU，跑得很快。', 'OK'])).toBe(true)
    expect(isMostlyChinese(['The word 你好 means hello.'])).toBe(false)
    expect(isMostlyChinese(['東京都庁舎で会議を行った。'])).toBe(false)
    expect(isMostlyChinese(['', '123'])).toBe(false)
  })
})
