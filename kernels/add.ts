/** into[i] += x[i], for n float32 elements; `into` and `x` are the same array or do not overlap. */
export function add(into: usize, x: usize, n: u32): void {
  const end = into + (<usize>n << 2)
  const vectorEnd = into + (<usize>(n & ~3) << 2)
  for (; into < vectorEnd; into += 16, x += 16) {
    v128.store(into, f32x4.add(v128.load(into), v128.load(x)))
  }
  for (; into < end; into += 4, x += 4) {
    store<f32>(into, load<f32>(into) + load<f32>(x))
  }
}
