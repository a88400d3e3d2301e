import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { input, inScope, KeepMask, type Tensor } from '../graph/index.js'
import { Dropout, forTraining } from '../nn/index.js'
import { KeepMasks, type RandomKey } from './keep-masks.js'
import { compile, evaluate } from './program.js'

const sizes = new Map([['batch', 3]])

/** The mask of a dropout of 1000 elements at a place. */
function draw(place: string, random: RandomKey, probability = 0.3): Uint8Array {
  const mask = inScope(place, () => new KeepMask([10, 100], probability))
  const drawn = new KeepMasks(new Map<Tensor, string>([[mask, mask.name]])).draw(sizes, random)
  return Uint8Array.from(drawn.get(mask)!.data)
}

describe('keep-masks', () => {
  const first = draw('h.0.drop', { seed: 7, step: 3 })

  it('are a function of seed, step and name', () => {
    expect(draw('h.0.drop', { seed: 7, step: 3 })).toEqual(first)
    const others = [
      draw('h.0.drop', { seed: 8, step: 3 }),
      draw('h.0.drop', { seed: 7, step: 4 }),
      draw('h.1.drop', { seed: 7, step: 3 }),
    ]
    for (const other of others) {
      // Independent masks agree where both keep or both drop: 0.7² + 0.3² = 0.58 of 1000, with a deviation of 15.6.
      const agreeing = other.reduce((count, keep, i) => count + Number(keep === first[i]), 0)
      expect(Math.abs(agreeing - 580)).toBeLessThan(4 * 15.6)
    }
  })

  it('keep elements with probability 1 − p', () => {
    for (const probability of [0, 0.1, 0.5, 0.9]) {
      const kept = draw('rate', { seed: 1, step: 0 }, probability).reduce((sum, keep) => sum + keep, 0)
      const deviation = Math.sqrt(1000 * probability * (1 - probability))
      expect(Math.abs(kept - 1000 * (1 - probability))).toBeLessThanOrEqual(4 * deviation)
    }
  })

  it('are those that the reference implementation in Python draws', async () => {
    const url = new URL('../../test/fixtures/random.json', import.meta.url)
    const { masks } = JSON.parse(readFileSync(url, 'utf8'))
    expect(masks.length).toBeGreaterThan(0)
    for (const { seed, step, place, shape, probability, kept } of masks) {
      const mask = inScope(place, () => new KeepMask(shape, probability))
      const { data } = await evaluate(mask.cast('int32'), {}, { random: { seed, step } })
      expect(Array.from(data, Number)).toEqual(kept)
    }
  })

  it('of one module that drops twice are two, however little it is named', async () => {
    for (const path of ['', 'encoder.drop']) {
      const module = new Dropout(0.5)
      const [once, twice] = inScope(path, () =>
        forTraining(() => {
          const x = input('x', 'float32', [64])
          const y = module.forward(x)
          return [y, module.forward(y)]
        }),
      )
      const program = await compile({ outputs: { once, twice } })
      const feeds = Object.fromEntries([...program.inputs.keys()].map((name) => [name, new Float32Array(64).fill(1)]))
      const result = await program.run(feeds, { random: { seed: 1, step: 1 } })
      const kept = (data: ArrayLike<unknown>) =>
        Array.from(data, (value) => Number(value !== 0)).reduce((a, b) => a + b)
      expect(kept(result.once.data)).toBeGreaterThan(20)
      // The same mask twice would leave as many as once.
      expect(kept(result.twice.data)).toBeLessThan(kept(result.once.data) - 5)
      expect(Math.max(...Array.from(result.twice.data, Number))).toBe(4)
    }
  })

  it('fit the sizes of each run: growing, shrinking, always the first of one stream', () => {
    const mask = inScope('drop', () => new KeepMask(['batch', 7], 0.5))
    const masks = new KeepMasks(new Map<Tensor, string>([[mask, 'drop']]))
    const of = (batch: number) => {
      const { data, shape } = masks.draw(new Map([['batch', batch]]), { seed: 5, step: 2 }).get(mask)!
      expect(shape).toEqual([batch, 7])
      return [...data]
    }
    const long = of(40)
    expect(long.length).toBe(280)
    expect(of(2)).toEqual(long.slice(0, 14))
    expect(of(60).slice(0, 280)).toEqual(long)
    expect(of(40)).toEqual(long)
  })

  it('of several places in one program do not depend on each other', () => {
    const [a, b] = ['a', 'b'].map((place) => inScope(place, () => new KeepMask([10, 100], 0.3)))
    const names = new Map<Tensor, string>([
      [a, 'a'],
      [input('x', 'float32', [1]), 'x'],
      [b, 'b'],
    ])
    const drawn = new KeepMasks(names).draw(sizes, { seed: 7, step: 3 })
    expect(drawn.size).toBe(2)
    expect(Uint8Array.from(drawn.get(a)!.data)).toEqual(draw('a', { seed: 7, step: 3 }))
    expect(Uint8Array.from(drawn.get(b)!.data)).toEqual(draw('b', { seed: 7, step: 3 }))
  })

  it('need a key, where there are any', async () => {
    const mask = inScope('h.2.drop', () => new KeepMask([2], 0.5))
    const masks = new KeepMasks(new Map<Tensor, string>([[mask, mask.name]]))
    expect(() => masks.draw(sizes, undefined)).toThrow(UsageError)
    expect(() => masks.draw(sizes, undefined)).toThrow(
      "run: the graph has dropout at 'h.2.drop': give random: { seed, step }",
    )
    expect(new KeepMasks(new Map()).draw(sizes, undefined).size).toBe(0)
    await expect(evaluate(mask.cast('int32'))).rejects.toThrow(UsageError)
  })
})
