import { describe, expect, it } from 'vitest'
import { RuntimeError, UsageError } from '../errors.js'
import type { RandomPlace } from './kernels.js'
import { Segment } from './memory.js'
import { philox, placeKey, RandomStream } from './random.js'

// Around the widths of the vectors, with and without a tail.
const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 31, 64, 101]

const segment = new Segment(2 ** 20)
const kernels = segment.kernels

/** `length` normal numbers in the segment, followed by a guard that shows when a kernel runs too far. */
function normals(length: number, place: string): Float32Array {
  const stream = new RandomStream(5, place, length)
  const guarded = segment.allocateFloat32(length + 4).fill(99)
  for (let i = 0; i < length; i++) guarded[i] = stream.normal()
  return guarded.subarray(0, length)
}

function guardOf(array: Float32Array): number[] {
  return [...new Float32Array(array.buffer, array.byteOffset + array.byteLength, 4)]
}

const f32 = Math.fround
const GUARD = [99, 99, 99, 99]

describe.each(LENGTHS)('element-wise kernels, %i elements', (n) => {
  it('fill', () => {
    const x = normals(n, 'fill')
    kernels.fill(x, 0.1)
    expect([...x]).toEqual(Array(n).fill(f32(0.1)))
    expect(guardOf(x)).toEqual(GUARD)
  })

  it('sumOfSquares', () => {
    const x = normals(n, 'squares')
    const expected = [...x].reduce((sum, value) => sum + value * value, 0)
    // Only the order of the float64 sums differs.
    expect(Math.abs(kernels.sumOfSquares(x) - expected)).toBeLessThanOrEqual(1e-14 * expected)
  })
})

