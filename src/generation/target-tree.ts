import type { RowMove } from './cache.js'

/** A target so far, as the places of its tokens in the cache of its source. */
interface Branch {
  source: number
  /** The slot of each token, from the first one on. */
  readonly slots: number[]
}

/** Where the next tokens of all targets go. */
export interface TreeGrowth {
  /** How many tokens each target gets. */
  readonly tokens: number
  /** The first of the new places of each target. */
  readonly starts: readonly number[]
  /** How many new places every source has: the most that one needs. */
  readonly places: number
}

/**
 * The targets of some sources as trees: targets that began alike share the keys and values of their beginning.
 *
 * The tokens of all targets of a source lie in one cache, slot behind slot, and each target knows the slots of its own
 * tokens: what else is there it does not attend to. So a beam that goes on from another one copies nothing, beams of a
 * source multiply with its keys at once, and the source's own keys are there once. All targets have the same length.
 */
export class TargetTree {
  #branches: Branch[]
  #sources: number
  /** The position in its target of each slot's token, the same for all sources. */
  #positions: number[] = []

  /** One empty target for each source. */
  constructor(sources: number) {
    this.#branches = Array.from({ length: sources }, (_, source) => ({ source, slots: [] }))
    this.#sources = sources
  }

  /** How many sources still have a target. */
  get sources(): number {
    return this.#sources
  }

  /** How many slots each source has. */
  get slots(): number {
    return this.#positions.length
  }

  /** Tokens of each target. */
  get length(): number {
    return this.#branches[0].slots.length
  }

  /** How many targets there are. */
  get targets(): number {
    return this.#branches.length
  }

  /** The source of each target. */
  sourceOf(target: number): number {
    return this.#branches[target].source
  }

  /**
   * Makes target i continue what target `targets[i]` has so far. Sources without a target are dropped: the last ones
   * take their places.
   *
   * @returns which sources move
   */
  reorder(targets: readonly number[]): RowMove[] {
    this.#branches = targets.map((target) => {
      const { source, slots } = this.#branches[target]
      return { source, slots: [...slots] }
    })
    const kept = new Set(this.#branches.map(({ source }) => source))
    const free = Array.from({ length: kept.size }, (_, source) => source).filter((source) => !kept.has(source))
    const moves = [...kept].filter((source) => source >= kept.size).map((from, i) => ({ from, to: free[i] }))
    const places = new Map(moves.map(({ from, to }) => [from, to]))
    for (const branch of this.#branches) branch.source = places.get(branch.source) ?? branch.source
    this.#sources = kept.size
    return moves
  }

  /** Finds places for the next tokens, as many of each target; several at once only where each source has one target. */
  plan(tokens: number): TreeGrowth {
    const used = new Int32Array(this.#sources)
    const starts = this.#branches.map(({ source }) => {
      used[source] += tokens
      return used[source] - tokens
    })
    return { tokens, starts, places: Math.max(...used) }
  }

  /** The position in its target of each place's token. */
  positionsOf({ tokens, places }: TreeGrowth): number[] {
    return Array.from({ length: places }, (_, place) => this.length + (place % tokens))
  }

  /** The position in its target of the token in each of a cache's slots, then in each new place; 0 in unused slots. */
  keyPositions(growth: TreeGrowth, capacity: number): number[] {
    const unused = Array<number>(capacity - this.slots).fill(0)
    return [...this.#positions, ...unused, ...this.positionsOf(growth)]
  }

  /**
   * What each new token attends to, its target's tokens up to itself, as a bias.
   *
   * @param capacity slots of the cache, used ones first
   * @param forbidden the bias of all other slots and places
   * @returns [sources, places, capacity + places]
   */
  bias({ tokens, starts, places }: TreeGrowth, capacity: number, forbidden: number): Float32Array {
    const width = capacity + places
    const bias = new Float32Array(this.#sources * places * width).fill(forbidden)
    for (const [target, { source, slots }] of this.#branches.entries()) {
      for (let token = 0; token < tokens; token++) {
        const place = starts[target] + token
        const row = (source * places + place) * width
        for (const slot of slots) bias[row + slot] = 0
        bias.fill(0, row + capacity + starts[target], row + capacity + place + 1)
      }
    }
    return bias
  }

  /** Takes the new tokens in: their places become slots behind the others. */
  grow(growth: TreeGrowth): void {
    const first = this.slots
    const positions = this.positionsOf(growth)
    for (const [target, { slots }] of this.#branches.entries()) {
      for (let token = 0; token < growth.tokens; token++) slots.push(first + growth.starts[target] + token)
    }
    this.#positions.push(...positions)
  }

  /**
   * Drops the slots that no target needs any more: of most positions the targets of a source have one token in common.
   *
   * @returns for each source the former slot of each slot, rising, or −1 where it has none
   */
  compact(): number[][] {
    const former = Array.from({ length: this.#sources }, (): number[] => [])
    const positions: number[] = []
    for (let position = 0; position < this.length; position++) {
      const needed = former.map(() => new Set<number>())
      for (const { source, slots } of this.#branches) needed[source].add(slots[position])
      const kept = needed.map((slots) => [...slots].sort((a, b) => a - b))
      for (const { source, slots } of this.#branches) {
        slots[position] = positions.length + kept[source].indexOf(slots[position])
      }
      const most = Math.max(...kept.map(({ length }) => length))
      for (const [source, slots] of kept.entries()) {
        former[source].push(...slots, ...Array<number>(most - slots.length).fill(-1))
      }
      positions.push(...Array<number>(most).fill(position))
    }
    this.#positions = positions
    return former
  }
}
