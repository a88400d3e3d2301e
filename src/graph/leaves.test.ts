import { describe, expect, it } from 'vitest'
import { ShapeError } from '../errors.js'
import { evaluate } from '../runtime/index.js'
import { constant, filled, inScope, KeepMask, normal, Parameter, scalar } from './index.js'

describe('constants', () => {
  it.each([
    ['float32', [1.5, -2], Float32Array],
    ['float64', [1e-300, 2], Float64Array],
    ['int64', [-1, 7], BigInt64Array],
    ['int32', [-1, 7], Int32Array],
    ['uint8', [0, 255], Uint8Array],
    ['int8', [-128, 127], Int8Array],
    ['bool', [0, 1], Uint8Array],
  ] as const)('of %s keep their values through the engine', async (dtype, values, arrayType) => {
    const { data, shape } = await evaluate(constant(values, [2, 1], dtype))
    expect(data).toBeInstanceOf(arrayType)
    expect(shape).toEqual([2, 1])
    expect(Array.from(data, Number)).toEqual(values)
  })

  it('take typed arrays as they are', () => {
    const data = Float32Array.of(1, 2, 3)
    expect(constant(data, [3]).data).toBe(data)
  })

  it('must fill their shape', () => {
    expect(() => constant([1, 2, 3], [2, 2])).toThrow(ShapeError)
    expect(() => constant([1, 2, 3], [2, 2])).toThrow('constant: 3 elements do not fill the shape [2, 2]')
  })

  it('cannot be made of float16 numbers, whose arrays hold bits', () => {
    expect(() => scalar(0.5, 'float16')).toThrow(ShapeError)
  })
})

describe('parameters', () => {
  it('are float32, named by their path, whatever scope they were made in', () => {
    const parameter = inScope('elsewhere', () => new Parameter([3, 4], normal(0.1)))
    expect(parameter.name).toBe('parameter')
    parameter.path = 'h.0.weight'
    expect(parameter.name).toBe('h.0.weight')
    expect([parameter.dtype, parameter.size, parameter.data]).toEqual(['float32', 12, undefined])
    expect(new Parameter([], filled(2)).size).toBe(1)
  })
})

describe('keep-masks', () => {
  it('are named after the module that drops, or have a name nevertheless', () => {
    expect(inScope('h.0.drop', () => new KeepMask([2], 0.1)).name).toBe('h.0.drop')
    expect(new KeepMask([2], 0.1).name).toBe('dropout')
  })
})
