/**
 * (x + FLOOR) − FLOOR rounds x to a multiple of 2⁻¹¹³ and leaves everything above 10⁻¹⁹ as it is.
 *
 * Without gradients (the rows of rare tokens in an embedding) the moments decay into the subnormal numbers, with
 * β₁ = 0.9 in about 850 steps, and stay there, where arithmetic is many times slower. What is rounded off cannot change
 * a parameter: beside ε = 10⁻⁸ a moment of 10⁻³⁴, or a root of 10⁻¹⁷, is nothing.
 */
const FLOOR: f32 = 8.077935669463161e-28 // 2⁻⁹⁰

/**
 * One step of Adam with decoupled weight decay (Loshchilov & Hutter 2019, Algorithm 2) for n float32 parameters:
 *
 *     g  = gradient · gradientScale
 *     m += (g − m) · (1 − β₁)
 *     v += (g² − v) · (1 − β₂)
 *     p  = p · decay − stepSize · m / (√v + epsilon)
 *
 * The caller folds everything that is the same for all elements of step t into three factors, the bias corrections as at
 * the end of section 2 of Kingma & Ba 2015:
 *
 *     decay = 1 − learningRate · weightDecay
 *     stepSize = learningRate · √(1 − β₂ᵗ) / (1 − β₁ᵗ)
 *     epsilon = ε · √(1 − β₂ᵗ)
 *
 * The gradient is only read.
 */
export function adamw(
  value: usize,
  gradient: usize,
  firstMoment: usize,
  secondMoment: usize,
  n: u32,
  gradientScale: f32,
  oneMinusBeta1: f32,
  oneMinusBeta2: f32,
  decay: f32,
  stepSize: f32,
  epsilon: f32,
): void {
  const bytes = <usize>n << 2
  const vectorBytes = <usize>(n & ~3) << 2
  const pairBytes = <usize>(n & ~7) << 2
  const gradientScales = f32x4.splat(gradientScale)
  const oneMinusBeta1s = f32x4.splat(oneMinusBeta1)
  const oneMinusBeta2s = f32x4.splat(oneMinusBeta2)
  const decays = f32x4.splat(decay)
  const stepSizes = f32x4.splat(stepSize)
  const epsilons = f32x4.splat(epsilon)
  let at: usize = 0
  // Two vectors a turn: with one, the processor waits for its root and quotient, a quarter longer in all.
  for (; at < pairBytes; at += 32) {
    updateFour(value + at, gradient + at, firstMoment + at, secondMoment + at, gradientScales, oneMinusBeta1s, oneMinusBeta2s, decays, stepSizes, epsilons)
    updateFour(value + at + 16, gradient + at + 16, firstMoment + at + 16, secondMoment + at + 16, gradientScales, oneMinusBeta1s, oneMinusBeta2s, decays, stepSizes, epsilons)
  }
  for (; at < vectorBytes; at += 16) {
    updateFour(value + at, gradient + at, firstMoment + at, secondMoment + at, gradientScales, oneMinusBeta1s, oneMinusBeta2s, decays, stepSizes, epsilons)
  }
  for (; at < bytes; at += 4) {
    const g = load<f32>(gradient + at) * gradientScale
    const m0 = load<f32>(firstMoment + at)
    const m1 = m0 + (g - m0) * oneMinusBeta1
    const m = m1 + FLOOR - FLOOR
    const v0 = load<f32>(secondMoment + at)
    const v1 = v0 + (g * g - v0) * oneMinusBeta2
    const v = v1 + FLOOR - FLOOR
    const update = stepSize * (m / (sqrt<f32>(v) + epsilon))
    store<f32>(value + at, load<f32>(value + at) * decay - update)
    store<f32>(firstMoment + at, m)
    store<f32>(secondMoment + at, v)
  }
}

/** The same for the four elements at each address. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function updateFour(
  value: usize,
  gradient: usize,
  firstMoment: usize,
  secondMoment: usize,
  gradientScales: v128,
  oneMinusBeta1s: v128,
  oneMinusBeta2s: v128,
  decays: v128,
  stepSizes: v128,
  epsilons: v128,
): void {
  const floors = f32x4.splat(FLOOR)
  const g = f32x4.mul(v128.load(gradient), gradientScales)
  const m0 = v128.load(firstMoment)
  const m1 = f32x4.add(m0, f32x4.mul(f32x4.sub(g, m0), oneMinusBeta1s))
  const m = f32x4.sub(f32x4.add(m1, floors), floors)
  const v0 = v128.load(secondMoment)
  const v1 = f32x4.add(v0, f32x4.mul(f32x4.sub(f32x4.mul(g, g), v0), oneMinusBeta2s))
  const v = f32x4.sub(f32x4.add(v1, floors), floors)
  const update = f32x4.mul(stepSizes, f32x4.div(m, f32x4.add(f32x4.sqrt(v), epsilons)))
  v128.store(value, f32x4.sub(f32x4.mul(v128.load(value), decays), update))
  v128.store(firstMoment, m)
  v128.store(secondMoment, v)
}
