import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CacheBuffer } from './cache.js'
import { TargetTree } from './target-tree.js'

const forbidden = -9

/** A tree of targets with the cache that it describes: a token's key is its number, made unique by where it came. */
class Trees {
  readonly tree: TargetTree
  readonly cache: CacheBuffer
  /** What every target must see: its keys, and which source it is of. */
  targets: { source: number; keys: number[] }[]
  capacity = 3
  #next = 1

  constructor(sources: number) {
    this.tree = new TargetTree(sources)
    this.cache = new CacheBuffer({ heads: 2, headWidth: 1 }, sources, this.capacity)
    this.targets = Array.from({ length: sources }, (_, source) => ({ source, keys: [] }))
  }

  reorder(order: readonly number[]): void {
    const moves = this.tree.reorder(order)
    this.cache.keepRows(moves, this.tree.sources)
    this.targets = order.map((target) => ({ ...this.targets[target], keys: [...this.targets[target].keys] }))
  }

  /** Feeds every target with new keys and checks what each of its tokens attends to. */
  feed(tokens: number): void {
    const { tree, cache } = this
    const growth = tree.plan(tokens)
    const added = Array.from({ length: tree.sources }, () => Array<number>(growth.places).fill(0))
    for (const [target, { keys }] of this.targets.entries()) {
      for (let token = 0; token < tokens; token++) {
        added[tree.sourceOf(target)][growth.starts[target] + token] = this.#next
        keys.push(this.#next++)
      }
    }
    this.#check(growth, added)
    if (tree.slots + growth.places > this.capacity) {
      const former = tree.compact()
      this.capacity = Math.max(this.capacity, tree.slots + growth.places + (this.#next % 3))
      cache.keepPositions(former, this.capacity)
    }
    const heads = added.flatMap((keys) => [...keys, ...keys.map((key) => -key)])
    for (let row = 0; row < tree.sources; row++) {
      const at = { row, position: tree.slots, count: growth.places }
      cache.append(Float32Array.from(heads), growth.places, at)
    }
    tree.grow(growth)
  }

  #check(growth: ReturnType<TargetTree['plan']>, added: readonly number[][]): void {
    const { tree, cache, capacity } = this
    const { tokens, starts, places } = growth
    const bias = tree.bias(growth, capacity, forbidden)
    const positions = tree.keyPositions(growth, capacity)
    expect(bias.length).toBe(tree.sources * places * (capacity + places))
    for (const [target, { keys }] of this.targets.entries()) {
      const source = tree.sourceOf(target)
      const cached = (slot: number) => cache.data[source * 2 * capacity + slot]
      for (let token = 0; token < tokens; token++) {
        const place = starts[target] + token
        const row = bias.subarray((source * places + place) * (capacity + places)).subarray(0, capacity + places)
        const seen = [...row.keys()].filter((key) => row[key] === 0)
        expect([...row].filter((value) => value === forbidden)).toHaveLength(row.length - seen.length)
        const values = seen.map((key) => (key < capacity ? cached(key) : added[source][key - capacity]))
        const byPosition = values.map((value, i) => ({ value, position: positions[seen[i]] }))
        byPosition.sort((a, b) => a.position - b.position)
        const expected = keys.slice(0, keys.length - tokens + token + 1)
        expect(byPosition).toEqual(expected.map((value, position) => ({ value, position })))
        expect(tree.positionsOf(growth)[place]).toBe(expected.length - 1)
      }
    }
    // The second head holds the negated keys of the first.
    for (let source = 0; source < tree.sources; source++) {
      const [first, second] = [0, 1].map((head) => cache.data.subarray((2 * source + head) * capacity))
      for (let slot = 0; slot < tree.slots; slot++) expect(first[slot] + second[slot]).toBe(0)
    }
  }
}

describe('TargetTree', () => {
  it('shows every target its own tokens, however targets multiply, end and are moved', () => {
    const steps = fc.array(fc.array(fc.nat(1000), { minLength: 1, maxLength: 7 }), { maxLength: 14 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 }), steps, (sources, prefix, steps) => {
        const trees = new Trees(sources)
        trees.feed(prefix)
        for (const drawn of steps) {
          trees.reorder(drawn.map((number) => number % trees.targets.length))
          expect(trees.tree.targets).toBe(drawn.length)
          const kept = new Set(trees.targets.map(({ source }) => source))
          expect(trees.tree.sources).toBe(kept.size)
          trees.feed(1)
        }
      }),
      { seed: 4, numRuns: 300 },
    )
  })

  it('needs one slot for what targets have in common', () => {
    const tree = new TargetTree(1)
    tree.grow(tree.plan(1))
    for (let step = 0; step < 10; step++) {
      tree.reorder([0, 0, 0])
      tree.grow(tree.plan(1))
    }
    expect(tree.slots).toBe(31)
    expect(tree.compact()).toEqual([[0, 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 29, 30]])
    expect(tree.slots).toBe(13)
  })

  it('lets the last sources take the places of those without targets', () => {
    const tree = new TargetTree(5)
    expect(tree.reorder([4, 2, 2, 1])).toEqual([{ from: 4, to: 0 }])
    expect([0, 1, 2, 3].map((target) => tree.sourceOf(target))).toEqual([0, 2, 2, 1])
    expect(tree.reorder([0, 3])).toEqual([])
    expect(tree.reorder([1])).toEqual([{ from: 1, to: 0 }])
    expect(tree.sources).toBe(1)
  })
})
