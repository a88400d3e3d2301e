import { describe, expect, it } from 'vitest'
import { ConfigError } from '../errors.js'
import { evaluate, float32 } from '../runtime/index.js'
import { sinusoidalPositions } from './positions.js'

describe('sinusoidal positions', () => {
  it('are sines and cosines of pos / 10000^(2i/C)', async () => {
    const [length, width] = [50, 8]
    const table = float32(await evaluate(sinusoidalPositions(length, width)))
    expect(table.length).toBe(length * width)
    for (let position = 0; position < length; position++) {
      for (let i = 0; 2 * i < width; i++) {
        const angle = position * Math.exp((-2 * i * Math.log(10000)) / width)
        expect(table[position * width + 2 * i]).toBeCloseTo(Math.sin(angle), 6)
        expect(table[position * width + 2 * i + 1]).toBeCloseTo(Math.cos(angle), 6)
      }
    }
  })

  it('have known values: wavelengths of 2π and 200π for width 4', () => {
    const { data } = sinusoidalPositions(3, 4)
    const expected = [0, 1, 0, 1, 0.841471, 0.5403023, 0.0099998, 0.99995, 0.9092974, -0.4161468, 0.0199987, 0.9998]
    for (const [i, value] of expected.entries()) expect(Number(data[i])).toBeCloseTo(value, 6)
  })

  it('need an even width', () => {
    expect(() => sinusoidalPositions(3, 5)).toThrow(ConfigError)
    expect(() => sinusoidalPositions(3, 5)).toThrow('the width 5 must be even')
  })
})
