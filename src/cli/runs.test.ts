import { describe, expect, it } from 'vitest'
import { sparkline } from './runs.js'

describe('sparkline', () => {
  it('draws the lowest and highest values as the lowest and highest blocks', () => {
    expect(sparkline([3, 1, 2], 10)).toBe('█▁▅')
    expect(sparkline([1, 1], 10)).toBe('▁▁')
    expect(sparkline([], 10)).toBe('')
  })

  it('averages what does not fit', () => {
    expect(sparkline([0, 2, 4, 6, 8, 100], 3)).toBe('▁▂█')
  })
})
