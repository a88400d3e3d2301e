import { KeepMask, type Tensor } from '../graph/index.js'
import { dropout } from '../graph/operations/index.js'
import { isTraining } from './mode.js'
import { Module } from './module.js'

/**
 * Inverted dropout: x / (1 − p) with probability 1 − p, else 0 (Srivastava et al. 2014). Only in graphs built for
 * training; elsewhere x itself. The mask is an input that the program draws by seed, step and this module's path.
 */
export class Dropout extends Module {
  readonly #probability: number

  constructor(probability: number) {
    super()
    this.#probability = probability
  }

  forward(x: Tensor): Tensor {
    if (!isTraining() || this.#probability === 0) return x
    return dropout(x, new KeepMask(x.shape, this.#probability), { probability: this.#probability })
  }
}
