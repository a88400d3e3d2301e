import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../autodiff/index.js'
import { ConfigError } from '../errors.js'
import { constant, findTensor, input, KeepMask, reachable, type Tensor } from '../graph/index.js'
import { pad } from '../graph/operations/index.js'
import { compile, evaluate, float32, type TensorValue } from '../runtime/index.js'
import {
  attend,
  checkHeads,
  dotProductAttention,
  joinHeads,
  type LayerCache,
  MultiHeadAttention,
  splitHeads,
} from './attention.js'
import { Dropout } from './dropout.js'
import { Mask } from './mask.js'
import { forTraining } from './mode.js'
import { PaddedLayout } from './sequence-layout.js'

const [B, T, S, C, H] = [2, 3, 4, 4, 2]
const D = C / H

/** Numbers in (−1, 1) without a pattern. */
const values = (n: number, seed: number) =>
  Array.from({ length: n }, (_, i) => Math.fround(Math.sin(seed + 12.9898 * i * i)))

const x = values(B * T * C, 1)
const memory = values(B * S * C, 2)

type Weights = Readonly<Record<string, readonly number[]>>

/** How often a weight of position t for position s counts: 0 where masked or dropped. */
interface Pairs {
  readonly allowed?: (b: number, t: number, s: number) => boolean
  readonly keep?: (b: number, h: number, t: number, s: number) => number
}

/** Multi-head attention in doubles, from its definition, one loop per index; x [B, T, C], memory [B, length, C]. */
function naiveAttention(
  x: readonly number[],
  memory: readonly number[],
  weights: Weights,
  pairs: Pairs = {},
): number[] {
  const { allowed = () => true, keep = () => 1 } = pairs
  const length = memory.length / (B * C)
  const project = (rows: readonly number[], row: number, name: string, column: number) => {
    let sum = weights[`${name}.bias`]?.[column] ?? 0
    for (let i = 0; i < C; i++) sum += rows[row * C + i] * weights[`${name}.weight`][column * C + i]
    return sum
  }
  const mixed = Array<number>(x.length).fill(0)
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      for (let t = 0; t < T; t++) {
        const scores = Array.from({ length }, (_, s) => {
          let score = 0
          for (let d = h * D; d < (h + 1) * D; d++) {
            score += project(x, b * T + t, 'q_proj', d) * project(memory, b * length + s, 'k_proj', d)
          }
          return allowed(b, t, s) ? Math.exp(score / Math.sqrt(D)) : 0
        })
        const total = scores.reduce((a, b) => a + b)
        for (let s = 0; s < length; s++) {
          for (let d = h * D; d < (h + 1) * D; d++) {
            const value = project(memory, b * length + s, 'v_proj', d)
            mixed[(b * T + t) * C + d] += (scores[s] / total) * keep(b, h, t, s) * value
          }
        }
      }
    }
  }
  return mixed.map((_, i) => project(mixed, Math.floor(i / C), 'out_proj', i % C))
}

/** An attention with known weights, also as plain numbers. */
function makeAttention({ bias = true, dropout = 0 } = {}) {
  const attention = new MultiHeadAttention({ width: C, heads: H, bias, dropout })
  const parameters = attention.parameters()
  const weights: Record<string, number[]> = {}
  for (const [i, [path, parameter]] of Object.entries(parameters).entries()) {
    weights[path] = values(parameter.size, 10 + i)
    parameter.data = Float32Array.from(weights[path])
  }
  return { attention, parameters, weights }
}

function expectNear(actual: TensorValue, expected: readonly number[], tolerance = 2e-6): void {
  const data = float32(actual)
  expect(data.length).toBe(expected.length)
  for (const [i, value] of expected.entries()) {
    if (!(Math.abs(data[i] - value) <= tolerance)) expect.fail(`element ${i} is ${data[i]}, expected ${value}`)
  }
}

const tensorX = constant(x, [B, T, C])
const tensorMemory = constant(memory, [B, S, C])

