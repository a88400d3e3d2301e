import { describe, expect, it } from 'vitest'
import { ConfigError, UsageError } from '../../errors.js'
import { ParameterMemory } from '../../runtime/memory.js'
import { AdamW, type AdamWOptions } from './adamw.js'

const START = { a: [0.5, -0.25, 1, 0, -2], b: [1, -1, 0.125] }
const OPTIONS = {
  betas: [0.9, 0.95],
  epsilon: 1e-8,
  weightDecay: 0.1,
  decays: (name: string) => name === 'a',
  clip: 1.5,
} as const
const LEARNING_RATE = 0.01

/** Two parameters, each in a segment of its own. */
function makeMemory(): ParameterMemory {
  const parameters = Object.entries(START).map(([name, values]) => ({ name, length: values.length }))
  const memory = new ParameterMemory(parameters, { trainable: true, segmentBytes: 256 })
  memory.get('a').value.set(START.a)
  memory.get('b').value.set(START.b)
  return memory
}

/** Element i of the eight at step t; exact in float32. Some steps are clipped, some are not. */
function gradientAt(i: number, t: number): number {
  return ((((i * 7 + t * 5) % 11) - 5) / 8) * ((t % 3) + 1)
}

function setGradients(memory: ParameterMemory, t: number): void {
  memory.get('a').gradient.set(START.a.map((_, i) => gradientAt(i, t)))
  memory.get('b').gradient.set(START.b.map((_, i) => gradientAt(5 + i, t)))
}

function valuesOf(memory: ParameterMemory): number[] {
  return [...memory].flatMap(({ value }) => [...value])
}

function train(options: AdamWOptions, steps: number) {
  const memory = makeMemory()
  const optimizer = new AdamW(memory, options)
  const norms: number[] = []
  for (let t = 1; t <= steps; t++) {
    setGradients(memory, t)
    norms.push(optimizer.step(LEARNING_RATE).gradientNorm)
  }
  return { memory, optimizer, norms }
}

/** Algorithm 2 of Loshchilov & Hutter 2019 after the clipping of Pascanu et al. 2013, in float64. */
function reference(steps: number, clip: number): { values: number[]; norms: number[] } {
  const values = [...START.a, ...START.b]
  const m = values.map(() => 0)
  const v = values.map(() => 0)
  const norms: number[] = []
  for (let t = 1; t <= steps; t++) {
    const gradient = values.map((_, i) => gradientAt(i, t))
    norms.push(Math.hypot(...gradient))
    const factor = Math.min(1, clip / (norms[t - 1] + 1e-6))
    gradient.forEach((raw, i) => {
      const g = raw * factor
      m[i] = 0.9 * m[i] + 0.1 * g
      v[i] = 0.95 * v[i] + 0.05 * g * g
      if (i < 5) values[i] *= 1 - LEARNING_RATE * 0.1
      values[i] -= (LEARNING_RATE * (m[i] / (1 - 0.9 ** t))) / (Math.sqrt(v[i] / (1 - 0.95 ** t)) + 1e-8)
    })
  }
  return { values, norms }
}

function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual).toHaveLength(expected.length)
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i]), `element ${i}: ${value} against ${expected[i]}`).toBeLessThan(tolerance)
  })
}

