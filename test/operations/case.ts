import type { Tensor } from '../../src/graph/index.js'
import type { NdArray, Sample } from './array.js'
import type { Draw } from './draw.js'

/** One random use of an operation, with the naive implementation that it is compared with. */
export interface OperationCase {
  readonly inputs: readonly Sample[]
  readonly build: (...inputs: Tensor[]) => Tensor | readonly Tensor[]
  readonly reference: (...inputs: NdArray[]) => NdArray | readonly NdArray[]
  /** Outputs that nothing depends on. */
  readonly unused?: readonly number[]
  /** Largest error relative to the largest magnitude (default 1e-5). */
  readonly tolerance?: number
}

/** Draws cases of an operation. */
export type Cases = (draw: Draw) => OperationCase
