import { describe, expect, it } from 'vitest'
import { constant, input, KeepMask, type Parameter, reachable, type Tensor } from '../graph/index.js'
import { compile, evaluate, float32 } from '../runtime/index.js'
import { activations } from './activation.js'
import { Dropout } from './dropout.js'
import { Embedding } from './embedding.js'
import { FeedForward } from './feed-forward.js'
import { LayerNorm } from './layer-norm.js'
import { Conv1D, Linear } from './linear.js'
import { forTraining, isTraining } from './mode.js'
import type { Module } from './module.js'

const numbers = async (tensor: Tensor) => [...float32(await evaluate(tensor))]

/** Gives the parameters of a module their values, by path. */
function set(module: Module, values: Readonly<Record<string, readonly number[]>>): void {
  const parameters: Record<string, Parameter> = module.parameters()
  expect(Object.keys(parameters)).toEqual(Object.keys(values))
  for (const [path, data] of Object.entries(values)) parameters[path].data = Float32Array.from(data)
}

const x = constant([1, 2, 3, 4, 5, 6], [2, 1, 3])

describe('linear layers', () => {
  it('multiply by a weight [out, in], with or without bias', async () => {
    const [withBias, without] = [new Linear(3, 2), new Linear(3, 2, { bias: false })]
    const weight = [1, 0, -1, 2, 1, 0]
    set(withBias, { weight, bias: [10, 20] })
    set(without, { weight })
    expect(withBias.weight.shape).toEqual([2, 3])
    expect(await numbers(withBias.forward(x))).toEqual([8, 24, 8, 33])
    expect(await numbers(without.forward(x))).toEqual([-2, 4, -2, 13])
    expect(withBias.forward(x).shape).toEqual([2, 1, 2])
  })

  it("multiply by a weight [in, out], as GPT-2's checkpoints have it", async () => {
    const [withBias, without] = [new Conv1D(3, 2), new Conv1D(3, 2, { bias: false })]
    const weight = [1, 2, 0, 1, -1, 0]
    set(withBias, { weight, bias: [10, 20] })
    set(without, { weight })
    expect(withBias.weight.shape).toEqual([3, 2])
    expect(await numbers(withBias.forward(x))).toEqual([8, 24, 8, 33])
    expect(await numbers(without.forward(x))).toEqual([-2, 4, -2, 13])
  })

  it('share the weight of another layer', async () => {
    const embedding = new Embedding(2, 3)
    const head = new Linear(3, 2, { bias: false }, embedding.weight)
    set(embedding, { weight: [1, 0, -1, 2, 1, 0] })
    expect(head.weight).toBe(embedding.weight)
    expect(await numbers(head.forward(x))).toEqual([-2, 4, -2, 13])
  })

  it('start with weights of the given deviation and biases of 0', () => {
    for (const layer of [new Linear(3, 2, { deviation: 0.5 }), new Conv1D(3, 2, { deviation: 0.5 })]) {
      expect(layer.weight.initializer).toEqual({ kind: 'normal', deviation: 0.5 })
      expect(layer.bias?.initializer).toEqual({ kind: 'constant', value: 0 })
    }
    expect(new Linear(3, 2).weight.initializer).toEqual({ kind: 'normal', deviation: 0.02 })
  })
})

describe('an embedding', () => {
  it('is a row per id', async () => {
    const embedding = new Embedding(3, 2)
    set(embedding, { weight: [0, 1, 10, 11, 20, 21] })
    const rows = embedding.forward(constant([2, 0, 2, 1], [2, 2], 'int64'))
    expect(rows.shape).toEqual([2, 2, 2])
    expect(await numbers(rows)).toEqual([20, 21, 0, 1, 20, 21, 10, 11])
  })
})

describe('layer norm', () => {
  it('has a weight, a bias or none, and an epsilon', async () => {
    const [plain, full, blurred] = [
      new LayerNorm(2, { bias: false, epsilon: 0 }),
      new LayerNorm(2, { epsilon: 0 }),
      new LayerNorm(2, { epsilon: 3 }),
    ]
    set(plain, { weight: [1, 2] })
    set(full, { weight: [1, 2], bias: [10, 20] })
    set(blurred, { weight: [1, 1], bias: [0, 0] })
    const rows = constant([1, 3, 5, -5], [2, 2]) // deviations 1 and 5
    expect(await numbers(plain.forward(rows))).toEqual([-1, 2, 1, -2])
    expect(await numbers(full.forward(rows))).toEqual([9, 22, 11, 18])
    expect((await numbers(blurred.forward(rows))).slice(0, 2)).toEqual([-0.5, 0.5]) // √(1 + 3) = 2
    expect([full.weight.initializer, full.bias?.initializer]).toEqual([
      { kind: 'constant', value: 1 },
      { kind: 'constant', value: 0 },
    ])
  })
})

describe('the feed-forward network', () => {
  it('is activation(x·W₁ + b₁)·W₂ + b₂', async () => {
    const layer = new FeedForward({ width: 1, innerWidth: 2, activation: 'relu' })
    set(layer, { 'linear1.weight': [1, -2], 'linear1.bias': [0.5, 1], 'linear2.weight': [3, 5], 'linear2.bias': [100] })
    // inner [x + 0.5, 1 − 2x], cut below 0
    const y = layer.forward(constant([2, -1, -3], [3, 1]))
    expect(await numbers(y)).toEqual([100 + 3 * 2.5, 100 + 5 * 3, 100 + 5 * 7])
  })

  it('knows its activations by name', async () => {
    const one = constant([1], [1])
    const expected = { relu: 1, gelu: 0.8413447, gelu_new: 0.841192, silu: 0.7310586 }
    expect(Object.keys(activations)).toEqual(Object.keys(expected))
    for (const [name, activation] of Object.entries(activations)) {
      expect((await numbers(activation(one)))[0]).toBeCloseTo(expected[name as keyof typeof expected], 6)
    }
  })
})

describe('dropout', () => {
  const ones = input('x', 'float32', ['batch', 50])

  it('is not there outside of training, nor with probability 0', () => {
    expect(new Dropout(0.5).forward(ones)).toBe(ones)
    expect(forTraining(() => new Dropout(0).forward(ones))).toBe(ones)
  })

  it('scales what it keeps, and drops the rest, anew at every step', async () => {
    const y = forTraining(() => new Dropout(0.2).forward(ones))
    expect(reachable([y]).filter((tensor) => tensor instanceof KeepMask).length).toBe(1)
    const program = await compile({ outputs: { y } })
    const feeds = { x: { data: new Float32Array(1000).fill(1), shape: [20, 50] } }
    const run = async (step: number) => [...float32((await program.run(feeds, { random: { seed: 9, step } })).y)]
    const first = await run(1)
    expect(new Set(first)).toEqual(new Set([0, 1.25]))
    const kept = first.filter((value) => value > 0).length
    expect(Math.abs(kept - 800)).toBeLessThan(4 * Math.sqrt(1000 * 0.2 * 0.8))
    expect(await run(2)).not.toEqual(first)
    expect(await run(1)).toEqual(first)
  })

  it('is decided while the graph is built: the mode ends with the building, also with one that throws', () => {
    expect(isTraining()).toBe(false)
    expect(forTraining(() => forTraining(isTraining) && isTraining())).toBe(true)
    expect(() =>
      forTraining(() => {
        throw new RangeError('on purpose')
      }),
    ).toThrow(RangeError)
    expect(isTraining()).toBe(false)
  })
})
