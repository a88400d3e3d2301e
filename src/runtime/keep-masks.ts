import { UsageError } from '../errors.js'
import { evaluateDimension, KeepMask, type Tensor } from '../graph/index.js'
import { Segment } from './memory.js'

/** What random numbers of a run are drawn from: the same key gives the same masks, everywhere. */
export interface RandomKey {
  readonly seed: number
  readonly step: number
}

/** Fills the keep-masks of a program's dropouts, in a memory that the engine reads without a copy. */
export class KeepMasks {
  readonly #masks: readonly KeepMask[]
  readonly #places: readonly string[]
  #segment: Segment | undefined
  #buffers = new Map<KeepMask, Uint8Array>()

  /** @param inputs a program's inputs with their names, which tell apart two masks of one module; other leaves are skipped */
  constructor(inputs: ReadonlyMap<Tensor, string>) {
    this.#masks = [...inputs.keys()].filter((leaf) => leaf instanceof KeepMask)
    this.#places = this.#masks.map((mask) => inputs.get(mask)!)
  }

  /**
   * Draws every mask anew; its place in the generator is its name in the program.
   *
   * @throws UsageError where there are masks but no key
   */
  draw(dimensions: ReadonlyMap<string, number>, random: RandomKey | undefined) {
    const drawn = new Map<KeepMask, { data: Uint8Array; shape: readonly number[] }>()
    if (this.#masks.length === 0) return drawn
    if (random === undefined) {
      throw new UsageError(`run: the graph has dropout at '${this.#places[0]}': give random: { seed, step }`)
    }
    const shapes = this.#masks.map((mask) => mask.shape.map((dimension) => evaluateDimension(dimension, dimensions)))
    const sizes = shapes.map((shape) => shape.reduce((a, b) => a * b, 1))
    this.#allocate(sizes)
    for (const [i, mask] of this.#masks.entries()) {
      const data = this.#buffers.get(mask)!.subarray(0, sizes[i])
      this.#segment!.kernels.dropoutMask(data, mask.probability, { ...random, place: this.#places[i] })
      drawn.set(mask, { data, shape: shapes[i] })
    }
    return drawn
  }

  #allocate(sizes: readonly number[]): void {
    if (this.#masks.every((mask, i) => (this.#buffers.get(mask)?.length ?? -1) >= sizes[i])) return
    const segment = new Segment(sizes.reduce((sum, size) => sum + size + 64, 0))
    this.#buffers = new Map(this.#masks.map((mask, i) => [mask, segment.allocateUint8(sizes[i])]))
    this.#segment = segment
  }
}
