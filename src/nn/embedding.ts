import { type Dimension, normal, Parameter, type Tensor } from '../graph/index.js'
import { gather } from '../graph/operations/index.js'
import { Module } from './module.js'

/** A row of a trained table per id. ids int64 [...] → [..., width]. */
export class Embedding extends Module {
  readonly weight: Parameter

  /** @param deviation standard deviation of the first rows (default 0.02) */
  constructor(count: number, width: number, deviation = 0.02) {
    super()
    this.weight = new Parameter([count, width], normal(deviation))
  }

  forward(ids: Tensor): Tensor {
    return gather(this.weight, ids)
  }

  /** The rows of the ids 0 … count − 1, [count, width]. */
  first(count: Dimension): Tensor {
    return this.weight.slice(0, 0, count)
  }
}
