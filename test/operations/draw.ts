import fc, { type GeneratorValue } from 'fast-check'
import { count, type Sample } from './array.js'

/** What the floats of a sample look like. */
export type Kind = 'any' | 'positive' | 'nonzero' | 'distinct'

/** Most elements of a drawn shape: enough for every axis to matter, few enough for finite differences. */
const mostElements = 48

/** Random shapes, numbers and arrays, drawn through fast-check so that failures shrink. */
export class Draw {
  readonly #generate: GeneratorValue

  constructor(generate: GeneratorValue) {
    this.#generate = generate
  }

  integer(min: number, max: number): number {
    return this.#generate(fc.integer, { min, max })
  }

  boolean(): boolean {
    return this.#generate(fc.boolean)
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)]
  }

  /** A shape with sizes 1 – 5 and at most {@link mostElements} elements. */
  shape(minRank = 0, maxRank = 4): number[] {
    const shape: number[] = []
    for (let rank = this.integer(minRank, maxRank); shape.length < rank; ) {
      shape.push(this.integer(1, Math.min(5, Math.floor(mostElements / count(shape)))))
    }
    return shape
  }

  /** An axis of a tensor, counted from the front or from the back. */
  axis(rank: number): number {
    return this.integer(-rank, rank - 1)
  }

  /** Some of the axes, each at most once, or undefined for all of them. */
  axes(rank: number): number[] | undefined {
    if (rank === 0 || this.integer(0, 4) === 0) return undefined
    const axes = Array.from({ length: rank }, (_, axis) => axis).filter(() => this.boolean())
    return axes.map((axis) => (this.boolean() ? axis : axis - rank))
  }

  /** A shape that broadcasts to the given one: leading axes may be missing, any size may be 1. */
  narrower(shape: readonly number[]): number[] {
    return shape.slice(this.integer(0, shape.length)).map((size) => (this.integer(0, 2) === 0 ? 1 : size))
  }

  /** The numbers 0 … n − 1 in a random order. */
  permutation(n: number): number[] {
    return this.#generate(fc.shuffledSubarray<number>, [...Array(n).keys()], { minLength: n, maxLength: n })
  }

  floats(shape: readonly number[], kind: Kind = 'any'): Sample {
    const random = generator(this.integer(0, 2 ** 31 - 1))
    const order = kind === 'distinct' ? shuffled(count(shape), random) : []
    const data = Float64Array.from({ length: count(shape) }, (_, i) => {
      const uniform = random()
      if (kind === 'positive') return Math.fround(0.2 + 2.5 * uniform)
      if (kind === 'nonzero') return Math.fround((random() < 0.5 ? -1 : 1) * (0.3 + 2 * uniform))
      if (kind === 'distinct') return (order[i] - Math.floor(order.length / 2)) / 8
      return Math.fround(4 * uniform - 2)
    })
    return { dtype: 'float32', shape, data }
  }

  integers(shape: readonly number[], min: number, max: number): Sample {
    const random = generator(this.integer(0, 2 ** 31 - 1))
    const draw = () => min + Math.floor(random() * (max - min + 1))
    return { dtype: 'int64', shape, data: Float64Array.from({ length: count(shape) }, draw) }
  }

  booleans(shape: readonly number[]): Sample {
    return { ...this.integers(shape, 0, 1), dtype: 'bool' }
  }
}

/** Uniform numbers in [0, 1) from a linear congruential generator (Numerical Recipes' constants). */
export function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

function shuffled(n: number, random: () => number): number[] {
  const keys = Array.from({ length: n }, random)
  return [...keys.keys()].sort((i, j) => keys[i] - keys[j])
}