describe('sumOfSquares', () => {
  it('neither overflows nor underflows where float32 would', () => {
    const x = segment.allocateFloat32(6).fill(1e30)
    expect(kernels.sumOfSquares(x) / (6 * f32(1e30) ** 2)).toBeCloseTo(1, 12)
    x.fill(1e-30)
    expect(kernels.sumOfSquares(x) / (6 * f32(1e-30) ** 2)).toBeCloseTo(1, 12)
  })

  it.each([0, 3, 4, 5])('passes on NaN and infinity at %i', (at) => {
    const x = segment.allocateFloat32(6)
    x[at] = Number.NaN
    expect(kernels.sumOfSquares(x)).toBeNaN()
    x[at] = Number.NEGATIVE_INFINITY
    expect(kernels.sumOfSquares(x)).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('adamw', () => {
  const OPTIONS = {
    learningRate: 0.01,
    beta1: 0.9,
    beta2: 0.999,
    // Large enough for its bias correction to show.
    epsilon: 0.5,
    weightDecay: 0.1,
    step: 3,
    gradientScale: 0.5,
  }
  const arraysOf = (n: number) => ({
    value: normals(n, 'value'),
    gradient: normals(n, 'gradient'),
    firstMoment: normals(n, 'first'),
    secondMoment: positive(n),
  })
  function positive(n: number): Float32Array {
    const array = normals(n, 'second')
    for (let i = 0; i < n; i++) array[i] *= array[i]
    return array
  }

  it.each(LENGTHS)('agrees with float64, %i elements', (n) => {
    const arrays = arraysOf(n)
    const expected = { value: [...arrays.value], first: [...arrays.firstMoment], second: [...arrays.secondMoment] }
    for (let i = 0; i < n; i++) {
      const g = arrays.gradient[i] * 0.5
      expected.first[i] = 0.9 * expected.first[i] + 0.1 * g
      expected.second[i] = 0.999 * expected.second[i] + 0.001 * g * g
      const m = expected.first[i] / (1 - 0.9 ** 3)
      const v = expected.second[i] / (1 - 0.999 ** 3)
      expected.value[i] -= 0.01 * 0.1 * expected.value[i]
      expected.value[i] -= (0.01 * m) / (Math.sqrt(v) + 0.5)
    }
    const gradient = [...arrays.gradient]
    kernels.adamw(arrays, OPTIONS)
    for (let i = 0; i < n; i++) {
      expect(Math.abs(arrays.value[i] - expected.value[i])).toBeLessThan(4e-7)
      expect(Math.abs(arrays.firstMoment[i] - expected.first[i])).toBeLessThan(4e-7)
      expect(Math.abs(arrays.secondMoment[i] - expected.second[i])).toBeLessThan(1e-6)
    }
    expect([...arrays.gradient]).toEqual(gradient)
    for (const array of Object.values(arrays)) expect(guardOf(array)).toEqual(GUARD)
  })

  it('computes the tail exactly as the vectors', () => {
    const whole = arraysOf(8)
    const parts = arraysOf(8)
    const slice = (from: number, to: number) => ({
      value: parts.value.subarray(from, to),
      gradient: parts.gradient.subarray(from, to),
      firstMoment: parts.firstMoment.subarray(from, to),
      secondMoment: parts.secondMoment.subarray(from, to),
    })
    kernels.adamw(whole, OPTIONS)
    for (const [from, to] of [
      [0, 3],
      [3, 5],
      [5, 8],
    ]) {
      kernels.adamw(slice(from, to), OPTIONS)
    }
    expect(parts).toEqual(whole)
  })

  it('keeps idle moments out of the subnormal numbers', () => {
    const arrays = arraysOf(5)
    arrays.gradient.fill(0)
    for (let step = 1; step <= 3000; step++) kernels.adamw(arrays, { ...OPTIONS, beta2: 0.95, step })
    for (const moment of [...arrays.firstMoment, ...arrays.secondMoment]) {
      expect(moment === 0 || Math.abs(moment) > 2 ** -126).toBe(true)
      expect(Math.abs(moment)).toBeLessThan(1e-30)
    }
  })

  it.each([1, 3, 4, 10])('leaves out rows without moments, %i elements wide, and changes no bit by it', (width) => {
    const states = segment.allocateUint8(6)
    states.set([0, 1, 2, 0, 0, 2])
    const [whole, rows] = [arraysOf(6 * width), arraysOf(6 * width)]
    for (const { gradient, firstMoment, secondMoment } of [whole, rows]) {
      for (const [row, state] of states.entries()) {
        if (state === 0)
          for (const moment of [firstMoment, secondMoment]) moment.fill(0, row * width, (row + 1) * width)
        if (state < 2) gradient.fill(0, row * width, (row + 1) * width)
      }
    }
    for (const weightDecay of [0.1, 0]) {
      kernels.adamw(whole, { ...OPTIONS, weightDecay })
      kernels.adamwRows(rows, states, { ...OPTIONS, weightDecay })
      expect(rows).toEqual(whole)
    }
    for (const array of Object.values(rows)) expect(guardOf(array)).toEqual(GUARD)
    expect([...states]).toEqual([0, 1, 2, 0, 0, 2])
  })

  it('refuses arrays of different lengths, rows that do not fit and steps that are none', () => {
    const arrays = arraysOf(4)
    const short = { ...arrays, firstMoment: arrays.firstMoment.subarray(1) }
    expect(() => kernels.adamw(short, OPTIONS)).toThrow(/firstMoment must have 4 elements, got 3/)
    expect(() => kernels.adamw(arrays, { ...OPTIONS, step: 0 })).toThrow(UsageError)
    const states = segment.allocateUint8(3)
    expect(() => kernels.adamwRows(arrays, states, OPTIONS)).toThrow('4 elements are not 3 equal rows')
    expect(() => kernels.adamwRows(arrays, new Uint8Array(2), OPTIONS)).toThrow(RuntimeError)
  })
})

/** The definition, element by element: half-word i mod 8 of block ⌊i / 8⌋ against round(p · 65536). */
function dropoutMaskReference(n: number, probability: number, { seed, place, step }: RandomPlace): Uint8Array {
  const key = [seed % 2 ** 32, (placeKey(place) ^ Math.floor(seed / 2 ** 32)) >>> 0] as const
  const mask = new Uint8Array(n)
  for (let i = 0; i < n; i++) {
    const words = philox([Math.floor(i / 8), 0, step % 2 ** 32, Math.floor(step / 2 ** 32)], key)
    const lane = i % 8
    const word = words[Math.floor(lane / 2)]
    const half = lane % 2 === 0 ? word & 0xffff : word >>> 16
    mask[i] = half >= Math.round(probability * 65536) ? 1 : 0
  }
  return mask
}

describe('dropoutMask', () => {
  const place = { seed: 2 ** 45 + 3_000_000_000, place: 'h.0.mlp.dropout', step: 2 ** 34 + 2 ** 31 + 9 }

  it.each([0, 1, 7, 8, 9, 31, 32, 33, 63, 64, 100, 4099])('equals the definition, %i elements', (n) => {
    for (const probability of [0, 0.1, 0.5, 0.9, 1 - 1e-6, 1]) {
      const out = segment.allocateUint8(n + 32).fill(7)
      kernels.dropoutMask(out.subarray(0, n), probability, place)
      expect(out.subarray(0, n)).toEqual(dropoutMaskReference(n, probability, place))
      expect([...out.subarray(n)]).toEqual(Array(32).fill(7))
    }
  })

  it('separates thresholds that differ by one', () => {
    const half = philox([0, 0, 0, 0], [1, placeKey('a')])[0] & 0xffff
    const first = segment.allocateUint8(1)
    kernels.dropoutMask(first, half / 65536, { seed: 1, place: 'a', step: 0 })
    expect(first[0]).toBe(1)
    kernels.dropoutMask(first, (half + 1) / 65536, { seed: 1, place: 'a', step: 0 })
    expect(first[0]).toBe(0)
  })

  it('drops with the given probability', () => {
    const out = segment.allocateUint8(100_000)
    kernels.dropoutMask(out, 0.1, { seed: 1, place: 'a', step: 0 })
    const kept = out.reduce((sum, value) => sum + value, 0) / out.length
    // Four standard errors.
    expect(Math.abs(kept - 0.9)).toBeLessThan(4 * Math.sqrt(0.09 / out.length))
  })

  it('refuses what is not a probability, a seed or a step', () => {
    const out = segment.allocateUint8(1)
    for (const bad of [-0.1, 1.1, Number.NaN]) {
      expect(() => kernels.dropoutMask(out, bad, place)).toThrow(UsageError)
    }
    expect(() => kernels.dropoutMask(out, 0.1, { ...place, seed: -1 })).toThrow(UsageError)
    expect(() => kernels.dropoutMask(out, 0.1, { ...place, step: 0.5 })).toThrow(UsageError)
  })
})

describe('arrays outside the memory', () => {
  const own = segment.allocateFloat32(2)
  const foreign = new Float32Array(2)
  const slot = { value: own, gradient: own, firstMoment: own, secondMoment: own }
  const step = { learningRate: 1, beta1: 0, beta2: 0, epsilon: 1, weightDecay: 0, step: 1, gradientScale: 1 }

  it.each([
    ['fill: x', () => kernels.fill(foreign, 1)],
    ['sumOfSquares: x', () => kernels.sumOfSquares(foreign)],
    ['adamw: value', () => kernels.adamw({ ...slot, value: foreign }, step)],
    ['adamw: gradient', () => kernels.adamw({ ...slot, gradient: foreign }, step)],
    ['adamw: firstMoment', () => kernels.adamw({ ...slot, firstMoment: foreign }, step)],
    ['adamw: secondMoment', () => kernels.adamw({ ...slot, secondMoment: foreign }, step)],
    ['dropoutMask: out', () => kernels.dropoutMask(new Uint8Array(2), 0, { seed: 0, place: '', step: 0 })],
  ])('are refused: %s', (what, call) => {
    expect(call).toThrow(RuntimeError)
    expect(call).toThrow(`Kernels.${what} must be a view`)
  })

  it('are refused where they lie in another segment', () => {
    expect(() => kernels.fill(new Segment(64).allocateFloat32(1), 1)).toThrow(RuntimeError)
  })
})