/** Attention of grids x [B, T, C] to a memory [B, S, C], or to themselves. */
function attendTo(
  attention: MultiHeadAttention,
  x: Tensor,
  { memory = x, mask, cache }: { memory?: Tensor; mask?: Mask; cache?: LayerCache } = {},
): Tensor {
  const [rows, layout] = inRows(x)
  const y =
    memory === x
      ? attention.toItself(rows, layout, mask, cache)
      : attention.forward(rows, layout, attention.remember(...inRows(memory)), mask)
  return y.reshape(x.shape)
}

function inRows(x: Tensor): [Tensor, PaddedLayout] {
  const [batch, length, width] = x.shape.map(Number)
  return [
    x.reshape([batch * length, width]),
    new PaddedLayout(constant(Array(batch * length).fill(1), [batch, length], 'bool')),
  ]
}
/** More than any score, added to what is forbidden. */
const forbidden = 1e9
const causal = (_b: number, t: number, s: number) => s <= t

describe('multi-head attention against its definition', () => {
  it.each([true, false])('to itself, causally, bias %s', async (bias) => {
    const { attention, weights } = makeAttention({ bias })
    const y = attendTo(attention, tensorX, { mask: Mask.causal(T) })
    expectNear(await evaluate(y), naiveAttention(x, x, weights, { allowed: causal }))
  })

  it('to a memory of another length, with padding', async () => {
    const { attention, weights } = makeAttention()
    const keep = [1, 1, 1, 0, 0, 1, 1, 1]
    const mask = Mask.padding(constant(keep, [B, S], 'bool'))
    const y = attendTo(attention, tensorX, { memory: tensorMemory, mask })
    const allowed = (b: number, _t: number, s: number) => keep[b * S + s] === 1
    expectNear(await evaluate(y), naiveAttention(x, memory, weights, { allowed }))
  })

  it('with dropout of the weights, in training', async () => {
    const { attention, weights } = makeAttention({ dropout: 0.5 })
    const y = forTraining(() => attendTo(attention, tensorX))
    const [mask] = reachable([y]).filter((tensor) => tensor instanceof KeepMask)
    const program = await compile({ outputs: { y, mask } })
    const result = await program.run({}, { random: { seed: 1, step: 2 } })
    const kept = Array.from(result.mask.data, Number)
    expect(kept.filter((value) => value === 0).length).toBeGreaterThan(5)
    const keep = (b: number, h: number, t: number, s: number) => 2 * kept[((b * H + h) * T + t) * T + s]
    expectNear(result.y, naiveAttention(x, x, weights, { keep }), 5e-6)
    expectNear(await evaluate(attendTo(attention, tensorX)), naiveAttention(x, x, weights))
  })

  it('has the gradients that finite differences of the definition give', async () => {
    const { attention, parameters, weights } = makeAttention()
    const y = attendTo(attention, tensorX, { memory: tensorMemory })
    const outputGradient = values(B * T * C, 3)
    const found = gradients(
      y,
      { ...parameters, x: tensorX, memory: tensorMemory },
      { outputGradient: constant(outputGradient, [B, T, C]) },
    )
    const dense = Object.fromEntries(Object.entries(found).map(([name, gradient]) => [name, toDense(gradient)]))
    const program = await compile({ outputs: dense })
    const result = await program.run()
    const arrays: Weights = { ...weights, x, memory }
    const loss = (changed: Weights) =>
      naiveAttention(changed.x, changed.memory, changed).reduce((sum, value, i) => sum + value * outputGradient[i], 0)
    for (const [name, array] of Object.entries(arrays)) {
      const shifted = (i: number, h: number) =>
        loss({ ...arrays, [name]: array.map((value, j) => value + (i === j ? h : 0)) })
      const expected = array.map((_, i) => (shifted(i, 1e-4) - shifted(i, -1e-4)) / 2e-4)
      expectNear(result[name], expected, 1e-5)
    }
  })
})

