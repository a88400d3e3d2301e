import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../autodiff/index.js'
import { ConfigError } from '../errors.js'
import { constant } from '../graph/index.js'
import { range } from '../graph/operations/index.js'
import { compile, evaluate, float32 } from '../runtime/index.js'
import { initialize } from './initialize.js'
import { RelativePositionBias, type RelativePositionOptions, relativePositionBucket } from './relative-position-bias.js'

const heads = 2

describe.each<RelativePositionOptions>([
  { buckets: 8, maxDistance: 5 },
  { buckets: 6, maxDistance: 4, bidirectional: false },
])('a bias by distance, %o', (options) => {
  const bias = new RelativePositionBias(heads, options)
  initialize(bias.parameters(), 1)
  const weight = (distance: number, head: number) =>
    bias.weight.data![relativePositionBucket(distance, options) * heads + head]

  it.each([1, 4, 9])(
    'is the one of key − query for every pair of %d positions, and so is its gradient',
    async (length) => {
      const size = heads * length * length
      const seed = Float32Array.from({ length: size }, (_, i) => Math.sin(i))
      const value = bias.forward(range({ limit: length }))
      const [gradient] = gradients(value.mul(constant(seed, [1, heads, length, length])).sum(), [bias.weight])
      const program = await compile({ outputs: { value, gradient: toDense(gradient) } })
      const result = await program.run()
      await program.dispose()
      expect(result.value.shape).toEqual([1, heads, length, length])
      const expectedGradient = new Float64Array(options.buckets * heads)
      for (let i = 0; i < size; i++) {
        const [head, query, key] = [Math.floor(i / length ** 2), Math.floor(i / length) % length, i % length]
        expect(float32(result.value)[i]).toBe(weight(key - query, head))
        expectedGradient[relativePositionBucket(key - query, options) * heads + head] += seed[i]
      }
      for (const [i, sum] of expectedGradient.entries()) expect(float32(result.gradient)[i]).toBeCloseTo(sum, 5)
    },
  )

  it('is that of any positions, queries and keys apart', async () => {
    const [queries, keys] = [
      [7, 3],
      [0, 9, 3, 6, 7],
    ]
    const [q, k] = [queries, keys].map((positions) => constant(positions, [positions.length], 'int64'))
    const { data, shape } = await evaluate(bias.forward(q, k))
    expect(shape).toEqual([1, heads, 2, 5])
    const expected = [0, 1].flatMap((head) => queries.flatMap((at) => keys.map((key) => weight(key - at, head))))
    expect([...data]).toEqual(expected)
  })
})

describe('the groups of distances', () => {
  it('are one each for near ones, fewer for far ones, and apart for keys before and after', () => {
    const groups = (options: RelativePositionOptions, distances: readonly number[]) =>
      distances.map((distance) => relativePositionBucket(distance, options))
    // 8 groups a direction: 0 … 3 exact, then 4 up to a distance of 16.
    const both = { buckets: 16, maxDistance: 16 }
    expect(groups(both, [0, -1, -2, -3, -4, -6, -8, -12, -16, -100])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 7, 7])
    expect(groups(both, [1, 2, 3, 4, 100])).toEqual([9, 10, 11, 12, 15])
    expect(groups({ buckets: 8, maxDistance: 16, bidirectional: false }, [3, 0, -1, -3, -4, -16])).toEqual([
      0, 0, 1, 3, 4, 7,
    ])
  })

  it.each<RelativePositionOptions>([
    { buckets: 6, maxDistance: 10 },
    { buckets: 32, maxDistance: 8 },
    { buckets: 5, maxDistance: 10, bidirectional: false },
    { buckets: 0, maxDistance: 10 },
  ])('must be fillable: %o', (options) => {
    expect(() => new RelativePositionBias(2, options)).toThrow(ConfigError)
  })
})
