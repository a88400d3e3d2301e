import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codePointPositions } from './code-points.js'

describe('codePointPositions', () => {
  it('finds the UTF-16 unit of every code point', () => {
    const text = 'a🧵𠮷b\ud83d'
    const units = [0, 1, 3, 5, 6, 7]
    expect(units.map((_, point) => codePointPositions(text)(point))).toEqual(units)
  })

  it('keeps positions outside of the text outside', () => {
    const toUnits = codePointPositions('🧵a')
    expect([toUnits(-1), toUnits(3)]).toEqual([-1, 4])
  })

  it('agrees with counting by iteration', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', '、', '🧵', '𠮷', '\ud83d', '\udc00'), maxLength: 20 })
    fc.assert(
      fc.property(texts, (text) => {
        const toUnits = codePointPositions(text)
        const points = Array.from(text)
        for (let i = 0; i <= points.length; i++) expect(toUnits(i)).toBe(points.slice(0, i).join('').length)
      }),
    )
  })
})
