import type { Tensor } from '../graph/index.js'
import { gelu, geluTanh, relu, silu } from '../graph/operations/index.js'

/** Activation functions by name; `gelu` is exact (erf), `gelu_new` its approximation. */
export const activations = { relu, gelu, gelu_new: geluTanh, silu } satisfies Record<string, (x: Tensor) => Tensor>

/** The name of an activation function. */
export type Activation = keyof typeof activations
