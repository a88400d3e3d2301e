import { describe, expect, it } from 'vitest'
import { extractEntities, type TagScheme } from '../../src/data/tag-scheme.js'
import {
  type AnsweredQuestion,
  type AnswerMetrics,
  bestNoAnswerThreshold,
  classificationMetrics,
  cmrcMetrics,
  entityMetrics,
  entityScores,
  type LabelScores,
  labelScores,
  looseEntities,
  mixedSegments,
  multiLabelMetrics,
  multiLabelScores,
  normalizeAnswer,
  normalizeChinese,
  type PrecisionRecallF1,
  regressionMetrics,
  type Squad2Metrics,
  type Squad2Question,
  squad2Metrics,
  squadMetrics,
} from '../../src/metrics/index.js'
import { readFixture } from './fixtures.js'

interface Averages {
  micro: PrecisionRecallF1
  macro: { macroPrecision: number; macroRecall: number; macroF1: number }
  each: LabelScores[]
}

interface LabelCase<Label> extends Averages {
  expected: Label[]
  predicted: Label[]
  labels: number
  accuracy: number
}

interface EntityCase {
  scheme: TagScheme
  expected: string[][]
  predicted: string[][]
  accuracy: number
  loose: Averages & { types: string[] }
  strict: Averages & { types: string[] }
  looseEntities: [string, number, number][][]
  strictEntities: [string, number, number][][]
}

interface AnswerCase extends AnswerMetrics {
  questions: AnsweredQuestion[]
}

interface Squad2Case {
  questions: Squad2Question[]
  threshold: number
  expected: Squad2Metrics
  best: Record<'exactMatch' | 'f1', { threshold: number; score: number }>
}

const fixture = readFixture<{
  classification: (LabelCase<number> & { matthews: number; binary?: PrecisionRecallF1 })[]
  multiLabel: LabelCase<number[]>[]
  regression: { expected: number[]; predicted: number[]; [metric: string]: number | null | number[] }[]
  entities: EntityCase[]
  normalization: { text: string; normalized: string }[]
  squad: AnswerCase[]
  squad2: Squad2Case[]
  segmentation: { text: string; segments: string[]; normalized: string }[]
  cmrc: AnswerCase[]
}>('metrics.json')

/** Checks that two objects of numbers have the same keys and, within 1e-12, the same values; null is not a number. */
function expectSame(found: object, expected: object): void {
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort())
  const wanted = new Map<string, unknown>(Object.entries(expected))
  for (const [name, value] of Object.entries(found)) {
    const other = wanted.get(name) ?? Number.NaN
    if (typeof value === 'object') expectSame(value, Object(other))
    else if (Number.isNaN(other)) expect(value, name).toBeNaN()
    else expect(Math.abs(value - Number(other)), `${name} ${value} for ${other}`).toBeLessThanOrEqual(1e-12)
  }
}

describe('scikit-learn and scipy', () => {
  it.each(fixture.classification)('classification, case %#', (given) => {
    const { expected, predicted, labels, accuracy, matthews, micro, macro, each, binary } = given
    const found = classificationMetrics(expected, predicted, labels)
    expectSame(found, { accuracy, matthews, ...(binary ?? micro), ...macro })
    expectSame(labelScores(expected, predicted, labels), each)
  })

  it.each(fixture.multiLabel)(
    'sets of labels, case %#',
    ({ expected, predicted, labels, accuracy, micro, macro, each }) => {
      expectSame(multiLabelMetrics(expected, predicted, labels), { accuracy, ...micro, ...macro })
      expectSame(multiLabelScores(expected, predicted, labels), each)
    },
  )

  it.each(fixture.regression)('regression, case %#', ({ expected, predicted, ...metrics }) => {
    expectSame(regressionMetrics(expected, predicted), metrics)
  })
})

describe('seqeval', () => {
  const tuples = (entities: { type: string; start: number; end: number }[]) =>
    entities.map(({ type, start, end }) => [type, start, end])

  it.each(fixture.entities)('entities of $scheme, case %#', ({ scheme, expected, predicted, accuracy, ...given }) => {
    for (const [mode, options] of [['loose', {}] as const, ['strict', { strict: scheme }] as const]) {
      const { micro, macro, each, types } = given[mode]
      expectSame(entityMetrics(expected, predicted, options), { accuracy, ...micro, ...macro })
      const perType = entityScores(expected, predicted, options)
      expect(Object.keys(perType)).toEqual(types)
      expectSame(Object.values(perType), each)
    }
    expect(predicted.map((tags) => tuples(looseEntities(tags)))).toEqual(given.looseEntities)
    expect(predicted.map((tags) => tuples(extractEntities(tags, scheme)))).toEqual(given.strictEntities)
  })
})

describe('the script of SQuAD 1.1 and 2.0', () => {
  it('normalizes', () => {
    for (const { text, normalized } of fixture.normalization) expect(normalizeAnswer(text)).toBe(normalized)
  })

  it.each(fixture.squad)('1.1, case %#', ({ questions, exactMatch, f1 }) => {
    expectSame(squadMetrics(questions), { exactMatch, f1 })
  })

  it.each(fixture.squad2)('2.0, case %#', ({ questions, threshold, expected, best }) => {
    expectSame(squad2Metrics(questions, { noAnswerThreshold: threshold }), expected)
    for (const metric of ['exactMatch', 'f1'] as const)
      expectSame(bestNoAnswerThreshold(questions, metric), best[metric])
  })
})

describe('the script of CMRC 2018', () => {
  it('normalizes and cuts into segments', () => {
    for (const { text, segments, normalized } of fixture.segmentation) {
      expect(mixedSegments(text)).toEqual(segments)
      expect(normalizeChinese(text)).toBe(normalized)
    }
  })

  it.each(fixture.cmrc)('case %#', ({ questions, exactMatch, f1 }) => {
    expectSame(cmrcMetrics(questions), { exactMatch, f1 })
  })
})
