import { type Dimension, normalizeAxis, product, type Shape } from './dimension.js'
import type { DType } from './dtype.js'
import { type Constant, scalar } from './leaves.js'
import * as operations from './operations/index.js'
import type { MatMulOptions } from './operations/matmul.js'
import { Tensor } from './tensor.js'

/** A tensor, or a number that becomes a constant of the other operand's dtype. */
type Operand = Tensor | number

/** The operations as methods, so that formulas read from left to right. Each is documented where it is defined. */
const methods = {
  add(this: Tensor, b: Operand): Tensor {
    return operations.add(this, this.operand(b))
  },
  sub(this: Tensor, b: Operand): Tensor {
    return operations.sub(this, this.operand(b))
  },
  mul(this: Tensor, b: Operand): Tensor {
    return operations.mul(this, this.operand(b))
  },
  div(this: Tensor, b: Operand): Tensor {
    return operations.div(this, this.operand(b))
  },
  pow(this: Tensor, exponent: number): Tensor {
    return operations.pow(this, { exponent })
  },
  neg(this: Tensor): Tensor {
    return operations.neg(this)
  },
  exp(this: Tensor): Tensor {
    return operations.exp(this)
  },
  log(this: Tensor): Tensor {
    return operations.log(this)
  },
  sqrt(this: Tensor): Tensor {
    return operations.sqrt(this)
  },
  erf(this: Tensor): Tensor {
    return operations.erf(this)
  },
  equal(this: Tensor, b: Operand): Tensor {
    return operations.equal(this, this.operand(b))
  },
  greater(this: Tensor, b: Operand): Tensor {
    return operations.greater(this, this.operand(b))
  },
  less(this: Tensor, b: Operand): Tensor {
    return operations.less(this, this.operand(b))
  },
  not(this: Tensor): Tensor {
    return operations.not(this)
  },
  cast(this: Tensor, dtype: DType): Tensor {
    return dtype === this.dtype ? this : operations.cast(this, { dtype })
  },
  /** Sum over the axes, all where left out. */
  sum(this: Tensor, axes?: readonly number[], keepDimensions = false): Tensor {
    return operations.reduceSum(this, { axes, keepDimensions })
  },
  /** Mean over the axes, all where left out. */
  mean(this: Tensor, axes?: readonly number[], keepDimensions = false): Tensor {
    return operations.reduceMean(this, { axes, keepDimensions })
  },
  matmul(this: Tensor, b: Tensor, options: MatMulOptions = {}): Tensor {
    return operations.matmul(this, b, options)
  },
  /** Reorders the axes; without an argument swaps the last two. */
  transpose(this: Tensor, permutation?: readonly number[]): Tensor {
    const axes = this.shape.map((_, axis) => axis)
    return operations.transpose(this, {
      permutation: permutation ?? [...axes.slice(0, -2), this.rank - 1, this.rank - 2],
    })
  },
  reshape(this: Tensor, shape: Shape): Tensor {
    return operations.reshape(this, { shape })
  },
  /** Inserts an axis of size 1 at a position of the result. */
  unsqueeze(this: Tensor, axis: number): Tensor {
    const at = normalizeAxis(axis, this.rank + 1, 'unsqueeze')
    return this.reshape([...this.shape.slice(0, at), 1, ...this.shape.slice(at)])
  },
  expand(this: Tensor, shape: Shape): Tensor {
    return operations.expand(this, { shape })
  },
  /** Elements start ≤ i < end along an axis; negative bounds count from the end. */
  slice(this: Tensor, axis: number, start: Dimension, end?: Dimension): Tensor {
    return operations.slice(this, { axis, start, end: end ?? this.shape[normalizeAxis(axis, this.rank, 'slice')] })
  },
  /** Cuts into parts of the given sizes along an axis. */
  split(this: Tensor, axis: number, sizes: Shape): Tensor[] {
    return operations.split(this, { axis, sizes })
  },
  /** The number of elements along the axes, as a tensor of rank 0 and this dtype. */
  sizeOf(this: Tensor, axes: readonly number[]): Tensor {
    const dimension = product(axes.map((axis) => this.shape[normalizeAxis(axis, this.rank, 'sizeOf')]))
    return typeof dimension === 'number'
      ? this.constantLike(dimension)
      : operations.size({ dimension }).cast(this.dtype)
  },
  /** A constant of rank 0 and this dtype. */
  constantLike(this: Tensor, value: number): Constant {
    return scalar(value, this.dtype)
  },
  /** @internal */
  operand(this: Tensor, value: Operand): Tensor {
    return typeof value === 'number' ? this.constantLike(value) : value
  },
}

type Methods = typeof methods

declare module './tensor.js' {
  interface Tensor extends Methods {}
}

Object.assign(Tensor.prototype, methods)
