import { nearestName, ShapeError, UsageError } from '../errors.js'
import {
  arrayType,
  type DType,
  dimensionNames,
  evaluateDimension,
  formatShape,
  type Input,
  isStatic,
  type Shape,
  type TypedArray,
  type TypedArrays,
} from '../graph/index.js'

/** A computed or given array: row-major elements with their shape. */
export interface TensorValue<D extends DType = DType> {
  readonly dtype: D
  readonly shape: readonly number[]
  readonly data: TypedArrays[D]
}

/** The value of a sparse gradient: see `RowGradient`. */
export interface RowValue {
  readonly dense: TensorValue | undefined
  readonly parts: readonly { readonly ids: TensorValue; readonly rows: TensorValue }[]
}

/** What a program takes for an input: an array, with its shape where the input's has names. */
export type Feed = TypedArray | { readonly data: TypedArray; readonly shape: readonly number[] }

/** The float32 elements of a value. @throws ShapeError where it has another dtype */
export function float32(value: TensorValue | undefined): Float32Array {
  if (value?.data instanceof Float32Array) return value.data
  throw new ShapeError(`expected a float32 value, got ${value?.dtype ?? 'none'}`)
}

/**
 * An output of the engine in the array type of its dtype, without a copy: where JavaScript has a Float16Array, the
 * engine uses it for float16, whose arrays hold bits here.
 */
export function elementsOf(dtype: DType, data: TypedArray): TypedArray {
  return dtype === 'float16' ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data
}

/**
 * Checks the feeds of a run against the inputs that a program declares.
 *
 * @returns every input's array and shape, and the number that each named dimension stands for
 * @throws UsageError for a missing or unknown name, ShapeError for a wrong array type, size or contradicting dimension
 */
export function bindFeeds(inputs: ReadonlyMap<string, Input>, feeds: Readonly<Record<string, Feed>>) {
  for (const name of Object.keys(feeds)) {
    if (inputs.has(name)) continue
    const nearest = nearestName(name, inputs.keys()) ?? [...inputs.keys()].join(', ')
    throw new UsageError(
      `run: the program has no input '${name}'; ${nearest === '' ? 'it has none' : `did you mean ${nearest}?`}`,
    )
  }
  const bound = new Map<string, BoundFeed>()
  for (const [name, input] of inputs) {
    const feed = feeds[name]
    if (feed === undefined) {
      throw new UsageError(`run: input '${name}' is missing; give ${input.dtype}${formatShape(input.shape)}`)
    }
    bound.set(name, bindFeed(name, input, feed))
  }
  return { bound, dimensions: bindDimensions(inputs, bound) }
}

interface BoundFeed {
  readonly data: TypedArray
  readonly shape: readonly number[]
}

function bindFeed(name: string, input: Input, feed: Feed): BoundFeed {
  const { data, shape } = 'shape' in feed ? feed : { data: feed, shape: staticShape(name, input.shape) }
  const expected = arrayType(input.dtype)
  if (!(data instanceof expected)) {
    throw new ShapeError(
      `input '${name}': expected a ${expected.name} (${input.dtype}), got a ${data.constructor.name}`,
    )
  }
  if (shape.length !== input.shape.length) {
    throw new ShapeError(`input '${name}': expected ${formatShape(input.shape)}, got ${formatShape(shape)}`)
  }
  const count = shape.reduce((a, b) => a * b, 1)
  if (data.length !== count) {
    throw new ShapeError(`input '${name}': ${formatShape(shape)} has ${count} elements, the array ${data.length}`)
  }
  return { data, shape }
}

function staticShape(name: string, shape: Shape): readonly number[] {
  if (isStatic(shape)) return shape
  throw new ShapeError(`input '${name}' has the shape ${formatShape(shape)}: give { data, shape } instead of an array`)
}

/** The number that each name stands for. Names come first, since `'past + sequence'` may stand before `'past'`. */
function bindDimensions(inputs: ReadonlyMap<string, Input>, bound: ReadonlyMap<string, BoundFeed>) {
  const dimensions = new Map<string, number>()
  const sizes = [...inputs].flatMap(([name, input]) =>
    input.shape.map((dimension, axis) => ({ name, dimension, size: bound.get(name)!.shape[axis] })),
  )
  for (const { dimension, size } of sizes) {
    const isName = typeof dimension === 'string' && dimensionNames(dimension)[0] === dimension
    if (isName && !dimensions.has(dimension)) dimensions.set(dimension, size)
  }
  for (const { name, dimension, size } of sizes) {
    const expected = evaluateDimension(dimension, dimensions)
    if (expected === size) continue
    throw new ShapeError(`input '${name}': the size '${dimension}' is ${expected} here, got ${size}`)
  }
  return dimensions
}
