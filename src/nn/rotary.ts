import type { Tensor } from '../graph/index.js'
import { concat, cos, reduceMax, sin } from '../graph/operations/index.js'
import { Module } from './module.js'
import { type RotaryFrequencies, type RotaryOptions, rotaryFrequencies } from './rotary-scaling.js'

/**
 * Rotary positions (Su et al. 2021, §3.2): coordinates i and i + D/2 of a head are turned, as a point of the plane, by
 * position · θ^(−2i/D), so that the product of a query and a key depends on the distance between them.
 *
 * The halves are Hugging Face's layout; the paper pairs neighbours. Angles are computed in the graph: a table of all
 * positions of a long context would be larger than the weights of a layer.
 */
export class RotaryPositions extends Module {
  readonly #frequencies: RotaryFrequencies

  /**
   * @param headWidth D, even
   * @throws ConfigError for an odd head width, or a scaling that does not fit it
   */
  constructor(headWidth: number, options: RotaryOptions = {}) {
    super()
    this.#frequencies = rotaryFrequencies(headWidth, options)
  }

  /** The turn that belongs to each position, int64 [T] or [B, T]. */
  forward(positions: Tensor): Rotation {
    const places = positions.cast('float32').unsqueeze(-1) // [..., T, 1]
    const length = reduceMax(places, { axes: [-2], keepDimensions: true }).add(1) // [..., 1, 1]
    const { magnitude } = this.#frequencies
    const angles = places.mul(this.#frequencies.of(length)) // [..., T, D/2]
    // Rows of a batch have positions of their own, which are those of all their heads.
    const shared = angles.rank === 3 ? angles.unsqueeze(1) : angles // [T, D/2] or [B, 1, T, D/2]
    const [x, y] = [cos(shared), sin(shared)].map((part) => (magnitude === 1 ? part : part.mul(magnitude)))
    return new Rotation(x, y)
  }
}

/** Turns queries and keys by their positions; all layers of a model share one. */
export class Rotation {
  readonly #cosine: Tensor
  readonly #sine: Tensor

  /** @param cosine, sine of each pair's angle, float32 [T, D/2] or [B, 1, T, D/2] */
  constructor(cosine: Tensor, sine: Tensor) {
    this.#cosine = concat(cosine, cosine, { axis: -1 })
    this.#sine = concat(sine.neg(), sine, { axis: -1 })
  }

  /** (x₁, x₂) → (x₁·cos − x₂·sin, x₂·cos + x₁·sin), x₁ and x₂ the halves of each head. x [B, H, T, D] → the same shape. */
  apply(x: Tensor): Tensor {
    const half = Number(x.shape[3]) / 2
    const [first, second] = x.split(-1, [half, half]) // 2 × [B, H, T, D/2]
    return x.mul(this.#cosine).add(concat(second, first, { axis: -1 }).mul(this.#sine))
  }
}
