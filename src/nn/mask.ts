import { type Dimension, scalar, type Tensor } from '../graph/index.js'
import { fill, triangle, where } from '../graph/operations/index.js'

/** Which positions may attend to which, as a bias that is added to the scores [B, H, T, S] before the softmax. */
export class Mask {
  /**
   * What the score of a forbidden pair gets added: far below any score, so that its weight is exactly 0, yet finite, so
   * that a row with nothing to attend to has equal weights instead of not-a-number.
   */
  static readonly forbidden = -1e9

  /** @param bias 0 where allowed, −10⁹ where not; broadcastable to [B, H, T, S] */
  constructor(readonly bias: Tensor) {}

  /** Position t attends to positions s ≤ t (Vaswani et al. 2017, §3.2.3). The bias is [T, T]. */
  static causal(length: Dimension): Mask {
    const all = fill({ value: Mask.forbidden, shape: [length, length], dtype: 'float32' })
    return new Mask(triangle(all, { upper: true, k: 1 }).named('causalMask'))
  }

  /** Every position attends to the kept ones. keep bool [B, S]; the bias is [B, 1, 1, S]. */
  static padding(keep: Tensor): Mask {
    return Mask.where(keep.unsqueeze(1).unsqueeze(1))
  }

  /**
   * Position t attends only to positions s > t − width, whatever another mask says of those behind it (Jiang et al. 2023, §2).
   *
   * @param queries positions t, int64 [T] or [B, T]
   * @param keys positions s, int64 [S] or [B, S]; the bias is [T, S] or [B, 1, T, S]
   */
  static window(queries: Tensor, keys: Tensor, width: number): Mask {
    const near = queries.unsqueeze(-1).sub(keys.unsqueeze(-2)).less(width) // [T, S] or [B, T, S]
    return Mask.where(near.rank === 3 ? near.unsqueeze(1) : near)
  }

  /** Any pattern. allowed bool, broadcastable to [B, H, T, S]. */
  static where(allowed: Tensor): Mask {
    return new Mask(where(allowed, scalar(0), scalar(Mask.forbidden)))
  }

  /** Only what both masks allow. */
  and(other: Mask): Mask {
    return new Mask(this.bias.add(other.bias))
  }

  /** scores [B, H, T, S] → the same shape. */
  apply(scores: Tensor): Tensor {
    return scores.add(this.bias)
  }
}
