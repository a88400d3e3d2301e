import { ConfigError, UsageError } from '../../errors.js'
import type { ParameterMemory, ParameterSlot } from '../../runtime/memory.js'

/** The hyperparameters of {@link AdamW} that stay the same during a run. */
export interface AdamWOptions {
  /** Decay of the first and of the second moment, each in [0, 1). Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number]
  /** Added to the root of the second moment; at least 10⁻¹⁵. Default 10⁻⁸. */
  readonly epsilon?: number
  /** Decoupled weight decay λ of the parameters that decay. Default 0.01. */
  readonly weightDecay?: number
  /** Which parameters decay, by name; usually the matrices, not biases and norms. */
  readonly decays: (name: string) => boolean
  /** What the learning rate is multiplied with for a parameter, by name (default 1 for all). */
  readonly rateOf?: (name: string) => number
  /** The global gradient norm above which all gradients are scaled down; left out, nothing is clipped. */
  readonly clip?: number
}

/**
 * AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019, Algorithm 2), on the arrays of a ParameterMemory.
 *
 * As in PyTorch's AdamW, the decay is learningRate · λ; as in its clip_grad_norm_, clipping multiplies every gradient by
 * min(1, clip / (norm + 10⁻⁶)), norm being √Σg² over all parameters (Pascanu et al. 2013). The scaled gradient exists
 * only inside the update: the gradient arrays stay as they are.
 */
export class AdamW {
  readonly #memory: ParameterMemory
  readonly #betas: readonly [number, number]
  readonly #epsilon: number
  readonly #clip: number
  readonly #weightDecays: Map<string, number>
  readonly #rateOf: (name: string) => number
  #steps = 0

  /**
   * @throws UsageError where the memory is not trainable; ConfigError where an option is out of range
   */
  constructor(memory: ParameterMemory, options: AdamWOptions) {
    if (!memory.trainable) {
      throw new UsageError('AdamW: the parameter memory has no gradients; create it with { trainable: true }')
    }
    const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0.01, clip = Number.POSITIVE_INFINITY } = options
    for (const beta of betas) expectOption('betas', beta, beta >= 0 && beta < 1, 'in [0, 1)')
    expectOption('epsilon', epsilon, epsilon >= 1e-15 && epsilon < Number.POSITIVE_INFINITY, 'at least 1e-15')
    expectOption('weightDecay', weightDecay, weightDecay >= 0 && weightDecay < Number.POSITIVE_INFINITY, '0 or more')
    expectOption('clip', clip, clip > 0, 'positive; leave it out for no clipping')
    this.#memory = memory
    this.#rateOf = options.rateOf ?? (() => 1)
    this.#betas = betas
    this.#epsilon = epsilon
    this.#clip = clip
    this.#weightDecays = new Map([...memory].map(({ name }) => [name, options.decays(name) ? weightDecay : 0]))
  }

  /** How many updates have been made, t of the bias corrections; set it, with the moments, to resume a run. */
  get steps(): number {
    return this.#steps
  }

  set steps(steps: number) {
    if (!Number.isSafeInteger(steps) || steps < 0) {
      throw new UsageError(`AdamW.steps must be a non-negative integer, got ${steps}`)
    }
    this.#steps = steps
    for (const { rows } of this.#memory) rows?.forget()
  }

  /**
   * Updates every parameter from its gradient, unless the gradients hold an infinity or NaN: then nothing changes, and
   * the norm that is returned tells.
   *
   * @param learningRate of this step, 0 or more
   * @returns gradientNorm: √Σg² over all gradients before clipping, accumulated in float64
   * @throws UsageError where the learning rate is negative or not finite
   */
  step(learningRate: number): { gradientNorm: number } {
    if (!(learningRate >= 0 && learningRate < Number.POSITIVE_INFINITY)) {
      throw new UsageError(`AdamW.step: the learning rate must be a finite number of 0 or more, got ${learningRate}`)
    }
    const gradientNorm = this.#gradientNorm()
    if (!Number.isFinite(gradientNorm)) return { gradientNorm }
    const [beta1, beta2] = this.#betas
    const gradientScale = Math.min(1, this.#clip / (gradientNorm + 1e-6))
    const step = ++this.#steps
    for (const slot of this.#memory) {
      const weightDecay = this.#weightDecays.get(slot.name) ?? 0
      const epsilon = this.#epsilon
      const rate = learningRate * this.#rateOf(slot.name)
      const { kernels } = slot.segment
      const update = { learningRate: rate, beta1, beta2, epsilon, weightDecay, step, gradientScale }
      if (slot.rows?.isTracking) kernels.adamwRows(slot, slot.rows.states, update)
      else kernels.adamw(slot, update)
    }
    return { gradientNorm }
  }

  #gradientNorm(): number {
    let sum = 0
    for (const slot of this.#memory) sum += sumOfSquares(slot)
    return Math.sqrt(sum)
  }
}

/** Σg² of a parameter; of a table whose rows are tracked, over those that have gradients. */
function sumOfSquares({ segment: { kernels }, gradient, rows }: ParameterSlot): number {
  if (!rows?.isTracking) return kernels.sumOfSquares(gradient)
  const width = gradient.length / rows.states.length
  let sum = 0
  for (const row of rows.current()) sum += kernels.sumOfSquares(gradient.subarray(row * width, (row + 1) * width))
  return sum
}

function expectOption(name: string, value: number, valid: boolean, expected: string): void {
  if (!valid) throw new ConfigError(`AdamW: ${name} must be ${expected}, got ${value}`)
}
