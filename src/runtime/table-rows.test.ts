import { describe, expect, it } from 'vitest'
import { TableRows } from './table-rows.js'

/** Five rows of width 2, of which the second and the last have moments. */
function makeTable() {
  return {
    gradient: Float32Array.from({ length: 10 }, (_, i) => i + 1),
    firstMoment: Float32Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0, 0),
    secondMoment: Float32Array.of(0, 0, 0, 1, 0, 0, 0, 0, 2, 0),
  }
}

describe('TableRows', () => {
  it('tracks nothing until the gradient is cleared, whole at first', () => {
    const table = makeTable()
    const rows = new TableRows(new Uint8Array(5))
    expect(rows.isTracking).toBe(false)
    rows.clear(table)
    expect(rows.isTracking).toBe(true)
    expect([...table.gradient]).toEqual(Array(10).fill(0))
    expect([...rows.states]).toEqual([0, 1, 0, 0, 1])
    expect([...rows.current()]).toEqual([])
  })

  it('clears the rows that were added to, which are touched from then on', () => {
    const table = makeTable()
    const rows = new TableRows(new Uint8Array(5))
    rows.clear(table)
    for (const row of [3, 1, 3]) rows.add(row)
    table.gradient.set([5, 6], 6)
    expect([...rows.current()]).toEqual([1, 3])
    rows.clear(table)
    expect([...table.gradient]).toEqual(Array(10).fill(0))
    expect([...rows.states]).toEqual([0, 1, 0, 1, 1])
    expect([...rows.current()]).toEqual([])
  })

  it('looks at the moments anew after it forgot', () => {
    const table = makeTable()
    const rows = new TableRows(new Uint8Array(5))
    rows.clear(table)
    rows.add(0)
    rows.forget()
    expect(rows.isTracking).toBe(false)
    table.secondMoment.fill(0)
    table.gradient.fill(7)
    rows.clear(table)
    expect([...rows.states]).toEqual([0, 1, 0, 0, 0])
    expect([...table.gradient]).toEqual(Array(10).fill(0))
  })
})
