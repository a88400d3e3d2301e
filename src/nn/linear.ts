import { filled, normal, Parameter, type Tensor } from '../graph/index.js'
import { linear } from '../graph/operations/index.js'
import { Module } from './module.js'

/** What {@link Linear} and {@link Conv1D} need to know beside their sizes. */
export interface LinearOptions {
  /** Whether there is a bias (default true). */
  readonly bias?: boolean
  /** Standard deviation of the first weights (default 0.02); biases start at 0. */
  readonly deviation?: number
}

/** √(2/(in + out)), the standard deviation of first weights that keeps the variance of layers (Glorot & Bengio 2010, §4.2.1). */
export function xavier(inWidth: number, outWidth: number): number {
  return Math.sqrt(2 / (inWidth + outWidth))
}

/** y = x·Wᵀ + b, the weight stored [out, in]. x [..., in] → [..., out]. */
export class Linear extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | undefined

  /** @param tied another layer's weight [out, in] to share instead of an own one */
  constructor(inWidth: number, outWidth: number, options: LinearOptions = {}, tied?: Parameter) {
    super()
    this.weight = tied ?? new Parameter([outWidth, inWidth], normal(options.deviation ?? 0.02))
    this.bias = (options.bias ?? true) ? new Parameter([outWidth], filled(0)) : undefined
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias, { transposeB: true })
  }
}

/** y = x·W + b, the weight stored [in, out] as GPT-2's checkpoints have it. x [..., in] → [..., out]. */
export class Conv1D extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | undefined

  constructor(inWidth: number, outWidth: number, options: LinearOptions = {}) {
    super()
    this.weight = new Parameter([inWidth, outWidth], normal(options.deviation ?? 0.02))
    this.bias = (options.bias ?? true) ? new Parameter([outWidth], filled(0)) : undefined
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias)
  }
}
