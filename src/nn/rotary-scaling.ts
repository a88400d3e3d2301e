import { ConfigError } from '../errors.js'
import { constant, scalar, type Tensor } from '../graph/index.js'
import { clip, where } from '../graph/operations/index.js'

/**
 * How rotary positions are stretched, so that a model reads longer texts than those it was first trained on, its original
 * context. The types have Hugging Face's names:
 *
 * - `linear`: all positions divided by the factor (Chen et al. 2023, §2.3)
 * - `dynamic`: a larger base θ once a text is longer than the original context ("NTK-aware": Peng et al. 2023, §3.1 and §3.3)
 * - `yarn`: slow frequencies divided by the factor, fast ones kept, a ramp between (Peng et al. 2023, §3.2 to §3.4)
 * - `llama3`: the same with other bounds (Grattafiori et al. 2024, published code)
 * - `longrope`: a divisor for each frequency, other ones beyond the original context (Ding et al. 2024, §3)
 */
export type RotaryScaling = LinearScaling | DynamicScaling | YarnScaling | Llama3Scaling | LongScaling

/** See {@link RotaryScaling}. */
export interface LinearScaling {
  readonly type: 'linear'
  readonly factor: number
}

/** See {@link RotaryScaling}. */
export interface DynamicScaling {
  readonly type: 'dynamic'
  readonly factor: number
  readonly originalContextLength: number
}

/** See {@link RotaryScaling}. */
export interface YarnScaling {
  readonly type: 'yarn'
  readonly factor: number
  readonly originalContextLength: number
  /** What queries and keys are multiplied by (default 0.1 · ln(factor) + 1: Peng et al. 2023, §3.4). */
  readonly attentionFactor?: number
  /** Frequencies with more turns than this within the original context are kept (default 32). */
  readonly betaFast?: number
  /** Frequencies with fewer turns than this are divided by the factor (default 1). */
  readonly betaSlow?: number
  /** Whether the bounds of the ramp are whole numbers (default true). */
  readonly truncate?: boolean
}

/** See {@link RotaryScaling}. */
export interface Llama3Scaling {
  readonly type: 'llama3'
  readonly factor: number
  readonly originalContextLength: number
  /** Frequencies with fewer turns than this within the original context are divided by the factor. */
  readonly lowFrequencyFactor: number
  /** Frequencies with more turns than this are kept. */
  readonly highFrequencyFactor: number
}

/** See {@link RotaryScaling}. */
export interface LongScaling {
  readonly type: 'longrope'
  readonly originalContextLength: number
  /** The divisor of each frequency in texts up to the original context's length. */
  readonly shortFactors: readonly number[]
  /** Those in longer texts. */
  readonly longFactors: readonly number[]
  /** What queries and keys are multiplied by. */
  readonly attentionFactor: number
}

/** θ, and how it is stretched. */
export interface RotaryOptions {
  /** Base of the frequencies θ^(−2i/D) (default 10000). */
  readonly theta?: number
  readonly scaling?: RotaryScaling
}

/** The frequencies of a head's coordinates, which some scalings make depend on how long a text is. */
export interface RotaryFrequencies {
  /**
   * Radians per position.
   *
   * @param length the length of each text so far, float32 [..., 1]
   * @returns float32 [D/2], or [..., D/2]
   */
  of(length: Tensor): Tensor
  /** What queries and keys are multiplied by. */
  readonly magnitude: number
}

/**
 * θ^(−2i/D) for i = 0 … D/2 − 1 (Su et al. 2021, §3.2.2), stretched.
 *
 * Numbers are rounded to float32 where the models' training did: at position 10⁵ a frequency's last digit is an angle's third.
 *
 * @param headWidth D, even
 * @throws ConfigError for an odd head width, or another number of factors than frequencies
 */
