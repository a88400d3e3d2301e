import { ConfigError } from '../errors.js'
import { type Constant, constant, normal, Parameter, type Tensor } from '../graph/index.js'
import { clip, gather, gemm, oneHot } from '../graph/operations/index.js'
import { Module } from './module.js'

/** How distances are told apart. */
export interface RelativePositionOptions {
  /** How many groups of distances have a bias of their own. */
  readonly buckets: number
  /** From this distance on all are one group. */
  readonly maxDistance: number
  /** Whether keys after the query have groups of their own (default true), or count as distance 0, as under a causal mask. */
  readonly bidirectional?: boolean
}

/**
 * A learned number per head and distance, added to the scores of attention (Raffel et al. 2020, §2.1). The weight is
 * [buckets, heads], T5's `relative_attention_bias.weight`.
 */
export class RelativePositionBias extends Module {
  readonly weight: Parameter
  readonly #maxDistance: number
  readonly #table: Constant

  /** @throws ConfigError where there are too few buckets, or more than the distances can fill */
  constructor(heads: number, options: RelativePositionOptions, deviation = 0.02) {
    super()
    const { buckets, maxDistance } = options
    const exact = exactDistances(options)
    if (!(exact >= 1 && Number.isInteger(exact) && maxDistance > exact)) {
      throw new ConfigError(
        `relative positions: ${buckets} buckets do not fit a largest distance of ${maxDistance}; use an even number of buckets (of 4 in both directions) and a distance above ${exact}`,
      )
    }
    this.weight = new Parameter([buckets, heads], normal(deviation))
    this.#maxDistance = maxDistance
    const distances = Array.from({ length: 2 * maxDistance + 1 }, (_, i) => i - maxDistance)
    this.#table = constant(
      distances.map((distance) => relativePositionBucket(distance, options)),
      [distances.length],
      'int64',
    )
  }

  /**
   * The bias of every query and key, [1, H, T, S].
   *
   * @param queries positions int64 [T]
   * @param keys positions int64 [S] (default the queries')
   */
  forward(queries: Tensor, keys = queries): Tensor {
    const [buckets, heads] = this.weight.shape
    const distance = keys.cast('float32').sub(queries.cast('float32').unsqueeze(1)) // [T, S], key − query
    const far = this.#maxDistance
    const index = clip(distance, { minimum: -far, maximum: far }).add(far).cast('int64') // [T, S]
    const bucket = gather(this.#table, index).reshape([-1]) // [T·S]
    // A product with one-hot rows: its gradient is a small product again, where that of a look-up would be a scatter.
    const bias = gemm(this.weight, oneHot(bucket, { depth: buckets }), undefined, {
      transposeA: true,
      transposeB: true,
    }) // [H, T·S]
    return bias.reshape([1, heads, ...distance.shape])
  }
}

/**
 * The group of a distance: near ones have a group each, farther ones share groups that widen logarithmically up to
 * `maxDistance` (Raffel et al. 2020, §2.1; T5's published code).
 *
 * @param distance position of the key − position of the query
 * @returns an integer in [0, buckets)
 */
export function relativePositionBucket(distance: number, options: RelativePositionOptions): number {
  const { buckets, maxDistance, bidirectional = true } = options
  const ofDirection = bidirectional ? buckets / 2 : buckets
  const offset = bidirectional && distance > 0 ? ofDirection : 0
  const apart = bidirectional ? Math.abs(distance) : Math.max(-distance, 0)
  const exact = exactDistances(options)
  if (apart < exact) return offset + apart
  const share = Math.log(apart / exact) / Math.log(maxDistance / exact)
  return offset + Math.min(exact + Math.floor(share * (ofDirection - exact)), ofDirection - 1)
}

/** How many distances of a direction have a group of their own: half of its groups. */
function exactDistances({ buckets, bidirectional = true }: RelativePositionOptions): number {
  return buckets / (bidirectional ? 4 : 2)
}
