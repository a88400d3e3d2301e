import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../autodiff/index.js'
import { ConfigError } from '../errors.js'
import { constant } from '../graph/index.js'
import { range } from '../graph/operations/index.js'
import { compile, evaluate, float32 } from '../runtime/index.js'
import { RotaryPositions } from './rotary.js'
import { type RotaryScaling, rotaryFrequencies } from './rotary-scaling.js'

/** Sizes of the heads that are turned: [B, H, T, D]. */
const [B, H, T, D] = [2, 3, 4, 6]
const values = Array.from({ length: B * H * T * D }, (_, i) => Math.sin(1 + 1.7 * i + 0.3 * i * i))
const heads = constant(values, [B, H, T, D])

/** Pairs (x[i], x[i + D/2]) as complex numbers times e^(i·position·frequency). */
function turned(x: readonly number[], positionOf: (b: number, t: number) => number, theta: number, sign = 1): number[] {
  const result = [...x]
  for (let at = 0; at < x.length; at += D) {
    const position = positionOf(Math.floor(at / (H * T * D)), (at / D) % T)
    for (let i = 0; i < D / 2; i++) {
      const angle = sign * position * theta ** ((-2 * i) / D)
      const [a, b] = [x[at + i], x[at + i + D / 2]]
      result[at + i] = a * Math.cos(angle) - b * Math.sin(angle)
      result[at + i + D / 2] = a * Math.sin(angle) + b * Math.cos(angle)
    }
  }
  return result
}

function expectClose(found: Float32Array, expected: readonly number[]): void {
  expect(found.length).toBe(expected.length)
  for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5)
}

describe('rotary positions', () => {
  it.each([10_000, 50])(
    'turn the halves of a head by position · θ^(−2i/D), θ = %d, and gradients back',
    async (theta) => {
      const rotary = new RotaryPositions(D, { theta })
      const output = rotary.forward(range({ limit: T })).apply(heads)
      const seed = values.map((value) => Math.cos(3 * value))
      const [gradient] = gradients(output, [heads], { outputGradient: constant(seed, [B, H, T, D]) })
      const program = await compile({ outputs: { output, gradient: toDense(gradient) } })
      const result = await program.run()
      await program.dispose()
      expectClose(
        float32(result.output),
        turned(values, (_, t) => t, theta),
      )
      // A turn's transpose is the turn back.
      expectClose(
        float32(result.gradient),
        turned(seed, (_, t) => t, theta, -1),
      )
    },
  )

  it('are those of each row where rows have their own', async () => {
    const rows = [
      [7, 3, 500, 0],
      [2, 2, 9, 31],
    ]
    const positions = constant(rows.flat(), [B, T], 'int64')
    const found = await evaluate(new RotaryPositions(D).forward(positions).apply(heads))
    expectClose(
      float32(found),
      turned(values, (b, t) => rows[b][t], 10_000),
    )
  })

  it('make the product of a query and a key depend on their distance', async () => {
    const product = async (query: number, key: number) => {
      const at = (position: number) => new RotaryPositions(D).forward(constant([position], [1], 'int64'))
      const [q, k] = [values.slice(0, D), values.slice(D, 2 * D)].map((part) => constant(part, [1, 1, 1, D]))
      return float32(await evaluate(at(query).apply(q).mul(at(key).apply(k)).sum()))[0]
    }
    expect(await product(9, 4)).toBeCloseTo(await product(25, 20), 4)
    expect(Math.abs((await product(9, 4)) - (await product(9, 5)))).toBeGreaterThan(1e-2)
  })

  it('need heads of an even width', () => {
    expect(() => new RotaryPositions(5)).toThrow(ConfigError)
  })
})

/** Frequencies of D = 8, and what multiplies queries and keys: transformers 5.23.0, ROPE_INIT_FUNCTIONS. */
const long: RotaryScaling = {
  type: 'longrope',
  originalContextLength: 16,
  shortFactors: [1, 1.5, 2, 3],
  longFactors: [1, 4, 9, 16],
  attentionFactor: 1.2,
}
const dynamic: RotaryScaling = { type: 'dynamic', factor: 4, originalContextLength: 16 }
const stretched: Readonly<Record<string, readonly [RotaryScaling, length: number, number[], magnitude: number]>> = {
  linear: [{ type: 'linear', factor: 4 }, 10, [0.25, 0.044456985, 0.0079056947, 0.0014058533], 1],
  'dynamic, within': [dynamic, 10, [1, 0.17782794, 0.031622779, 0.0056234132], 1],
  'dynamic, beyond': [dynamic, 40, [1, 0.092960976, 0.0086417422, 0.00080334471], 1],
  yarn: [
    { type: 'yarn', factor: 4, originalContextLength: 256 },
    10,
    [1, 0.13337095, 0.015811389, 0.0014058533],
    1.138629436111989,
  ],
  'yarn, with all its options': [
    {
      type: 'yarn',
      factor: 8,
      originalContextLength: 512,
      betaFast: 16,
      betaSlow: 2,
      attentionFactor: 1.5,
      truncate: false,
    },
    10,
    [1, 0.17041403, 0.0073249997, 0.00070292666],
    1.5,
  ],
  llama3: [
    { type: 'llama3', factor: 8, originalContextLength: 256, lowFrequencyFactor: 1, highFrequencyFactor: 4 },
    10,
    [1, 0.17782794, 0.0066131069, 0.00070292666],
    1,
  ],
  'longrope, within': [long, 16, [1, 0.11855196, 0.015811389, 0.0018744711], 1.2],
  'longrope, beyond': [long, 17, [1, 0.044456985, 0.0035136419, 0.00035146333], 1.2],
}

describe('stretched frequencies', () => {
  it.each(Object.entries(stretched))(
    'are those of transformers: %s',
    async (_name, [scaling, length, expected, magnitude]) => {
      const frequencies = rotaryFrequencies(8, { theta: 1000, scaling })
      const found = float32(await evaluate(frequencies.of(constant([length], [1]))))
      for (const [i, value] of expected.entries()) expect(found[i] / value).toBeCloseTo(1, 5)
      expect(frequencies.magnitude).toBeCloseTo(magnitude, 6)
    },
  )

  it('are those of each text where they depend on its length', async () => {
    const frequencies = rotaryFrequencies(8, { scaling: dynamic })
    const both = float32(await evaluate(frequencies.of(constant([10, 40], [2, 1, 1]))))
    for (const [row, length] of [10, 40].entries()) {
      const alone = float32(await evaluate(frequencies.of(constant([length], [1]))))
      expect([...both.subarray(4 * row, 4 * row + 4)]).toEqual([...alone])
    }
  })

  it('refuse another number of factors than there are frequencies', () => {
    const scaling: RotaryScaling = { ...long, shortFactors: [1, 1, 1] }
    expect(() => rotaryFrequencies(8, { scaling })).toThrow(/longrope needs 4 factors, got 3/)
  })
})
