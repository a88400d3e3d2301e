/**
 * Σ x[i]² of n float32 elements, squared and summed in float64: the square of any float32 is exact there and cannot
 * overflow, so the sum is infinite or NaN only where an element is.
 */
export function sumOfSquares(x: usize, n: u32): f64 {
  const end = x + (<usize>n << 2)
  const vectorEnd = x + (<usize>(n & ~3) << 2)
  // Two independent sums, so that one addition does not wait for the other.
  let lowSum = f64x2.splat(0)
  let highSum = f64x2.splat(0)
  for (; x < vectorEnd; x += 16) {
    const low = f64x2.promote_low_f32x4(v128.load64_zero(x))
    const high = f64x2.promote_low_f32x4(v128.load64_zero(x, 8))
    lowSum = f64x2.add(lowSum, f64x2.mul(low, low))
    highSum = f64x2.add(highSum, f64x2.mul(high, high))
  }
  const sums = f64x2.add(lowSum, highSum)
  let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1)
  for (; x < end; x += 4) {
    const value = <f64>load<f32>(x)
    sum += value * value
  }
  return sum
}
