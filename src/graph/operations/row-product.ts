import { sameShape } from '../dimension.js'
import type { Tensor } from '../tensor.js'
import { reduceSum } from './reduction.js'

/** Two tensors whose elementwise product has certain sums along the last axis. */
interface Pair {
  readonly value: Tensor
  readonly gradient: Tensor
}

/** For the gradient of a value: the value, and another pair with the same row products. */
const equivalents = new WeakMap<Tensor, { value: Tensor; pair: Pair }>()

/**
 * Notes that Σ value·gradient along the last axis equals that of another pair, which may be cheaper.
 *
 * Matrix products and dropout conserve this sum from their output to their input, so that a chain of them can be followed:
 * for C = A·B, Σₖ Aᵢₖ dAᵢₖ = Σⱼ Cᵢⱼ dCᵢⱼ; for an elementwise scaling Y = m∘X, x·dx = x·m·dy = y·dy. So do new shapes whose
 * rows are the same, which the other pair may have.
 */
export function conserveRowProduct(of: Pair, like: Pair): void {
  equivalents.set(of.gradient, { value: of.value, pair: like })
}

/**
 * Σ value·gradient along the last axis, kept as an axis of size 1, computed on the cheapest equivalent pair.
 *
 * In attention it turns rowsum(dP·P) over T×T weights into rowsum(dO·O) over T×D outputs, as FlashAttention does
 * (Dao et al. 2022, §3.1 and appendix B.2).
 */
export function rowProduct(value: Tensor, gradient: Tensor): Tensor {
  let pair: Pair = { value, gradient }
  for (let next = equivalents.get(gradient); next?.value === pair.value; next = equivalents.get(pair.gradient)) {
    pair = next.pair
  }
  const sums = reduceSum(pair.value.mul(pair.gradient), { axes: [-1], keepDimensions: true })
  const shape = [...value.shape.slice(0, -1), 1]
  return sameShape(sums.shape, shape) ? sums : sums.reshape(shape)
}
