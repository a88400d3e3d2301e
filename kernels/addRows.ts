import { add } from './add'

/**
 * Scatter-add, the gradient of an embedding: into[ids[k], :] += rows[k, :] for k = 0 … count − 1, in that order, so
 * that an id which occurs twice receives both rows.
 *
 * into float32 [vocabulary, width], ids T [count], rows float32 [count, width].
 */
function addRows<T>(into: usize, width: u32, ids: usize, count: u32, rows: usize): void {
  const rowBytes = <usize>width << 2
  for (let k: u32 = 0; k < count; k++) {
    const id = <usize>load<T>(ids + <usize>k * sizeof<T>())
    add(into + id * rowBytes, rows + <usize>k * rowBytes, width)
  }
}

/** The first position whose id lies outside [0, vocabulary), or `count` where all ids are valid. */
function firstOutside<T>(ids: usize, count: u32, vocabulary: u32): u32 {
  for (let k: u32 = 0; k < count; k++) {
    // Read as unsigned, a negative id is larger than any vocabulary.
    if (<u64>load<T>(ids + <usize>k * sizeof<T>()) >= <u64>vocabulary) return k
  }
  return count
}

/** {@link addRows} with int32 ids. */
export function addRows32(into: usize, width: u32, ids: usize, count: u32, rows: usize): void {
  addRows<i32>(into, width, ids, count, rows)
}

/** {@link addRows} with int64 ids. */
export function addRows64(into: usize, width: u32, ids: usize, count: u32, rows: usize): void {
  addRows<i64>(into, width, ids, count, rows)
}

/** {@link firstOutside} for int32 ids. */
export function firstOutside32(ids: usize, count: u32, vocabulary: u32): u32 {
  return firstOutside<i32>(ids, count, vocabulary)
}

/** {@link firstOutside} for int64 ids. */
export function firstOutside64(ids: usize, count: u32, vocabulary: u32): u32 {
  return firstOutside<i64>(ids, count, vocabulary)
}
