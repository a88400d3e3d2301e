import type { StoredTensor } from './architecture.js'

/** An axis whose coordinates 2i and 2i + 1 become i and n/2 + i. Other axes, and all without one, stay as they are. */
export function halvesFromPairs(tensor: StoredTensor, axis: number | undefined): Float32Array {
  return reorder(tensor, axis, (place, half) => (place < half ? 2 * place : 2 * (place - half) + 1))
}

/** The reverse of {@link halvesFromPairs}. */
export function pairsFromHalves(tensor: StoredTensor, axis: number | undefined): Float32Array {
  return reorder(tensor, axis, (place, half) => (place % 2) * half + Math.floor(place / 2))
}

/** @param sourceOf where the values of a place come from */
function reorder(
  { shape, data }: StoredTensor,
  axis: number | undefined,
  sourceOf: (place: number, half: number) => number,
): Float32Array {
  if (axis === undefined) return data
  const count = shape[axis]
  const inner = shape.slice(axis + 1).reduce((size, dimension) => size * dimension, 1)
  const result = new Float32Array(data.length)
  for (let start = 0; start < data.length; start += count * inner) {
    for (let place = 0; place < count; place++) {
      const from = start + sourceOf(place, count / 2) * inner
      for (let i = 0; i < inner; i++) result[start + place * inner + i] = data[from + i]
    }
  }
  return result
}
