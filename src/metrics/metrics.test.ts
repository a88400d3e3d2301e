import { describe, expect, it } from 'vitest'
import { exactMatch, normalizeAnswer, wordF1 } from './answers.js'
import { classificationMetrics } from './classification.js'

describe('classificationMetrics', () => {
  // scikit-learn 1.9.1: accuracy_score, precision_score, recall_score, f1_score, f1_score(average='macro'),
  // matthews_corrcoef, with zero_division=0.
  it('equals scikit-learn on two labels', () => {
    const found = classificationMetrics([0, 1, 1, 0, 1, 1, 0, 1], [0, 1, 0, 0, 1, 1, 1, 1], 2)
    const expected = {
      accuracy: 0.75,
      precision: 0.8,
      recall: 0.8,
      f1: 0.8,
      macroF1: 0.7333333333333334,
      matthews: 0.4666666666666667,
    }
    for (const [name, value] of Object.entries(expected))
      expect(found[name as keyof typeof found]).toBeCloseTo(value, 14)
  })

  it('equals scikit-learn on four labels of which one never occurs', () => {
    const found = classificationMetrics([0, 1, 2, 2, 1, 0, 2, 1, 0, 2], [0, 2, 2, 1, 1, 0, 2, 1, 2, 2], 4)
    expect(found.accuracy).toBeCloseTo(0.7, 14)
    expect(found.macroF1).toBeCloseTo(0.53333333333333333, 14)
    expect(found.matthews).toBeCloseTo(0.5471422245456321, 14)
  })

  it('is 0 where nothing can be divided', () => {
    expect(classificationMetrics([1, 1], [0, 0], 2)).toMatchObject({ precision: 0, recall: 0, f1: 0, matthews: 0 })
  })
})

describe('answers', () => {
  it("normalizes as SQuAD's script does", () => {
    expect(normalizeAnswer('  The "Broncos\' defence", an A-team! ')).toBe('broncos defence ateam')
  })

  it('counts shared words', () => {
    expect(exactMatch('The cat.', 'cat')).toBe(1)
    expect(exactMatch('cats', 'cat')).toBe(0)
    expect(wordF1('the big red cat', 'big cat cat')).toBeCloseTo((2 * (2 / 3) * (2 / 3)) / (2 / 3 + 2 / 3), 14)
    expect(wordF1('', 'x')).toBe(0)
    expect(wordF1('', 'the')).toBe(1)
  })
})