describe('AdamW', () => {
  it('follows float64 AdamW for 50 steps, with clipping', () => {
    const expected = reference(50, 1.5)
    expect(Math.min(...expected.norms)).toBeLessThan(1.5)
    const { memory, norms } = train(OPTIONS, 50)
    expectClose(valuesOf(memory), expected.values, 2e-6)
    expectClose(norms, expected.norms, 1e-12)
  })

  it('follows float64 AdamW for 50 steps, without clipping', () => {
    const { clip: _, ...unclipped } = OPTIONS
    expectClose(valuesOf(train(unclipped, 50).memory), reference(50, Number.POSITIVE_INFINITY).values, 2e-6)
  })

  it('updates a table whose rows are tracked to the same bits as one whose rows are not', () => {
    const [rows, width] = [7, 5]
    const make = () => {
      const memory = new ParameterMemory([{ name: 'a', length: rows * width, rows }], { trainable: true })
      memory.get('a').value.set(Array.from({ length: rows * width }, (_, i) => Math.sin(i)))
      return { memory, slot: memory.get('a'), optimizer: new AdamW(memory, OPTIONS) }
    }
    const [tracked, whole] = [make(), make()]
    for (let t = 0; t < 12; t++) {
      // As where a run is resumed, the rows are learnt from the moments.
      if (t === 8) tracked.optimizer.steps = t
      tracked.slot.rows?.clear(tracked.slot)
      whole.slot.gradient.fill(0)
      for (const row of [(3 * t) % 5, t % 2]) {
        for (let i = row * width; i < (row + 1) * width; i++) {
          for (const { gradient } of [tracked.slot, whole.slot]) gradient[i] = gradientAt(i, t)
        }
        tracked.slot.rows?.add(row)
      }
      expect(tracked.optimizer.step(LEARNING_RATE)).toEqual(whole.optimizer.step(LEARNING_RATE))
    }
    // The last two rows never had a gradient.
    expect([...(tracked.slot.rows?.states ?? [])].map((state) => state > 0)).toEqual([
      ...Array(5).fill(true),
      false,
      false,
    ])
    expect(tracked.slot.value).toEqual(whole.slot.value)
    expect(tracked.slot.firstMoment).toEqual(whole.slot.firstMoment)
    expect(tracked.slot.secondMoment).toEqual(whole.slot.secondMoment)
  })

  // torch 2.15.0:
  //   a = Parameter(tensor([0.5, -0.25, 1.0, 0.0, -2.0])); b = Parameter(tensor([1.0, -1.0, 0.125]))
  //   groups = [{'params': [a], 'weight_decay': 0.1}, {'params': [b], 'weight_decay': 0.0}]
  //   optimizer = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.95), eps=1e-8)
  //   for t in range(1, 51):
  //     for offset, p in ((0, a), (5, b)):
  //       i = torch.arange(offset, offset + len(p))
  //       p.grad = ((i * 7 + t * 5) % 11 - 5).float() / 8 * (t % 3 + 1)
  //     norm = torch.nn.utils.clip_grad_norm_([a, b], 1.5); optimizer.step()
  it.each([
    {
      steps: 1,
      norm: 2.291287899017334,
      values: [
        0.499500006, -0.239749998, 0.989000022, 0.00999999978, -1.98800004, 0.99000001, -0.99000001, 0.115000002,
      ],
    },
    {
      steps: 50,
      norm: 3.311910390853882,
      values: [
        0.433042258, -0.211078539, 0.949399292, -0.00786262099, -1.88673484, 1.00918102, -0.976908207, 0.090805687,
      ],
    },
  ])('agrees with torch.optim.AdamW after $steps steps', ({ steps, norm, values }) => {
    const { memory, norms } = train(OPTIONS, steps)
    expectClose(valuesOf(memory), values, 2e-6)
    expectClose(norms.slice(-1), [norm], 1e-6)
  })

  it('resumes exactly from values, moments and the number of steps', () => {
    const whole = train(OPTIONS, 7)
    const first = train(OPTIONS, 4)
    const memory = makeMemory()
    for (const slot of memory) {
      const saved = first.memory.get(slot.name)
      slot.value.set(saved.value)
      slot.firstMoment.set(saved.firstMoment)
      slot.secondMoment.set(saved.secondMoment)
    }
    const optimizer = new AdamW(memory, OPTIONS)
    optimizer.steps = first.optimizer.steps
    for (let t = 5; t <= 7; t++) {
      setGradients(memory, t)
      optimizer.step(LEARNING_RATE)
    }
    expect(optimizer.steps).toBe(7)
    expect(valuesOf(memory)).toEqual(valuesOf(whole.memory))
  })

  it('clips inside the update only: the gradients stay as they are', () => {
    const { memory } = train(OPTIONS, 1)
    expect([...memory.get('b').gradient]).toEqual(START.b.map((_, i) => gradientAt(5 + i, 1)))
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('changes nothing where a gradient is %d', (bad) => {
    const { memory, optimizer } = train(OPTIONS, 3)
    const state = () => [...memory].flatMap((slot) => [...slot.value, ...slot.firstMoment, ...slot.secondMoment])
    const before = state()
    memory.get('b').gradient[2] = bad
    expect(optimizer.step(LEARNING_RATE).gradientNorm).toBe(bad)
    expect(state()).toEqual(before)
    expect(optimizer.steps).toBe(3)
  })

  it('refuses memory without gradients and options out of range', () => {
    const frozen = new ParameterMemory([{ name: 'a', length: 1 }], { trainable: false })
    expect(() => new AdamW(frozen, OPTIONS)).toThrow(UsageError)
    const memory = makeMemory()
    const bad: Partial<AdamWOptions>[] = [
      { betas: [1, 0.9] },
      { betas: [0.9, -0.1] },
      { epsilon: 0 },
      { weightDecay: -1 },
      { clip: 0 },
      { clip: Number.NaN },
    ]
    for (const options of bad) expect(() => new AdamW(memory, { ...OPTIONS, ...options })).toThrow(ConfigError)
  })

  it('refuses learning rates and step counts that are none', () => {
    const { optimizer } = train(OPTIONS, 1)
    for (const bad of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      expect(() => optimizer.step(bad)).toThrow(UsageError)
    }
    for (const bad of [-1, 0.5]) {
      expect(() => {
        optimizer.steps = bad
      }).toThrow(UsageError)
    }
  })
})
