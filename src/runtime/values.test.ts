import { describe, expect, it } from 'vitest'
import { ShapeError, UsageError } from '../errors.js'
import { input } from '../graph/index.js'
import { bindFeeds, elementsOf, float32 } from './values.js'

const declared = new Map([
  ['mask', input('mask', 'bool', ['batch', 'past + sequence'])],
  ['ids', input('ids', 'int64', ['batch', 'sequence'])],
  ['past', input('past', 'float32', ['past', 2])],
  ['scale', input('scale', 'float32', [])],
])

/** Feeds that fit: batch 2, past 3, sequence 1. */
const fitting = {
  mask: { data: new Uint8Array(8), shape: [2, 4] },
  ids: { data: new BigInt64Array(2), shape: [2, 1] },
  past: { data: new Float32Array(6), shape: [3, 2] },
  scale: Float32Array.of(1),
}

describe('bindFeeds', () => {
  it('finds what the names stand for, though a sum of names stands before them', () => {
    const { bound, dimensions } = bindFeeds(declared, fitting)
    expect(Object.fromEntries(dimensions)).toEqual({ batch: 2, sequence: 1, past: 3 })
    expect(bound.get('ids')).toEqual({ data: fitting.ids.data, shape: [2, 1] })
    expect(bound.get('scale')).toEqual({ data: fitting.scale, shape: [] })
  })

  it('takes names that are not words', () => {
    const { dimensions } = bindFeeds(new Map([['x', input('x', 'float32', ['batch-size'])]]), {
      x: { data: new Float32Array(3), shape: [3] },
    })
    expect(dimensions).toEqual(new Map([['batch-size', 3]]))
  })

  const { scale: _scale, ...withoutScale } = fitting
  const refusals = {
    'a missing input': [withoutScale, UsageError, "run: input 'scale' is missing; give float32[]"],
    'an unknown name': [
      { ...fitting, idz: fitting.ids },
      UsageError,
      "run: the program has no input 'idz'; did you mean ids?",
    ],
    'an unknown name far from all': [
      { ...fitting, 'nothing like it': fitting.ids },
      UsageError,
      "run: the program has no input 'nothing like it'; did you mean mask, ids, past, scale?",
    ],
    'another array type': [
      { ...fitting, ids: { data: Int32Array.of(1, 2), shape: [2, 1] } },
      ShapeError,
      "input 'ids': expected a BigInt64Array (int64), got a Int32Array",
    ],
    'another rank': [
      { ...fitting, past: { data: new Float32Array(6), shape: [6] } },
      ShapeError,
      "input 'past': expected [past, 2], got [6]",
    ],
    'another size than a number': [
      { ...fitting, past: { data: new Float32Array(9), shape: [3, 3] } },
      ShapeError,
      "input 'past': the size '2' is 2 here, got 3",
    ],
    'fewer elements than the shape': [
      { ...fitting, past: { data: new Float32Array(5), shape: [3, 2] } },
      ShapeError,
      "input 'past': [3, 2] has 6 elements, the array 5",
    ],
    'more elements than a written shape': [
      { ...fitting, scale: Float32Array.of(1, 2) },
      ShapeError,
      "input 'scale': [] has 1 elements, the array 2",
    ],
    'two sizes for one name': [
      { ...fitting, ids: { data: new BigInt64Array(3), shape: [3, 1] } },
      ShapeError,
      "input 'ids': the size 'batch' is 2 here, got 3",
    ],
    'a size that is not the sum of its names': [
      { ...fitting, mask: { data: new Uint8Array(10), shape: [2, 5] } },
      ShapeError,
      "input 'mask': the size 'past + sequence' is 4 here, got 5",
    ],
    'an array without the shape that names need': [
      { ...fitting, ids: fitting.ids.data },
      ShapeError,
      "input 'ids' has the shape [batch, sequence]: give { data, shape } instead of an array",
    ],
  } as const

  it.each(Object.entries(refusals))('refuses %s', (_name, [feeds, error, message]) => {
    expect(() => bindFeeds(declared, feeds)).toThrow(error)
    expect(() => bindFeeds(declared, feeds)).toThrow(message)
  })

  it('says that a program has no inputs', () => {
    expect(() => bindFeeds(new Map(), { x: new Float32Array(1) })).toThrow("no input 'x'; it has none")
  })

  it('refuses a sum of names that no input has alone', () => {
    const inputs = new Map([['x', input('x', 'float32', ['past + 1'])]])
    expect(() => bindFeeds(inputs, { x: { data: new Float32Array(3), shape: [3] } })).toThrow(
      "the dimension 'past + 1' needs a value for 'past'",
    )
  })
})

describe('float32', () => {
  it('gives the elements of a float32 value and refuses others', () => {
    const data = Float32Array.of(1, 2)
    expect(float32({ dtype: 'float32', shape: [2], data })).toBe(data)
    expect(() => float32({ dtype: 'int64', shape: [1], data: BigInt64Array.of(1n) })).toThrow(
      'expected a float32 value, got int64',
    )
    expect(() => float32(undefined)).toThrow(ShapeError)
  })
})

describe('elementsOf', () => {
  it('gives the bits of float16 values, whatever view the engine has on them', () => {
    const bits = Uint16Array.of(0, 0x3c00, 0xc000)
    // Stands for a Float16Array, which not every supported JavaScript has.
    const view = new Int16Array(bits.buffer, 2, 2) as unknown as Uint16Array
    expect(elementsOf('float16', view)).toEqual(Uint16Array.of(0x3c00, 0xc000))
  })

  it('leaves other arrays as they are', () => {
    const data = Float32Array.of(1)
    expect(elementsOf('float32', data)).toBe(data)
  })
})
