/**
 * The hot loops that are not graphs: SIMD WebAssembly (sources in kernels/) on typed arrays that lie in one memory, with
 * no copy in or out.
 */
import { RuntimeError, ShapeError, UsageError } from '../errors.js'
import { KERNELS_BASE64 } from './kernels.generated.js'
import { splitWords, streamKey } from './random.js'

/** The four arrays of one parameter, of equal length, that an optimizer step reads and writes. */
export interface AdamWArrays {
  readonly value: Float32Array
  readonly gradient: Float32Array
  readonly firstMoment: Float32Array
  readonly secondMoment: Float32Array
}

/** The hyperparameters of one {@link Kernels.adamw} step. */
export interface AdamWStep {
  readonly learningRate: number
  /** Decay of the first moment, in [0, 1). */
  readonly beta1: number
  /** Decay of the second moment, in [0, 1). */
  readonly beta2: number
  /** Added to the root of the second moment. */
  readonly epsilon: number
  /** Decoupled: the value shrinks by the factor 1 − learningRate · weightDecay, whatever its gradient. */
  readonly weightDecay: number
  /** The number of this step, counted from 1, for the bias corrections. */
  readonly step: number
  /** Multiplies the gradient on its way in (clipping, averaging); the gradient itself stays as it is. */
  readonly gradientScale: number
}

/** What determines a random array: see random.ts for how these become key and counter. */
export interface RandomPlace {
  readonly seed: number
  readonly place: string
  readonly step: number
}

/** What the WebAssembly module exports: pointers are byte addresses, counts are in elements. */
interface KernelExports {
  fill(x: number, n: number, value: number): void
  sumOfSquares(x: number, n: number): number
  adamw(...pointersCountAndFactors: number[]): void
  adamwRows(...pointersCountsAndFactors: number[]): void
  dropoutMask(out: number, n: number, threshold: number, ...keyAndStep: number[]): void
}

let compiled: WebAssembly.Module | undefined

/** Compiled once for all memories; at about 2 KB it stays within what browsers compile synchronously (4 KB). */
function kernelModule(): WebAssembly.Module {
  try {
    compiled ??= new WebAssembly.Module(Uint8Array.from(atob(KERNELS_BASE64), (c) => c.charCodeAt(0)))
    return compiled
  } catch (cause) {
    throw new RuntimeError(
      `Kernels: this JavaScript engine cannot compile SIMD WebAssembly (${cause}); use Node 20, Chrome 91, Firefox 89, Safari 16.4 or newer`,
      { cause },
    )
  }
}

/**
 * The kernels, bound to one memory of fixed size.
 *
 * Every method throws RuntimeError where an array is not a view on that memory, and ShapeError where lengths disagree.
 * Arrays may have any length and alignment; they must not overlap unless a method says so.
 */
export class Kernels {
  readonly #memory: WebAssembly.Memory
  readonly #wasm: KernelExports

