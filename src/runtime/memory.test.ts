import { afterEach, describe, expect, it, vi } from 'vitest'
import { RuntimeError, UsageError } from '../errors.js'
import { MAXIMUM_SEGMENT_BYTES, ParameterMemory, Segment } from './memory.js'

describe('Segment', () => {
  it('gives out aligned, zeroed arrays that do not overlap', () => {
    const segment = new Segment(1000)
    const arrays = [
      segment.allocateUint8(3),
      segment.allocateFloat32(5),
      segment.allocateInt64(17),
      segment.allocateInt32(1),
    ]
    expect(arrays.map((array) => array.byteOffset)).toEqual([0, 64, 128, 320])
    expect(arrays.map((array) => array.length)).toEqual([3, 5, 17, 1])
    expect(arrays.every((array) => array.buffer === segment.memory.buffer)).toBe(true)
    expect(arrays.flatMap((array) => [...array]).every((value) => Number(value) === 0)).toBe(true)
    expect(segment.free).toBe(segment.bytes - 384)
  })

  it('is of fixed size, so that views cannot detach', () => {
    const segment = new Segment(1)
    const view = segment.allocateFloat32(4)
    expect(segment.bytes).toBe(65536)
    expect(() => segment.memory.grow(1)).toThrow(RangeError)
    expect(view).toHaveLength(4)
  })

  it('says when it is full, and stays usable', () => {
    const segment = new Segment(65536)
    segment.allocateFloat32(16384 - 16)
    expect(() => segment.allocateUint8(65)).toThrow(/65536/)
    expect(() => segment.allocateUint8(65)).toThrow(RuntimeError)
    expect(segment.allocateUint8(64)).toHaveLength(64)
    expect(segment.free).toBe(0)
  })

  it('refuses lengths and sizes that are none', () => {
    expect(() => new Segment(100).allocateFloat32(-1)).toThrow(UsageError)
    expect(() => new Segment(100).allocateFloat32(1.5)).toThrow(UsageError)
    expect(() => new Segment(MAXIMUM_SEGMENT_BYTES + 1)).toThrow(RuntimeError)
  })

  describe('where the system has no memory', () => {
    afterEach(() => {
      vi.restoreAllMocks()
    })

    it('says how much was wanted and what to do', () => {
      vi.spyOn(WebAssembly, 'Memory').mockImplementation(function refuse() {
        throw new RangeError('could not allocate memory')
      })
      expect(() => new Segment(300 * 2 ** 20)).toThrow(RuntimeError)
      expect(() => new Segment(300 * 2 ** 20)).toThrow(/300 MB.*could not allocate memory.*smaller model/)
    })
  })
})

describe('ParameterMemory', () => {
  const parameters = [
    { name: 'a', length: 10 },
    { name: 'b', length: 4096 },
    { name: 'c', length: 4097 },
    { name: 'd', length: 1 },
  ]

  it('lays the four arrays of a parameter side by side, and opens a segment where one is full', () => {
    const memory = new ParameterMemory(parameters, { trainable: true, segmentBytes: 65536 + 4 * 64 })
    // a and b fill the first exactly; c does not fit beside them, and is too large for the limit; d goes on.
    expect([...memory].map((slot) => memory.segments.indexOf(slot.segment))).toEqual([0, 0, 1, 2])
    expect(memory.segments.map((segment) => segment.bytes)).toEqual([131072, 131072, 65536])
    expect(memory.bytes).toBe(327680)
    const { value, gradient, firstMoment, secondMoment } = memory.get('b')
    expect([value, gradient, firstMoment, secondMoment].map((array) => [array.byteOffset, array.length])).toEqual([
      [256, 4096],
      [16640, 4096],
      [33024, 4096],
      [49408, 4096],
    ])
  })

  it('keeps every array to itself', () => {
    const memory = new ParameterMemory(parameters, { trainable: true, segmentBytes: 65536 })
    const arrays = [...memory].flatMap((slot) => [slot.value, slot.gradient, slot.firstMoment, slot.secondMoment])
    arrays.forEach((array, i) => {
      array.fill(i + 1)
    })
    expect(arrays.every((array, i) => array.every((value) => value === i + 1))).toBe(true)
  })

  it('holds only values where nothing is trained', () => {
    const memory = new ParameterMemory(parameters, { trainable: false })
    expect(memory.bytes).toBe(65536)
    expect(memory.get('c').value).toHaveLength(4097)
    expect(memory.get('c').gradient).toHaveLength(0)
    expect([...memory].map((slot) => slot.name)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('makes segments as large as needed, not as the limit', () => {
    expect(new ParameterMemory([{ name: 'a', length: 1 }], { trainable: true }).bytes).toBe(65536)
    expect(new ParameterMemory([], { trainable: true }).bytes).toBe(0)
  })

  it('works with parameters of length 0, alone or at the very end of a segment', () => {
    const empty = { name: 'empty', length: 0 }
    expect(new ParameterMemory([empty], { trainable: true }).get('empty').gradient).toHaveLength(0)
    const full = { name: 'full', length: 16384 }
    expect(new ParameterMemory([full, empty], { trainable: false }).get('empty').value.byteOffset).toBe(65536)
  })

  it('suggests the nearest name', () => {
    const memory = new ParameterMemory([{ name: 'wte.weight', length: 1 }], { trainable: false })
    expect(memory.has('wte.weight')).toBe(true)
    expect(memory.has('wte.weights')).toBe(false)
    expect(() => memory.get('wte.weights')).toThrow(/did you mean "wte.weight"/)
    expect(() => memory.get('wte.weights')).toThrow(UsageError)
  })

  it('refuses duplicates, bad lengths and arrays beyond 4 GiB', () => {
    const make = (...lengths: number[]) =>
      new ParameterMemory(
        lengths.map((length) => ({ name: 'x', length })),
        { trainable: true },
      )
    expect(() => make(1, 1)).toThrow(/"x" occurs twice/)
    expect(() => make(-1)).toThrow(UsageError)
    expect(() => make(2 ** 28)).toThrow(/"x" needs 4096 MB/)
  })
})
