import { describe, expect, it } from 'vitest'
import { RuntimeError, UsageError } from '../errors.js'
import { RandomStream } from '../runtime/random.js'
import { beamSearch, greedy, nucleus, sample, type TokenStrategy } from './strategies.js'

const never = () => Number.NaN

/** How often each of 4 tokens is drawn, as a fraction. */
function frequencies(strategy: TokenStrategy, logits: number[], draws = 20000): number[] {
  const random = new RandomStream(7, 'test')
  const counts = logits.map(() => 0)
  for (let i = 0; i < draws; i++) counts[strategy.choose(Float32Array.from(logits), () => random.uniform())]++
  return counts.map((count) => count / draws)
}

function expectFrequencies(actual: number[], expected: number[]): void {
  // Five standard deviations of a frequency near 1/2 over 20000 draws.
  for (const [i, frequency] of actual.entries()) expect(Math.abs(frequency - expected[i])).toBeLessThan(0.018)
}

const probabilities = [0.4, 0.1, 0.3, 0.2]
const logits = probabilities.map(Math.log)

describe('greedy', () => {
  it('takes the largest logit, the first of equals', () => {
    expect(greedy().choose(Float32Array.of(1, 3, 2), never)).toBe(1)
    expect(greedy().choose(Float32Array.of(-5, -1, -1), never)).toBe(1)
  })
})

describe('sample', () => {
  it('draws from the softmax', () => {
    expectFrequencies(frequencies(sample(), logits), probabilities)
  })

  it('applies temperature', () => {
    const squared = probabilities.map((p) => p * p)
    const total = squared.reduce((a, b) => a + b)
    expectFrequencies(
      frequencies(sample({ temperature: 0.5 }), logits),
      squared.map((p) => p / total),
    )
  })

  it('applies top-k, top-p and min-p', () => {
    const ofThree = [0.4 / 0.9, 0, 0.3 / 0.9, 0.2 / 0.9]
    expectFrequencies(frequencies(sample({ topK: 3 }), logits), ofThree)
    expectFrequencies(frequencies(nucleus(0.85), logits), ofThree)
    expectFrequencies(frequencies(sample({ minP: 0.45 }), logits), ofThree)
    expectFrequencies(frequencies(sample({ topK: 3, topP: 0.7 }), logits), [4 / 7, 0, 3 / 7, 0])
    expectFrequencies(frequencies(nucleus(1, { topK: 1 }), logits), [1, 0, 0, 0])
  })

  it('inverts the distribution function: the ends of [0, 1) reach the first and last possible token', () => {
    const row = () => Float32Array.of(-Infinity, 0, 0, -Infinity)
    expect(sample().choose(row(), () => 0)).toBe(1)
    expect(sample().choose(row(), () => 0.499)).toBe(1)
    expect(sample().choose(row(), () => 0.5)).toBe(2)
    expect(sample().choose(row(), () => 1 - 2 ** -53)).toBe(2)
  })

  it('takes top-k 0 for no limit, as generation configurations mean it', () => {
    expectFrequencies(frequencies(sample({ topK: 0, topP: 1, temperature: 1 }), logits), probabilities)
  })
})

describe('errors', () => {
  it.each([[[Number.NaN, Number.NaN]], [[-Infinity, -Infinity]], [[Infinity, 0]]])(
    'refuses to choose among %s',
    (row) => {
      expect(() => greedy().choose(Float32Array.from(row), never)).toThrow(RuntimeError)
      expect(() => sample().choose(Float32Array.from(row), () => 0.5)).toThrow(RuntimeError)
    },
  )

  it('refuses to sample where one logit is not a number', () => {
    expect(() => sample().choose(Float32Array.of(1, Number.NaN), () => 0.5)).toThrow(RuntimeError)
  })

  it.each([
    () => sample({ temperature: 0 }),
    () => sample({ topK: -1 }),
    () => nucleus(2),
    () => beamSearch({ beams: 0 }),
    () => beamSearch({ beams: 2, returnSequences: 3 }),
    () => beamSearch({ beams: 2, lengthPenalty: Number.NaN }),
    () => beamSearch({ beams: 4, beamGroups: 3 }),
    () => beamSearch({ beams: 4, beamGroups: 0 }),
    () => beamSearch({ beams: 4, beamGroups: 2, diversityPenalty: -1 }),
  ])('refuses options out of range: %s', (make) => {
    expect(make).toThrow(UsageError)
  })
})
