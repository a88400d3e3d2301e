import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { permutation, philox, placeKey, RandomStream, streamKey } from './random.js'

const ONES = 0xffffffff

describe('philox', () => {
  // The known-answer vectors published with Salmon et al. 2011 (Random123, philox4x32 with 10 rounds).
  it.each([
    {
      name: 'zeros',
      counter: [0, 0, 0, 0] as const,
      key: [0, 0] as const,
      expected: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    },
    {
      name: 'ones',
      counter: [ONES, ONES, ONES, ONES] as const,
      key: [ONES, ONES] as const,
      expected: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    },
    {
      name: 'digits of pi',
      counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344] as const,
      key: [0xa4093822, 0x299f31d0] as const,
      expected: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    },
  ])('gives the published answer for $name', ({ counter, key, expected }) => {
    expect(philox(counter, key)).toEqual(expected)
  })
})

describe('placeKey', () => {
  // '', 'a' and 'foobar' are vectors of the FNV specification; the third, in UTF-8, was computed in Python.
  it.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['foobar', 0xbf9cf968],
    ['注意', 0xb1390195],
  ])('hashes %j', (place, hash) => {
    expect(placeKey(place)).toBe(hash)
  })
})

describe('RandomStream', () => {
  // The expected numbers come from a Python implementation of the layout, written with its integers of any size:
  // both 32-bit words of the seed and of the step are in use.
  const SEED = 2 ** 40 + 7
  const STEP = 2 ** 33 + 5
  const stream = () => new RandomStream(SEED, '注意', STEP)

  it('reads the words of successive blocks', () => {
    const s = stream()
    const words = Array.from({ length: 6 }, () => s.uint32())
    expect(words).toEqual([1591912499, 1063495492, 1405415482, 1754934705, 1937968991, 2101822051])
  })

  it('makes 53-bit uniforms', () => {
    const s = stream()
    expect([s.uniform(), s.uniform(), s.uniform()]).toEqual([
      0.37064600920389845, 0.32722378826590304, 0.4512185639841003,
    ])
  })

  it('makes normals in pairs', () => {
    const s = stream()
    const expected = [-0.4488368371054353, 0.8512745079630782, -1.0940811964233952, -0.05564525964728905]
    for (const value of expected) expect(s.normal()).toBeCloseTo(value, 14)
  })

  it('rejects words that would bias an integer', () => {
    const s = new RandomStream(42, 'shuffle', 3)
    const integers = Array.from({ length: 6 }, () => s.integer(2 ** 31 + 1))
    expect(integers).toEqual([1698403615, 572319330, 1938027430, 1440894752, 37907219, 1149169836])
  })

  it('has the moments of its distributions', () => {
    const s = new RandomStream(1, 'moments')
    const n = 40000
    const sums = { uniform: 0, normal: 0, square: 0, fourth: 0 }
    for (let i = 0; i < n; i++) {
      const x = s.normal()
      sums.uniform += s.uniform()
      sums.normal += x
      sums.square += x * x
      sums.fourth += x ** 4
    }
    // Each within four standard errors.
    expect(Math.abs(sums.uniform / n - 0.5)).toBeLessThan((4 * Math.sqrt(1 / 12)) / Math.sqrt(n))
    expect(Math.abs(sums.normal / n)).toBeLessThan(4 / Math.sqrt(n))
    expect(Math.abs(sums.square / n - 1)).toBeLessThan((4 * Math.sqrt(2)) / Math.sqrt(n))
    expect(Math.abs(sums.fourth / n - 3)).toBeLessThan((4 * Math.sqrt(96)) / Math.sqrt(n))
  })

  it('differs by seed (both words), place and step', () => {
    const first = [
      new RandomStream(1, 'a', 0),
      new RandomStream(2, 'a', 0),
      new RandomStream(1 + 2 ** 32, 'a', 0),
      new RandomStream(1, 'b', 0),
      new RandomStream(1, 'a', 1),
      new RandomStream(1, 'a', 2 ** 32),
    ].map((s) => s.uint32())
    expect(new Set(first).size).toBe(first.length)
  })

  it('refuses seeds, steps and bounds out of range', () => {
    for (const bad of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => new RandomStream(bad, 'a')).toThrow(UsageError)
      expect(() => new RandomStream(0, 'a', bad)).toThrow(UsageError)
    }
    for (const bad of [0, -1, 1.5, 2 ** 32 + 1]) expect(() => stream().integer(bad)).toThrow(UsageError)
    expect(stream().integer(2 ** 32)).toBe(1591912499)
  })
})

describe('streamKey', () => {
  it('puts the low word of the seed first and xors its high bits into the place', () => {
    expect(streamKey(0xdeadbeef + 2 ** 32 * 0x1abcd, 'a')).toEqual([0xdeadbeef, (0xe40c292c ^ 0x1abcd) >>> 0])
  })
})

describe('permutation', () => {
  it('gives the order that the Python implementation gives', () => {
    expect([...permutation(12, 42, 'shuffle', 3)]).toEqual([6, 11, 8, 5, 3, 4, 2, 9, 1, 10, 0, 7])
  })

  it('shuffles plain arrays in the same order, in place', () => {
    const letters = [...'abcdefghijkl']
    expect(new RandomStream(42, 'shuffle', 3).shuffle(letters)).toBe(letters)
    expect(letters.join('')).toBe('glifdecjbkah')
  })

  it('makes all orders of three equally likely', () => {
    const counts = new Map<string, number>()
    const n = 6000
    for (let step = 0; step < n; step++) {
      const order = permutation(3, 7, 'orders', step).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    const expected = n / 6
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    expect(counts.size).toBe(6)
    // The 0.999 quantile with five degrees of freedom.
    expect(chiSquare).toBeLessThan(20.5)
  })

  it('refuses a count that is not one', () => {
    expect(() => permutation(-1, 0, 'a', 0)).toThrow(UsageError)
    expect(permutation(0, 0, 'a', 0)).toHaveLength(0)
  })
})
