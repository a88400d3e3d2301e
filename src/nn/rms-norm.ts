import { filled, Parameter, type Tensor } from '../graph/index.js'
import { rmsNorm } from '../graph/operations/index.js'
import { Module } from './module.js'

/** x/√(mean(x²) + ε)·weight over the last axis (Zhang & Sennrich 2019, §3). x [..., C] → [..., C]. */
export class RMSNorm extends Module {
  readonly weight: Parameter
  readonly #epsilon: number

  constructor(width: number, options: { epsilon?: number } = {}) {
    super()
    this.weight = new Parameter([width], filled(1))
    this.#epsilon = options.epsilon ?? 1e-6
  }

  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.weight, { epsilon: this.#epsilon })
  }
}
