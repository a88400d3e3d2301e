import { describe, expect, it } from 'vitest'
import { compare, median, quantile } from '../../bench/statistics.js'

describe('quantile', () => {
  // numpy.quantile([7, 1, 3, 12], p), whose default is the same definition.
  it.each([
    [0, 1],
    [0.1, 1.6],
    [0.25, 2.5],
    [0.5, 5],
    [0.75, 8.25],
    [1, 12],
  ])('interpolates as numpy does (p = %s)', (p, expected) => {
    expect(quantile([7, 1, 3, 12], p)).toBeCloseTo(expected, 12)
  })

  it('sorts numbers, not their names, and leaves the array as it was', () => {
    const values = [10, 9, 100]
    expect(median(values)).toBe(10)
    expect(values).toEqual([10, 9, 100])
  })

  it('is not a number where there are no values', () => {
    expect(median([])).toBeNaN()
  })
})

describe('compare', () => {
  it('divides the medians of all steps, the peer above', () => {
    const { ratio, bestRatio } = compare([[1, 2], [3]], [[4, 8], [6]])
    expect(ratio).toBe(6 / 2)
    expect(bestRatio).toBe(4 / 1)
  })

  it('spreads over the ratios of the groups side by side', () => {
    // The ratios of the groups are 2, 3, 4, 5, 6: a machine that slows down tenfold on the way does not change them.
    const ours = [[1], [10], [1], [10], [1]]
    const peer = [[2], [30], [4], [50], [6]]
    expect(compare(ours, peer).ratioSpread).toEqual([3, 5])
  })

  it('takes the median within a group', () => {
    expect(compare([[1, 1, 100]], [[3, 2, 1]]).ratioSpread).toEqual([2, 2])
  })
})
