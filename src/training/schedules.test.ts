import { describe, expect, it } from 'vitest'
import { ConfigError } from '../errors.js'
import type { ScheduleOptions } from './schedules.js'
import { schedule } from './schedules.js'

const shakespeare: ScheduleOptions = {
  schedule: 'cosine',
  learningRate: 1e-3,
  minimumLearningRate: 1e-4,
  warmup: 100,
  totalSteps: 2000,
}

describe('schedule', () => {
  // Python: the get_lr of nanoGPT with learning_rate 1e-3, min_lr 1e-4, warmup_iters 100, lr_decay_iters 2000.
  it.each([
    [0, 9.900990099009901e-6],
    [49, 0.0004950495049504951],
    [99, 0.0009900990099009901],
    [100, 1e-3],
    [101, 0.0009999993848585915],
    [575, 0.0008681980515339464],
    [1050, 5.5e-4],
    [1999, 0.00010000061514140841],
    [2000, 1e-4],
    [5000, 1e-4],
  ])('cosine is %d ↦ %d, as in nanoGPT', (step, expected) => {
    expect(schedule(shakespeare)(step)).toBeCloseTo(expected, 15)
  })

  // warm-up of 4: 1/5 … 4/5; then a line from 1 at step 4 to 0.2 at step 12, 0.1 lower a step
  it.each([
    [0, 0.2],
    [3, 0.8],
    [4, 1],
    [5, 0.9],
    [8, 0.6],
    [12, 0.2],
    [20, 0.2],
  ])('linear is %d ↦ %d', (step, expected) => {
    const rate = schedule({ schedule: 'linear', learningRate: 1, minimumLearningRate: 0.2, warmup: 4, totalSteps: 12 })
    expect(rate(step)).toBeCloseTo(expected, 14)
  })

  it('constant stays after its warm-up', () => {
    const rate = schedule({ schedule: 'constant', learningRate: 2, warmup: 1 })
    expect([0, 1, 2, 1e6].map(rate)).toEqual([1, 2, 2, 2])
    expect(schedule({ schedule: 'constant', learningRate: 2 })(0)).toBe(2)
  })

  // C = 512, w = 4000: C^-0.5 · min(n^-0.5, n · w^-1.5), evaluated in Python
  it.each([
    [0, 1.746928107421711e-7],
    [3999, 0.0006987712429686843],
    [99_999, 0.00013975424859373687],
  ])('inverse square root is %d ↦ %d, as in the Transformer', (step, expected) => {
    const rate = schedule({ schedule: 'inverse-square-root', learningRate: (512 * 4000) ** -0.5, warmup: 4000 })
    expect(rate(step)).toBeCloseTo(expected, 15)
  })

  it('noam is proportional to min(n^-0.5, n · w^-1.5), its peak the learning rate', () => {
    const [width, warmup] = [256, 1000]
    const rate = schedule({ schedule: 'noam', learningRate: (width * warmup) ** -0.5, warmup })
    for (const n of [1, 10, 999, 1000, 1001, 5000, 123_456]) {
      expect(rate(n - 1)).toBeCloseTo(width ** -0.5 * Math.min(n ** -0.5, n * warmup ** -1.5), 14)
    }
    const peaked = schedule({ schedule: 'noam', learningRate: 2e-3, warmup: 0.1, totalSteps: 50 })
    expect(peaked(4)).toBe(2e-3)
    expect(Math.max(...Array.from({ length: 50 }, (_, step) => peaked(step)))).toBe(2e-3)
  })

  it('inverse square root without warm-up starts at the learning rate', () => {
    const rate = schedule({ schedule: 'inverse-square-root', learningRate: 3 })
    expect([0, 3, 8].map(rate)).toEqual([3, 1.5, 1])
  })

  it('takes a warm-up below 1 as a fraction of the total', () => {
    const fraction = schedule({ ...shakespeare, warmup: 0.05 })
    const steps = schedule(shakespeare)
    for (const step of [0, 50, 99, 100, 1000]) expect(fraction(step)).toBe(steps(step))
  })

  it('stays in a warm-up longer than the training, then at the minimum', () => {
    const rate = schedule({ ...shakespeare, totalSteps: 10 })
    expect(rate(9)).toBeCloseTo(1e-3 * (10 / 101), 15)
    expect(rate(100)).toBe(1e-4)
  })

  it.each([
    [{ learningRate: -1 }, 'expected learningRate to be a number of 0 or more, got -1'],
    [{ learningRate: Number.NaN }, 'expected learningRate'],
    [
      { minimumLearningRate: 0.1 },
      'expected minimumLearningRate to be a number of 0 or more and at most the learning rate',
    ],
    [{ warmup: -2 }, 'expected warmup'],
    [{ totalSteps: undefined }, 'the cosine schedule needs totalSteps of 1 or more, got undefined'],
    [
      { schedule: 'constant' as const, warmup: 0.1, totalSteps: undefined },
      'a warm-up that is a fraction needs totalSteps',
    ],
  ])('refuses %j', (change, message) => {
    expect(() => schedule({ ...shakespeare, ...change })).toThrow(ConfigError)
    expect(() => schedule({ ...shakespeare, ...change })).toThrow(message)
  })
})
