import { describe, expect, it } from 'vitest'
import {
  bestNoAnswerThreshold,
  classificationMetrics,
  cmrcMetrics,
  entityMetrics,
  entityScores,
  exactMatch,
  labelScores,
  looseEntities,
  mixedSegments,
  multiLabelMetrics,
  normalizeAnswer,
  pearson,
  perplexity,
  regressionMetrics,
  spearman,
  squad2Metrics,
  squadMetrics,
  wordF1,
} from './index.js'

// These are counted by hand; test/parity/metrics.test.ts compares with the reference implementations.

describe('classification', () => {
  it('takes the second of two labels for the positive one', () => {
    // Three positives, of which two are found; three predicted.
    expect(classificationMetrics([1, 1, 1, 0, 0], [1, 1, 0, 1, 0], 2)).toMatchObject({
      accuracy: 3 / 5,
      precision: 2 / 3,
      recall: 2 / 3,
      f1: 2 / 3,
    })
  })

  it('counts a label that never occurs as 0 in macro averages', () => {
    const found = classificationMetrics([0, 1], [0, 1], 4)
    expect(found).toMatchObject({
      accuracy: 1,
      f1: 1,
      macroPrecision: 0.5,
      macroRecall: 0.5,
      macroF1: 0.5,
      matthews: 1,
    })
    expect(labelScores([0, 1], [0, 1], 4)[3]).toEqual({ precision: 0, recall: 0, f1: 0, support: 0 })
  })

  it('is 0 where nothing can be divided', () => {
    expect(classificationMetrics([1, 1], [0, 0], 2)).toMatchObject({ precision: 0, recall: 0, f1: 0, matthews: 0 })
    expect(classificationMetrics([], [], 3)).toMatchObject({ accuracy: 0, f1: 0, macroF1: 0, matthews: 0 })
  })

  it('takes a set of labels as one answer for its accuracy', () => {
    const found = multiLabelMetrics([[0, 1], [2], []], [[1, 0], [], []], 3)
    expect(found.accuracy).toBeCloseTo(2 / 3, 15)
    expect(found).toMatchObject({ precision: 1, recall: 2 / 3, f1: 0.8, macroF1: 2 / 3 })
  })

  it('refuses labels and lengths that do not fit', () => {
    expect(() => classificationMetrics([0, 1], [0], 2)).toThrow(/one prediction per example, got 1 for 2/)
    expect(() => classificationMetrics([0, 2], [0, 1], 2)).toThrow(/labels from 0 to 1, got 2/)
    expect(() => classificationMetrics([0, 1], [0, -1], 2)).toThrow(/labels from 0 to 1, got -1/)
    expect(() => multiLabelMetrics([[0]], [[3]], 3)).toThrow(/labels from 0 to 2, got 3/)
  })
})

describe('regression', () => {
  it('measures the error and both correlations', () => {
    // Ranks 1 2 3 4 and 1 3 2 4: 1 − 6·2 / (4·15) = 0.8.
    const found = regressionMetrics([1, 2, 3, 4], [10, 30, 20, 40])
    expect(found.spearman).toBeCloseTo(0.8, 15)
    expect(found.meanSquaredError).toBe((9 ** 2 + 28 ** 2 + 17 ** 2 + 36 ** 2) / 4)
    expect(pearson([1, 2, 3], [5, 3, 1])).toBeCloseTo(-1, 15)
  })

  it('gives equal values the mean of their ranks', () => {
    expect(spearman([1, 2, 2, 3], [5, 7, 7, 9])).toBeCloseTo(1, 15)
    // Ranks 1 2.5 2.5 4 and 1 2 3 4: 4.5 / √(4.5·5).
    expect(spearman([1, 2, 2, 3], [1, 2, 3, 4])).toBeCloseTo(4.5 / Math.sqrt(22.5), 15)
  })

  it('is not a number where the correlation is not defined', () => {
    expect(pearson([1], [2])).toBeNaN()
    expect(spearman([1, 2, Number.NaN], [1, 2, 3])).toBeNaN()
    expect(() => pearson([1, 2], [1])).toThrow(/got 1 for 2/)
  })

  it('is the number of tokens that are equally likely', () => {
    expect(perplexity(Math.log(50257))).toBeCloseTo(50257, 6)
  })
})

