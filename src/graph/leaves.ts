import { ShapeError } from '../errors.js'
import { product, type Shape } from './dimension.js'
import { type DType, type TypedArray, toTypedArray } from './dtype.js'
import { Tensor } from './tensor.js'

/** A value given anew at every run. */
export class Input extends Tensor {}

/**
 * An input that programs fill by themselves with the keep-mask of a dropout: bool, true with probability
 * 1 − `probability`, drawn from a counter-based generator keyed by the run's seed and step and by this tensor's name.
 */
export class KeepMask extends Input {
  readonly probability: number

  constructor(shape: Shape, probability: number) {
    super({ dtype: 'bool', shape }, '')
    this.probability = probability
  }

  /** The path of the module that drops, or `dropout` where it has none. */
  override get name(): string {
    return super.name || 'dropout'
  }
}

/** A value fixed when the graph is built. */
export class Constant extends Tensor {
  readonly data: TypedArray

  constructor(dtype: DType, shape: readonly number[], data: TypedArray) {
    super({ dtype, shape }, 'constant')
    if (data.length !== product(shape)) {
      throw new ShapeError(`constant: ${data.length} elements do not fill the shape [${shape.join(', ')}]`)
    }
    this.data = data
  }
}

/** How a parameter gets its first values; drawn from a generator keyed by a seed and the parameter's name. */
export type Initializer =
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'constant'; readonly value: number }

/** Draws from N(0, deviation²). */
export function normal(deviation: number): Initializer {
  return { kind: 'normal', deviation }
}

/** All elements the same. */
export function filled(value: number): Initializer {
  return { kind: 'constant', value }
}

/**
 * A trained tensor: float32, a shape of numbers, and its values once it has been initialized or loaded.
 *
 * Its name is its path in the checkpoint (`transformer.h.0.attn.c_attn.weight`), set by the model that it belongs to.
 */
export class Parameter extends Tensor {
  override readonly shape: readonly number[]
  readonly initializer: Initializer
  /** The values in row-major order; replaced, never resized, when they move to a training memory. */
  data: Float32Array | undefined
  #path = 'parameter'

  constructor(shape: readonly number[], initializer: Initializer) {
    super({ dtype: 'float32', shape }, 'parameter')
    this.shape = shape
    this.initializer = initializer
  }

  override get name(): string {
    return this.#path
  }

  /** Sets the path in the checkpoint. */
  set path(path: string) {
    this.#path = path
  }

  /** Number of values. */
  get size(): number {
    return this.shape.reduce((size, dimension) => size * dimension, 1)
  }
}

/**
 * Declares an input of a graph.
 *
 * @param name what programs call it
 * @param shape numbers or names, e.g. `['batch', 'sequence']`
 */
export function input(name: string, dtype: DType, shape: Shape): Input {
  return new Input({ dtype, shape }, name)
}

/**
 * A constant from nested numbers given flat in row-major order.
 *
 * @throws ShapeError where the count of values is not the shape's
 */
export function constant(
  values: readonly number[] | TypedArray,
  shape: readonly number[],
  dtype: DType = 'float32',
): Constant {
  return new Constant(dtype, shape, Array.isArray(values) ? toTypedArray(dtype, values) : (values as TypedArray))
}

/** A constant of rank 0. */
export function scalar(value: number, dtype: DType = 'float32'): Constant {
  return constant([value], [], dtype)
}
