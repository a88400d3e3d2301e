import type { Tensor } from '../graph/index.js'
import { type Activation, activations } from './activation.js'
import { Dropout } from './dropout.js'
import { Linear } from './linear.js'
import { Module } from './module.js'

/** Position-wise feed-forward network, activation(x·W₁ + b₁)·W₂ + b₂ (Vaswani et al. 2017, §3.3). x [..., C] → [..., C]. */
export class FeedForward extends Module {
  readonly linear1: Linear
  readonly linear2: Linear
  readonly dropout: Dropout
  readonly #activation: Activation

  constructor(config: { width: number; innerWidth: number; activation: Activation; dropout?: number }) {
    super()
    this.linear1 = new Linear(config.width, config.innerWidth)
    this.linear2 = new Linear(config.innerWidth, config.width)
    this.dropout = new Dropout(config.dropout ?? 0)
    this.#activation = config.activation
  }

  forward(x: Tensor): Tensor {
    const inner = activations[this.#activation](this.linear1.forward(x)) // [..., inner]
    return this.linear2.forward(this.dropout.forward(inner)) // [..., C]
  }
}