describe('entities', () => {
  const expected = [['B-LOC', 'I-LOC', 'O', 'B-PER'], ['O']]
  const predicted = [['I-LOC', 'I-LOC', 'O', 'B-LOC'], ['B-PER']]

  it('reads broken tags as conlleval, or not at all where that is strict', () => {
    expect(entityMetrics(expected, predicted)).toMatchObject({
      accuracy: 2 / 5,
      precision: 1 / 3,
      recall: 0.5,
      f1: 0.4,
    })
    expect(entityMetrics(expected, predicted, { strict: 'BIO' })).toMatchObject({ precision: 0, recall: 0, f1: 0 })
    expect(entityScores(expected, predicted)).toEqual({
      LOC: { precision: 0.5, recall: 1, f1: 2 / 3, support: 1 },
      PER: { precision: 0, recall: 0, f1: 0, support: 1 },
    })
  })

  it('knows the letters of every scheme', () => {
    const entities = [
      { type: 'A', start: 0, end: 3 },
      { type: 'A', start: 3, end: 4 },
    ]
    expect(looseEntities(['B-A', 'M-A', 'E-A', 'S-A'])).toEqual(entities)
    expect(looseEntities(['B-A', 'I-A', 'L-A', 'U-A'])).toEqual(entities)
    expect(looseEntities(['I-A', 'I-A', 'I-A', 'B-A'])).toEqual(entities)
  })

  it('does not confuse sentences of different lengths', () => {
    expect(() => entityMetrics([['O', 'O']], [['O']])).toThrow(/sentence 0: expected one prediction per example/)
    expect(() => entityMetrics([['O']], [])).toThrow(/got 0 for 1/)
    expect(() => entityMetrics([['M-A']], [['O']], { strict: 'BIO' })).toThrow(/tag 'M-A'.*BIO/)
  })

  it('is 0 of no sentences', () => {
    expect(entityMetrics([], [])).toMatchObject({ accuracy: 0, precision: 0, f1: 0, macroF1: 0 })
  })
})

describe('answers', () => {
  it("normalizes as SQuAD's script does", () => {
    expect(normalizeAnswer('  The "Broncos\' defence", an A-team! ')).toBe('broncos defence ateam')
    // Letters beyond ASCII are parts of words too: the a of "ça" is no article.
    expect(normalizeAnswer('Ça va, à la theatre a')).toBe('ça va à la theatre')
  })

  it('counts shared words', () => {
    expect(exactMatch('The cat.', 'cat')).toBe(1)
    expect(exactMatch('cats', 'cat')).toBe(0)
    expect(wordF1('the big red cat', 'big cat cat')).toBeCloseTo((2 * (2 / 3) * (2 / 3)) / (2 / 3 + 2 / 3), 14)
    expect(wordF1('', 'x')).toBe(0)
    expect(wordF1('', 'the')).toBe(1)
  })

  it('takes the best of several answers', () => {
    const questions = [
      { predicted: 'red cat', answers: ['dog', 'cat', 'a red fox'] },
      { predicted: 'dog', answers: ['the dog'] },
    ]
    expect(squadMetrics(questions)).toEqual({ exactMatch: 0.5, f1: (2 / 3 + 1) / 2 })
    expect(() => squadMetrics([{ predicted: '', answers: [] }])).toThrow(
      /an answer to every question, got none to question 0/,
    )
  })

  it('finds a question without an answer right where none is predicted', () => {
    const questions = [
      { predicted: 'cat', answers: ['cat'], noAnswerProbability: 0.2 },
      { predicted: 'dog', answers: [], noAnswerProbability: 0.9 },
      { predicted: '', answers: [], noAnswerProbability: 0.6 },
    ]
    expect(squad2Metrics(questions)).toEqual({
      exactMatch: 2 / 3,
      f1: 2 / 3,
      hasAnswerExactMatch: 1,
      hasAnswerF1: 1,
      hasAnswerTotal: 1,
      noAnswerExactMatch: 0.5,
      noAnswerF1: 0.5,
      noAnswerTotal: 2,
    })
    const best = bestNoAnswerThreshold(questions, 'f1')
    expect(best).toEqual({ threshold: 0.2, score: 1 })
    expect(squad2Metrics(questions, { noAnswerThreshold: best.threshold }).f1).toBe(1)
    expect(squad2Metrics(questions.slice(0, 1))).not.toHaveProperty('noAnswerTotal')
  })

  it('compares Chinese by the longest run of characters and English words', () => {
    expect(mixedSegments('《Hello World》是1,000句。')).toEqual(['hello', 'world', '是', '1,000', '句'])
    const questions = [{ predicted: '在北京的大学。', answers: ['北京大学', '上海'] }]
    // 北京 is the longest run that 在北京的大学 (6) shares with 北京大学 (4); as a subsequence it would be 4.
    expect(cmrcMetrics(questions)).toEqual({ exactMatch: 0, f1: 4 / 10 })
    expect(cmrcMetrics([{ predicted: ' 北京大学。', answers: ['《北京大学》'] }])).toEqual({ exactMatch: 1, f1: 1 })
    expect(cmrcMetrics([{ predicted: '', answers: ['。'] }])).toEqual({ exactMatch: 1, f1: 0 })
    expect(cmrcMetrics([])).toEqual({ exactMatch: 0, f1: 0 })
  })
})
