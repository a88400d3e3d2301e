import { describe, expect, it } from 'vitest'
import { constant, input, type Tensor } from '../graph/index.js'
import { softmax } from '../graph/operations/index.js'
import { evaluate, float32 } from '../runtime/index.js'
import { Mask } from './mask.js'

/** The weights that masked scores of [B, H, T, S] = [2, 1, 3, 3] get, per row. */
async function weights(mask: Mask, scores = constant(Array(18).fill(0), [2, 1, 3, 3]) as Tensor): Promise<number[][]> {
  const flat = Array.from(float32(await evaluate(softmax(mask.apply(scores), { axis: -1 }))))
  return Array.from({ length: flat.length / 3 }, (_, row) => flat.slice(3 * row, 3 * row + 3))
}

const half = 0.5
const third = Math.fround(1 / 3)
const keep = constant([1, 1, 0, 0, 1, 1], [2, 3], 'bool')

describe('masks', () => {
  it('let a position attend to itself and what is before it', async () => {
    const causal = [
      [1, 0, 0],
      [half, half, 0],
      [third, third, third],
    ]
    expect(await weights(Mask.causal(3))).toEqual([...causal, ...causal])
  })

  it('hide padding from every position', async () => {
    const [first, second] = [
      [half, half, 0],
      [0, half, half],
    ]
    expect(await weights(Mask.padding(keep))).toEqual([first, first, first, second, second, second])
  })

  it('join to what both allow, whichever comes first', async () => {
    const expected = [
      [1, 0, 0],
      [half, half, 0],
      [half, half, 0],
      // Position 0 of the second sequence is padding: it sees nothing, and what it makes of that is finite.
      Array(3).fill(expect.any(Number)),
      [0, 1, 0],
      [0, half, half],
    ]
    for (const mask of [Mask.causal(3).and(Mask.padding(keep)), Mask.padding(keep).and(Mask.causal(3))]) {
      const actual = await weights(mask)
      expect(actual).toEqual(expected)
      expect(actual.flat().every(Number.isFinite)).toBe(true)
    }
  })

  it('hide what lies behind a window, by the positions of queries and keys', async () => {
    const positions = constant([0, 1, 2], [3], 'int64')
    const rows = [
      [third, third, third],
      [third, third, third],
      [0, half, half],
    ]
    expect(await weights(Mask.window(positions, positions, 2))).toEqual([...rows, ...rows])
    const queries = constant([2, 3, 4, 0, 9, 2], [2, 3], 'int64')
    const keys = constant([0, 1, 2, 0, 8, 2], [2, 3], 'int64')
    const [first, second] = [
      [
        [0, half, half],
        [0, 0, 1],
        [third, third, third],
      ],
      [
        [third, third, third],
        [0, 1, 0],
        [0, half, half],
      ],
    ]
    // Position 4 sees nothing within its window, as position 9 would without the key at 8.
    expect(await weights(Mask.window(queries, keys, 2))).toEqual([...first, ...second])
  })

  it('follow any pattern', async () => {
    const pattern = constant([0, 1, 0, 1, 0, 1, 1, 1, 1], [3, 3], 'bool')
    const rows = [
      [0, 1, 0],
      [half, 0, half],
      [third, third, third],
    ]
    expect(await weights(Mask.where(pattern))).toEqual([...rows, ...rows])
  })

  it('give equal weights to a row that may attend to nothing, whatever its scores', async () => {
    const none = constant(Array(9).fill(0), [3, 3], 'bool')
    const scores = constant(
      Array.from({ length: 18 }, (_, i) => 3 * Math.sin(i)),
      [2, 1, 3, 3],
    )
    expect(await weights(Mask.where(none), scores)).toEqual(Array(6).fill([third, third, third]))
  })

  it('leave scores that are allowed as they are, and outweigh large ones that are not', async () => {
    const scores = constant([2, 1e6, 5, 1, 2, 1e6, 7, 8, 9], [1, 1, 3, 3])
    const masked = Array.from(float32(await evaluate(Mask.causal(3).apply(scores))))
    expect([masked[0], ...masked.slice(3, 5), ...masked.slice(6)]).toEqual([2, 1, 2, 7, 8, 9])
    expect((await weights(Mask.causal(3), scores))[0]).toEqual([1, 0, 0])
  })

  it('are made for lengths that are names', async () => {
    const scores = input('scores', 'float32', ['batch', 1, 'sequence', 'sequence'])
    const weights = softmax(Mask.causal('sequence').apply(scores), { axis: -1 })
    const { data } = await evaluate(weights, { scores: { data: new Float32Array(8), shape: [2, 1, 2, 2] } })
    expect(Array.from(data, Number)).toEqual([1, 0, half, half, 1, 0, half, half])
  })
})
