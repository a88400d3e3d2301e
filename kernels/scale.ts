/** x[i] *= factor, for n float32 elements. */
export function scale(x: usize, n: u32, factor: f32): void {
  const end = x + (<usize>n << 2)
  const vectorEnd = x + (<usize>(n & ~3) << 2)
  const factors = f32x4.splat(factor)
  for (; x < vectorEnd; x += 16) v128.store(x, f32x4.mul(v128.load(x), factors))
  for (; x < end; x += 4) store<f32>(x, load<f32>(x) * factor)
}
