import { describe, expect, it } from 'vitest'
import { bleuTokens } from '../../src/metrics/bleu-tokenizers.js'
import {
  type BleuOptions,
  type BleuScore,
  type BleuTokenizer,
  type ChrfOptions,
  type ChrfScore,
  corpusBleu,
  corpusChrf,
  corpusRouge,
  corpusTer,
  porterStem,
  type RougeOptions,
  type RougeScores,
  sentenceBleu,
  sentenceChrf,
  sentenceRouge,
  sentenceTer,
  summarizationMetrics,
  type TerOptions,
  type TerScore,
  translationMetrics,
} from '../../src/metrics/index.js'
import { trimEnd } from '../../src/metrics/python-text.js'
import { terWords } from '../../src/metrics/ter.js'
import { readFixture } from './fixtures.js'

/** A corpus score under some options, and the score of every segment. */
type Scored<Score, Options> = Score & { options: Options; sentences: number[] }

/** Precision, recall and F1. */
type Rouge = Record<keyof RougeScores, [number, number, number]>

interface CorpusCase {
  name: string
  hypotheses: string[]
  references: string[][]
  bleu: Scored<BleuScore, BleuOptions>[]
  chrf: Scored<ChrfScore, ChrfOptions>[]
  ter: Scored<TerScore, TerOptions>[]
  rouge: { options: RougeOptions; sentences: Rouge[] }[]
}

const fixture = readFixture<{
  stems: Record<string, string>
  tokenization: { text: string; bleu: Partial<Record<BleuTokenizer, string[]>>; ter: string[] }[]
  corpora: CorpusCase[]
}>('translation-metrics.json')

/** Relative beyond 1: sums of a few logarithms may differ in their last digits. */
const tolerance = 1e-12

/** Checks that every number, list and text of `expected` is the same in `found`, numbers within the tolerance. */
function expectSame(found: unknown, expected: unknown, where: string): void {
  if (typeof found === 'number' && typeof expected === 'number') {
    const allowed = tolerance * Math.max(1, Math.abs(expected))
    expect(Math.abs(found - expected), `${where}: ${found} for ${expected}`).toBeLessThanOrEqual(allowed)
  } else if (typeof expected === 'object') {
    const values = new Map<string, unknown>(Object.entries(Object(found)))
    for (const [key, value] of Object.entries(Object(expected))) expectSame(values.get(key), value, `${where} ${key}`)
  } else expect(found, where).toEqual(expected)
}

/** Our score with sacreBLEU's version in its signature. */
function withVersion<Score extends { signature: string }>(score: Score): Score {
  return { ...score, signature: score.signature.replace(/version:heddle-.*$/, 'version:2.6.0') }
}

describe('sacreBLEU', () => {
  it('cuts text into tokens', () => {
    for (const { text, bleu, ter } of fixture.tokenization) {
      for (const name of ['13a', 'intl', 'zh'] as const)
        expect(bleuTokens(trimEnd(text), name), name).toEqual(bleu[name])
      expect(terWords(text, { normalized: true, asianSupport: true })).toEqual(ter)
    }
  })

  it.each(fixture.corpora)('BLEU: $name', ({ hypotheses, references, bleu }) => {
    for (const { options, sentences, ...expected } of bleu) {
      expectSame(withVersion(corpusBleu(hypotheses, references, options)), expected, JSON.stringify(options))
      const found = hypotheses.map((text, i) => sentenceBleu(text, references[i], options).score)
      expectSame(found, sentences, `sentences ${JSON.stringify(options)}`)
    }
  })

  it.each(fixture.corpora)('chrF: $name', ({ hypotheses, references, chrf }) => {
    for (const { options, sentences, ...expected } of chrf) {
      expectSame(withVersion(corpusChrf(hypotheses, references, options)), expected, JSON.stringify(options))
      const found = hypotheses.map((text, i) => sentenceChrf(text, references[i], options).score)
      expectSame(found, sentences, `sentences ${JSON.stringify(options)}`)
    }
  })

  it.each(fixture.corpora)('TER: $name', ({ hypotheses, references, ter }) => {
    for (const { options, sentences, ...expected } of ter) {
      expectSame(withVersion(corpusTer(hypotheses, references, options)), expected, JSON.stringify(options))
      const found = hypotheses.map((text, i) => sentenceTer(text, references[i], options).score)
      expectSame(found, sentences, `sentences ${JSON.stringify(options)}`)
    }
  })

  it.each([
    ['english, several references', '13a', false],
    ['chinese', 'zh', true],
  ] as const)('all together: %s', (name, tokenize, chinese) => {
    const { hypotheses, references, bleu, chrf, ter } = fixture.corpora.find((corpus) => corpus.name === name)!
    const found = translationMetrics(hypotheses, references)
    const wantedBleu = bleu.find(
      ({ options }) => JSON.stringify(options) === JSON.stringify(chinese ? { tokenize } : {}),
    )!
    const wantedTer = ter.find(
      ({ options: { normalized, noPunctuation, asianSupport, caseSensitive } }) =>
        normalized === chinese && asianSupport === chinese && !noPunctuation && !caseSensitive,
    )!
    const wanted = { bleu: wantedBleu.score, chrf: chrf[0].score, ter: wantedTer.score }
    expectSame(found, wanted, name)
    expect(withVersion({ signature: found.signatures.bleu }).signature).toBe(wantedBleu.signature)
    expect(withVersion({ signature: found.signatures.ter }).signature).toBe(wantedTer.signature)
  })
})

describe('rouge-score', () => {
  it.each(fixture.corpora)('$name', ({ hypotheses, references, rouge }) => {
    for (const { options, sentences } of rouge) {
      const where = JSON.stringify(options)
      for (const [i, expected] of sentences.entries()) {
        const wanted = Object.entries(expected).map(([kind, [precision, recall, f1]]) => [
          kind,
          { precision, recall, f1 },
        ])
        expectSame(sentenceRouge(hypotheses[i], references[i], options), Object.fromEntries(wanted), `${where} ${i}`)
      }
      const meanOf = (kind: keyof RougeScores, part: number) =>
        sentences.reduce((total, scores) => total + scores[kind][part], 0) / sentences.length
      const corpus = corpusRouge(hypotheses, references, options)
      for (const kind of ['rouge1', 'rouge2', 'rougeL', 'rougeLsum'] as const) {
        const wanted = { precision: meanOf(kind, 0), recall: meanOf(kind, 1), f1: meanOf(kind, 2) }
        expectSame(corpus[kind], wanted, `${where} ${kind}`)
      }
    }
  })

  it('all together', () => {
    const { hypotheses, references, rouge } = fixture.corpora.find(({ name }) => name === 'chinese')!
    const { sentences } = rouge.find(({ options }) => options.tokenize === 'characters')!
    const meanOf = (kind: keyof RougeScores) =>
      sentences.reduce((total, scores) => total + scores[kind][2], 0) / sentences.length
    const wanted = { rouge1: meanOf('rouge1'), rouge2: meanOf('rouge2'), rougeL: meanOf('rougeL') }
    expectSame(summarizationMetrics(hypotheses, references), wanted, 'chinese')
  })
})

describe("NLTK's Porter stemmer", () => {
  it('finds the same stems', () => {
    const words = Object.keys(fixture.stems)
    expect(Object.fromEntries(words.map((word) => [word, porterStem(word)]))).toEqual(fixture.stems)
  })
})
