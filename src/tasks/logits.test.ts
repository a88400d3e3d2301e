import { describe, expect, it } from 'vitest'
import { fixturePath, largestDifference, readFixture } from '../../test/parity/fixtures.js'
import { DataError } from '../errors.js'
import { checkIds, nextTokenLogits } from './logits.js'

const tied = fixturePath('gpt2/tied')

describe('nextTokenLogits', () => {
  it('has one row a position, each that of the prefix', async () => {
    const { ids, logits } = readFixture<{ ids: number[]; logits: number[][] }>('gpt2/tied/expected.json')
    const { shape, rows } = await nextTokenLogits(tied, ids.slice(0, 5))
    expect(shape).toEqual([5, 99])
    expect(rows).toHaveLength(5)
    for (const [i, row] of rows.entries()) expect(largestDifference(row, logits[i])).toBeLessThan(1e-4)
  })

  it.each<[name: string, ids: number[], message: RegExp]>([
    ['no ids', [], /expected 1 to 64 tokens \(the model's context\), got 0/],
    ['more than the context', Array(65).fill(0), /expected 1 to 64 tokens \(the model's context\), got 65/],
    ['an id beyond the vocabulary', [0, 99], /token id 99 at position 2 is not in the vocabulary of 99 tokens/],
  ])('refuses %s', async (_name, ids, message) => {
    await expect(nextTokenLogits(tied, ids)).rejects.toThrow(DataError)
    await expect(nextTokenLogits(tied, ids)).rejects.toThrow(message)
  })
})

describe('checkIds', () => {
  it('takes the ids of a vocabulary and no others', () => {
    checkIds([0, 4, 2], 5)
    checkIds([], 5)
    for (const id of [-1, 5, 1.5, Number.NaN]) expect(() => checkIds([0, id], 5)).toThrow(DataError)
  })
})