  /** @throws RuntimeError where the engine has no SIMD WebAssembly */
  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory
    const instance = new WebAssembly.Instance(kernelModule(), { env: { memory } })
    // The exports of a module are untyped by nature; kernels/index.ts is the source of this interface.
    this.#wasm = instance.exports as unknown as KernelExports
  }

  /** x[i] = value. */
  fill(x: Float32Array, value: number): void {
    this.#wasm.fill(this.#address(x, 'fill: x'), x.length, value)
  }

  /**
   * Σ x[i]², accumulated in float64.
   *
   * @returns a float64 that is infinite or NaN exactly where an element is
   */
  sumOfSquares(x: Float32Array): number {
    return this.#wasm.sumOfSquares(this.#address(x, 'sumOfSquares: x'), x.length)
  }

  /**
   * One AdamW step in place (Loshchilov & Hutter 2019, Algorithm 2, with PyTorch's decay by learningRate · weightDecay).
   * With g = gradient · gradientScale and t = step:
   *
   *     p ← p − learningRate · weightDecay · p
   *     m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
   *     p ← p − learningRate · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
   *
   * Deviation: moments are rounded to multiples of 2⁻¹¹³ ≈ 10⁻³⁴, so that they never become subnormal and slow. It shows
   * only for gradients below 10⁻¹⁵ together with an ε below 10⁻¹².
   *
   * @throws UsageError where step is not an integer of at least 1
   */
  adamw(arrays: AdamWArrays, options: AdamWStep): void {
    this.#wasm.adamw(...this.#adamwAddresses(arrays), arrays.value.length, ...adamwFactors(options))
  }

  /**
   * The same for a table of which many rows have no gradient and moments of zero: they only decay, and nothing but their
   * values is read. The result is that of {@link adamw}, to the last bit.
   *
   * @param states one byte a row, 0 for those rows
   * @throws UsageError where step is not an integer of at least 1, ShapeError where the rows do not divide the elements
   */
  adamwRows(arrays: AdamWArrays, states: Uint8Array, options: AdamWStep): void {
    const width = arrays.value.length / states.length
    if (!Number.isInteger(width)) {
      throw new ShapeError(`Kernels.adamwRows: ${arrays.value.length} elements are not ${states.length} equal rows`)
    }
    const addresses = [...this.#adamwAddresses(arrays), this.#address(states, 'adamwRows: states')]
    this.#wasm.adamwRows(...addresses, states.length, width, ...adamwFactors(options))
  }

  /**
   * Fills `out` with a dropout mask: 1 keeps an element, 0 drops it (with the given probability).
   *
   * Element i is decided by half-word i mod 8 of Philox block ⌊i / 8⌋ of the stream (seed, place, step) of random.ts, the
   * low half of each word first: kept where half-word ≥ ⌊probability · 65536 + ½⌋. Kept elements are not scaled here.
   *
   * @param probability of dropping, 0 to 1, honoured to within 2⁻¹⁷
   * @throws UsageError where probability, seed or step is out of range
   */
  dropoutMask(out: Uint8Array, probability: number, { seed, place, step }: RandomPlace): void {
    if (!(probability >= 0 && probability <= 1)) {
      throw new UsageError(`Kernels.dropoutMask: probability must lie in 0 to 1, got ${probability}`)
    }
    const address = this.#address(out, 'dropoutMask: out')
    const threshold = Math.round(probability * 65536)
    const [key0, key1] = streamKey(seed, place)
    const [stepLow, stepHigh] = splitWords(step, 'step')
    // No half-word reaches 65536, which itself does not fit into one.
    if (threshold === 65536) out.fill(0)
    else this.#wasm.dropoutMask(address, out.length, threshold, key0, key1, stepLow, stepHigh)
  }

  #adamwAddresses({ value, gradient, firstMoment, secondMoment }: AdamWArrays): number[] {
    expectLength('adamw: gradient', gradient.length, value.length)
    expectLength('adamw: firstMoment', firstMoment.length, value.length)
    expectLength('adamw: secondMoment', secondMoment.length, value.length)
    return [
      this.#address(value, 'adamw: value'),
      this.#address(gradient, 'adamw: gradient'),
      this.#address(firstMoment, 'adamw: firstMoment'),
      this.#address(secondMoment, 'adamw: secondMoment'),
    ]
  }

  #address(view: ArrayBufferView, what: string): number {
    if (view.buffer !== this.#memory.buffer) {
      throw new RuntimeError(
        `Kernels.${what} must be a view on the memory of these kernels, got another buffer; allocate it from their Segment`,
      )
    }
    return view.byteOffset
  }
}

/** What is the same for all elements of a step, in the order of the kernels' arguments. */
function adamwFactors({ learningRate, beta1, beta2, step, ...options }: AdamWStep): number[] {
  if (!Number.isInteger(step) || step < 1) {
    throw new UsageError(`Kernels.adamw: step must be an integer counted from 1, got ${step}`)
  }
  const rootCorrection = Math.sqrt(1 - beta2 ** step)
  return [
    options.gradientScale,
    1 - beta1,
    1 - beta2,
    1 - learningRate * options.weightDecay,
    (learningRate * rootCorrection) / (1 - beta1 ** step),
    options.epsilon * rootCorrection,
  ]
}

function expectLength(what: string, length: number, expected: number): void {
  if (length !== expected) throw new ShapeError(`Kernels.${what} must have ${expected} elements, got ${length}`)
}