describe('attention with a scale of its own', () => {
  it.each([1, 0.3])('multiplies products by %d', async (scale) => {
    const q = constant([1, 2], [1, 1, 1, 2])
    const segments = { keys: [constant([3, 0, 0, 1], [1, 1, 2, 2])], values: [constant([5, 7], [1, 1, 2, 1])] }
    const y = dotProductAttention(q, segments, { mask: undefined, dropout: new Dropout(0), scale })
    const [first, second] = [Math.exp(3 * scale), Math.exp(2 * scale)]
    expectNear(await evaluate(y), [(5 * first + 7 * second) / (first + second)])
  })
})

describe('attention over cached keys and values', () => {
  /** A cache that holds earlier keys and values in segments. */
  const cacheOf = (keys: readonly Tensor[], values: readonly Tensor[]): LayerCache => ({
    extend: (k, v) => ({ keys: [...keys, k], values: [...values, v] }),
  })

  it('equals attention over all of them, in as many segments as there are', async () => {
    const { attention } = makeAttention()
    const { k_proj, v_proj } = attention
    const whole = await evaluate(attendTo(attention, tensorX, { mask: Mask.causal(T) }))
    const parts = tensorX.split(1, [1, 1, 1])
    const [keys, cachedValues] = [k_proj, v_proj].map((projection) =>
      parts.slice(0, 2).map((part) => splitHeads(projection.forward(part), H)),
    )
    const last = await evaluate(attendTo(attention, parts[2], { cache: cacheOf(keys, cachedValues) }))
    const rows = Array.from({ length: B }, (_, b) => [...float32(whole)].slice((b * T + 2) * C, (b * T + 3) * C))
    expectNear(last, rows.flat())
  })

  it('may begin with none, or go on from whatever number there is at run time', async () => {
    const { attention, weights } = makeAttention()
    const past = input('past', 'float32', [B, H, 'past', D])
    // The cached positions, here unseen, come before all new ones.
    const seen = pad(Mask.causal(T).bias.add(forbidden), { axis: -1, before: 'past', after: 0 }).sub(forbidden)
    const y = attendTo(attention, tensorX, { mask: new Mask(seen), cache: cacheOf([past], [past]) })
    const program = await compile({ outputs: { y } })
    for (const length of [0, 3]) {
      const shape = [B, H, length, D]
      const data = new Float32Array(B * H * length * D).fill(0.5)
      expectNear((await program.run({ past: { data, shape } })).y, naiveAttention(x, x, weights, { allowed: causal }))
    }
  })
})

describe('keys that are masked', () => {
  it('change nothing at all, whatever they are', async () => {
    const { attention } = makeAttention()
    const mask = Mask.padding(constant([1, 1, 1, 0, 1, 1, 1, 0], [B, S], 'bool'))
    const other = memory.map((value, i) => (i % (S * C) >= 3 * C ? 50 * value + 9 : value))
    const outputs = [memory, other].map((data) =>
      evaluate(attendTo(attention, tensorX, { memory: constant(data, [B, S, C]), mask })),
    )
    const [first, second] = await Promise.all(outputs)
    expect(float32(second)).toEqual(float32(first))
  })

  it('get and give no gradient', async () => {
    const { attention } = makeAttention()
    const keep = constant([1, 1, 1, 0, 1, 1, 1, 0], [B, S], 'bool')
    const y = attendTo(attention, tensorX, { memory: tensorMemory, mask: Mask.padding(keep) })
    const gradient = float32(await evaluate(toDense(gradients(y.mul(y).sum(), [tensorMemory])[0])))
    const [padded, seen] = [true, false].map((isPadded) =>
      [...gradient].filter((_, i) => i % (S * C) >= 3 * C === isPadded),
    )
    expect(padded.every((value) => value === 0)).toBe(true)
    expect(seen.every((value) => value !== 0)).toBe(true)
  })

  it('give finite outputs and gradients where they are all there is', async () => {
    const { attention } = makeAttention()
    const none = Mask.padding(constant(Array(B * S).fill(0), [B, S], 'bool'))
    const y = attendTo(attention, tensorX, { memory: tensorMemory, mask: none })
    const program = await compile({ outputs: { y, gradient: toDense(gradients(y.sum(), [tensorMemory])[0]) } })
    const result = await program.run()
    for (const value of Object.values(result)) expect(float32(value).every(Number.isFinite)).toBe(true)
  })
})

