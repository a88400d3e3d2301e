import { filled, Parameter, type Tensor } from '../graph/index.js'
import { layerNorm } from '../graph/operations/index.js'
import { Module } from './module.js'

/** (x − mean)/√(variance + ε)·weight + bias over the last axis (Ba et al. 2016, §3). x [..., C] → [..., C]. */
export class LayerNorm extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | undefined
  readonly #epsilon: number

  constructor(width: number, options: { bias?: boolean; epsilon?: number } = {}) {
    super()
    this.weight = new Parameter([width], filled(1))
    this.bias = (options.bias ?? true) ? new Parameter([width], filled(0)) : undefined
    this.#epsilon = options.epsilon ?? 1e-5
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, { epsilon: this.#epsilon })
  }
}
