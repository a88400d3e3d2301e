import { adamw } from './adamw'

/**
 * {@link adamw} for a table of rows of which some have only moments of zero: those just decay, p = p · decay, which is what
 * their update comes to.
 *
 * @param states one byte a row; 0 where both moments are zero and there is no gradient
 */
export function adamwRows(
  value: usize,
  gradient: usize,
  firstMoment: usize,
  secondMoment: usize,
  states: usize,
  rows: u32,
  width: u32,
  gradientScale: f32,
  oneMinusBeta1: f32,
  oneMinusBeta2: f32,
  decay: f32,
  stepSize: f32,
  epsilon: f32,
): void {
  const rowBytes = <usize>width << 2
  let at: usize = 0
  for (let row: u32 = 0; row < rows; row++, at += rowBytes) {
    if (load<u8>(states + row) == 0) {
      scale(value + at, width, decay)
      continue
    }
    adamw(
      value + at,
      gradient + at,
      firstMoment + at,
      secondMoment + at,
      width,
      gradientScale,
      oneMinusBeta1,
      oneMinusBeta2,
      decay,
      stepSize,
      epsilon,
    )
  }
}

/** x[i] = x[i] · factor, for n float32 elements. */
function scale(x: usize, n: u32, factor: f32): void {
  if (factor == 1) return
  const end = x + (<usize>n << 2)
  const vectorEnd = x + (<usize>(n & ~3) << 2)
  const factors = f32x4.splat(factor)
  for (; x < vectorEnd; x += 16) v128.store(x, f32x4.mul(v128.load(x), factors))
  for (; x < end; x += 4) store<f32>(x, load<f32>(x) * factor)
}