describe('heads', () => {
  it('are consecutive parts of the width', async () => {
    const counting = constant(
      Array.from({ length: 12 }, (_, i) => i),
      [1, 3, 4],
    )
    const heads = splitHeads(counting, 2)
    expect(heads.shape).toEqual([1, 2, 3, 2])
    expect([...float32(await evaluate(heads))]).toEqual([0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11])
    const joined = await evaluate(joinHeads(heads))
    expect([joined.shape, [...float32(joined)]]).toEqual([[1, 3, 4], [...Array(12).keys()]])
  })

  it('must divide the width', () => {
    expect(() => checkHeads(12, 4)).not.toThrow()
    expect(() => new MultiHeadAttention({ width: 10, heads: 4 })).toThrow(ConfigError)
    expect(() => checkHeads(10, 4)).toThrow('width 10 does not divide among 4 heads; use a width such as 8 or 12')
    expect(() => checkHeads(3, 4)).toThrow('use a width such as 4')
  })

  it('have weights that can be found by name, rows of which sum to 1', async () => {
    const y = attend(
      constant(values(B * H * T * D, 5), [B, H, T, D]),
      {
        keys: [constant(values(B * H * S * D, 6), [B, H, S, D])],
        values: [constant(values(B * H * S * D, 7), [B, H, S, D])],
      },
      undefined,
      new Dropout(0),
    )
    const { data, shape } = await evaluate(findTensor([y], 'weights').sum([-1]))
    expect(shape).toEqual([B, H, T])
    for (const sum of data) expect(Number(sum)).toBeCloseTo(1, 6)
  })
})

describe('attention whose heads of queries share those of keys and values', () => {
  /** Sizes [B, heads, positions, D]: 6 heads of queries on 2 of keys, in one segment or in two. */
  const [G, each, past] = [2, 3, 2]
  const q = constant(values(B * G * each * T * D, 5), [B, G * each, T, D])
  const part = (length: number, seed: number) => constant(values(B * G * length * D, seed), [B, G, length, D])
  const [k, v, oldK, oldV] = [part(T, 6), part(T, 7), part(past, 8), part(past, 9)]
  const seed = constant(values(B * G * each * T * D, 10), [B, G * each, T, D])

  /** Each head of keys and values as often as there are heads of queries. */
  function repeated(x: Tensor): Tensor {
    const [, , length] = x.shape
    return x
      .unsqueeze(2)
      .expand([B, G, each, length, D])
      .reshape([B, G * each, length, D])
  }

  it.each([
    ['one segment', [k], [v], Mask.causal(T)],
    ['two segments', [oldK, k], [oldV, v], undefined],
  ])('is that with heads repeated, and so are its gradients, of %s', async (_name, keys, segments, mask) => {
    const results = [(x: Tensor) => x, repeated].map((spread) => {
      const output = attend(q, { keys: keys.map(spread), values: segments.map(spread) }, mask, new Dropout(0))
      const leaves = { q, ...keys, ...Object.fromEntries(segments.map((x, i) => [`v${i}`, x])) }
      const found = Object.entries(gradients(output, leaves, { outputGradient: seed }))
      return { output, ...Object.fromEntries(found.map(([name, gradient]) => [`d${name}`, toDense(gradient)])) }
    })
    const [shared, alone] = await Promise.all(
      results.map(async (outputs) => {
        const program = await compile({ outputs })
        const result: Record<string, TensorValue> = await program.run()
        await program.dispose()
        return result
      }),
    )
    expect(Object.keys(shared)).toHaveLength(2 + 2 * keys.length)
    for (const [name, { data }] of Object.entries(alone)) {
      for (const [i, value] of data.entries()) expect(Number(shared[name].data[i]), name).toBeCloseTo(Number(value), 5)
    }
  })

  it('needs as many queries for each', () => {
    const uneven = constant(values(B * 3 * T * D, 1), [B, 3, T, D])
    expect(() => attend(uneven, { keys: [k], values: [v] }, undefined, new Dropout(0))).toThrow(
      /3 heads of queries do not divide among 2/,
    )
  })
})
