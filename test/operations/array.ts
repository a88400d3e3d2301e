import type { DType } from '../../src/graph/index.js'

/** An array of doubles in row-major order: what the naive references compute with. */
export interface NdArray {
  readonly shape: readonly number[]
  readonly data: Float64Array
}

/** An array and the dtype that the graph under test gets it in. */
export interface Sample extends NdArray {
  readonly dtype: DType
}

/** The number of elements of a shape. */
export function count(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1)
}

/** All positions of a shape, the last axis fastest. */
export function positions(shape: readonly number[]): number[][] {
  if (shape.length === 0) return [[]]
  const inner = positions(shape.slice(1))
  return Array.from({ length: shape[0] }, (_, i) => inner.map((rest) => [i, ...rest])).flat()
}

/** An array whose elements are a function of their position. */
export function fromPositions(shape: readonly number[], element: (position: number[]) => number): NdArray {
  return { shape, data: Float64Array.from(positions(shape), element) }
}

/** The element at a position. */
export function at({ shape, data }: NdArray, position: readonly number[]): number {
  return data[position.reduce((offset, index, axis) => offset * shape[axis] + index, 0)]
}

/** The element that broadcasting puts at a position: axes count from the last, axes of size 1 repeat. */
export function broadcastAt(array: NdArray, position: readonly number[]): number {
  const own = position.slice(position.length - array.shape.length)
  return at(
    array,
    own.map((index, axis) => (array.shape[axis] === 1 ? 0 : index)),
  )
}

/** The shape that several broadcast to. */
export function broadcast(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1)
    return sizes.find((size) => size !== 1) ?? 1
  })
}

/** An axis counted from the front. */
export function fromFront(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis
}

/** A list with one element exchanged. */
export function withElement(list: readonly number[], at: number, element: number): number[] {
  return list.map((old, i) => (i === at ? element : old))
}

/** Elementwise with broadcasting. */
export function elementwise(f: (...values: number[]) => number): (...arrays: NdArray[]) => NdArray {
  return (...arrays) =>
    fromPositions(broadcast(...arrays.map(({ shape }) => shape)), (position) =>
      f(...arrays.map((array) => broadcastAt(array, position))),
    )
}
