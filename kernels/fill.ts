/** x[i] = value, for n float32 elements. */
export function fill(x: usize, n: u32, value: f32): void {
  const end = x + (<usize>n << 2)
  const vectorEnd = x + (<usize>(n & ~3) << 2)
  const values = f32x4.splat(value)
  for (; x < vectorEnd; x += 16) v128.store(x, values)
  for (; x < end; x += 4) store<f32>(x, value)
}
