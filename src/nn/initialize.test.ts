import { describe, expect, it } from 'vitest'
import { filled, normal, Parameter } from '../graph/index.js'
import { RandomStream } from '../runtime/index.js'
import { initialize } from './initialize.js'

/** The first values of a parameter at a path. */
function values(path: string, parameter: Parameter, seed: number): Float32Array {
  initialize({ [path]: parameter }, seed)
  return parameter.data!
}

describe('initialize', () => {
  it('draws from a normal distribution of the given deviation', () => {
    const [n, deviation] = [20_000, 0.02]
    const data = values('weight', new Parameter([200, 100], normal(deviation)), 1)
    const mean = data.reduce((a, b) => a + b, 0) / n
    const moments = [2, 4].map((power) => data.reduce((sum, x) => sum + (x / deviation) ** power, 0) / n)
    // Four standard errors each; the moments of a standard normal variable are 1 and 3.
    expect(Math.abs(mean)).toBeLessThan((4 * deviation) / Math.sqrt(n))
    expect(Math.abs(moments[0] - 1)).toBeLessThan(4 * Math.sqrt(2 / n))
    expect(Math.abs(moments[1] - 3)).toBeLessThan(4 * Math.sqrt(96 / n))
  })

  it("takes the numbers of the parameter's own stream", () => {
    const data = values('h.0.weight', new Parameter([3], normal(0.5)), 42)
    const stream = new RandomStream(42, 'h.0.weight')
    expect(data).toEqual(Float32Array.from([1, 2, 3], () => 0.5 * stream.normal()))
  })

  it('fills with a constant', () => {
    expect(values('weight', new Parameter([3], filled(1.5)), 1)).toEqual(Float32Array.of(1.5, 1.5, 1.5))
  })

  it('does not depend on the order or the company of parameters', () => {
    const make = () => ({ a: new Parameter([4], normal(1)), b: new Parameter([4], normal(1)) })
    const [forwards, backwards, alone] = [make(), make(), make()]
    initialize(forwards, 3)
    initialize({ b: backwards.b, a: backwards.a }, 3)
    initialize({ b: alone.b }, 3)
    expect(backwards.a.data).toEqual(forwards.a.data)
    expect(backwards.b.data).toEqual(forwards.b.data)
    expect(alone.b.data).toEqual(forwards.b.data)
  })

  it('gives other values for other seeds and paths, the same for the same', () => {
    const draw = (path: string, seed: number) => values(path, new Parameter([4], normal(1)), seed)
    const first = draw('a', 1)
    expect(draw('a', 1)).toEqual(first)
    for (const other of [draw('a', 2), draw('b', 1)]) {
      expect(other.some((value) => first.includes(value))).toBe(false)
    }
  })

  it('writes into the array that a parameter already has', () => {
    const parameter = new Parameter([2], filled(7))
    const memory = new Float32Array(4)
    parameter.data = memory.subarray(1, 3)
    initialize({ parameter }, 1)
    expect([...memory]).toEqual([0, 7, 7, 0])
  })
})