export function rotaryFrequencies(headWidth: number, { theta = 10_000, scaling }: RotaryOptions): RotaryFrequencies {
  if (headWidth % 2 !== 0) throw new ConfigError(`rotary positions: the width of a head must be even, not ${headWidth}`)
  const plain = Array.from({ length: headWidth / 2 }, (_, i) =>
    Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / headWidth))),
  )
  switch (scaling?.type) {
    case undefined:
      return fixed(plain)
    case 'linear':
      return fixed(plain.map((frequency) => frequency / scaling.factor))
    case 'dynamic':
      return dynamic(plain, scaling)
    case 'yarn':
      return yarn(plain, scaling, theta)
    case 'llama3':
      return fixed(plain.map((frequency) => llama3(frequency, scaling)))
    case 'longrope':
      return long(plain, scaling)
  }
}

function fixed(frequencies: readonly number[], magnitude = 1): RotaryFrequencies {
  const values = vector(frequencies)
  return { of: () => values, magnitude }
}

/** θ·s^(D/(D−2)) instead of θ, with s = factor·L/L₀ − (factor − 1), for a text of length L above L₀. */
function dynamic(plain: readonly number[], { factor, originalContextLength }: DynamicScaling): RotaryFrequencies {
  const [frequencies, last] = [vector(plain), Math.max(1, plain.length - 1)]
  const exponents = vector(plain.map((_, i) => -i / last))
  return {
    of: (length) => {
      const beyond = clip(length, { minimum: originalContextLength, maximum: Number.MAX_SAFE_INTEGER })
      const stretch = beyond.mul(factor / originalContextLength).sub(factor - 1) // s [..., 1]
      return frequencies.mul(stretch.log().mul(exponents).exp()) // [..., D/2]
    },
    magnitude: 1,
  }
}

function yarn(plain: readonly number[], scaling: YarnScaling, theta: number): RotaryFrequencies {
  const { factor, originalContextLength, betaFast = 32, betaSlow = 1, truncate = true } = scaling
  const width = 2 * plain.length
  /** The place, not a whole number, of the frequency that turns so often within the original context. */
  const placeOf = (turns: number) =>
    (width * Math.log(originalContextLength / (2 * Math.PI * turns))) / (2 * Math.log(theta))
  const [fast, slow] = [placeOf(betaFast), placeOf(betaSlow)]
  const low = Math.max(truncate ? Math.floor(fast) : fast, 0)
  const high = Math.min(truncate ? Math.ceil(slow) : slow, width - 1)
  const span = high === low ? 0.001 : high - low
  const stretched = plain.map((frequency, i) => {
    const share = Math.min(Math.max((i - low) / span, 0), 1)
    return (frequency / factor) * share + frequency * (1 - share)
  })
  return fixed(stretched, scaling.attentionFactor ?? (factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1))
}

function llama3(frequency: number, scaling: Llama3Scaling): number {
  const { factor, originalContextLength, lowFrequencyFactor: low, highFrequencyFactor: high } = scaling
  const turns = (originalContextLength * frequency) / (2 * Math.PI)
  if (turns > high) return frequency
  if (turns < low) return frequency / factor
  const share = (turns - low) / (high - low)
  return ((1 - share) * frequency) / factor + share * frequency
}

function long(plain: readonly number[], scaling: LongScaling): RotaryFrequencies {
  const [short, far] = [scaling.shortFactors, scaling.longFactors].map((factors) => {
    if (factors.length !== plain.length) {
      throw new ConfigError(`rotary positions: longrope needs ${plain.length} factors, got ${factors.length}`)
    }
    return plain.map((frequency, i) => frequency / factors[i])
  })
  if (String(short) === String(far)) return fixed(short, scaling.attentionFactor)
  const [near, beyond, bound] = [vector(short), vector(far), scalar(scaling.originalContextLength)]
  return { of: (length) => where(length.greater(bound), beyond, near), magnitude: scaling.attentionFactor }
}

function vector(values: readonly number[]): Tensor {
  return constant(values, [values.length])
}
