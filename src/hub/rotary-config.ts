import { z } from 'zod'
import { CheckpointError } from '../errors.js'
import type { RotaryOptions, RotaryScaling } from '../nn/index.js'
import { parseConfig } from './bert-family.js'

const factor = z.number().positive()

/** What `rope_parameters`, in files from before transformers 5 `rope_scaling`, may hold. */
const parametersSchema = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: factor.nullish(),
  partial_rotary_factor: z.literal(1).nullish(),
  factor: factor.nullish(),
  original_max_position_embeddings: z.int().positive().nullish(),
  attention_factor: factor.nullish(),
  beta_fast: factor.nullish(),
  beta_slow: factor.nullish(),
  truncate: z.boolean().nullish(),
  mscale: z.number().nullish(),
  mscale_all_dim: z.number().nullish(),
  low_freq_factor: factor.nullish(),
  high_freq_factor: factor.nullish(),
  short_factor: z.array(factor).max(65_536).nullish(),
  long_factor: z.array(factor).max(65_536).nullish(),
})

const schema = z.looseObject({
  max_position_embeddings: z.int().positive(),
  original_max_position_embeddings: z.int().positive().nullish(),
  rope_theta: factor.nullish(),
  rope_scaling: parametersSchema.nullish(),
  rope_parameters: parametersSchema.nullish(),
  partial_rotary_factor: z.literal(1).nullish(),
})

type Parameters = z.infer<typeof parametersSchema>

/** Rotary positions as a config.json has them, and how many of them the model can see. */
export interface RotaryConfig {
  readonly rotary: RotaryOptions
  readonly contextLength: number
}

/**
 * The rotary positions that a config.json describes.
 *
 * @throws CheckpointError for a kind of scaling that is not known, or one that lacks a number
 */
export function toRotaryConfig(json: unknown, where: string): RotaryConfig {
  const config = parseConfig(schema, json, { family: 'rotary', where })
  const parameters = config.rope_scaling ?? config.rope_parameters ?? {}
  const theta = parameters.rope_theta ?? config.rope_theta ?? 10_000
  const longest = config.max_position_embeddings
  const original = config.original_max_position_embeddings ?? parameters.original_max_position_embeddings ?? longest
  const scaling = scalingOf(parameters, { longest, original, where })
  // This kind stretches only what is beyond the length that config.json names.
  const contextLength = scaling?.type === 'dynamic' ? Math.floor(longest * scaling.factor) : longest
  return { rotary: { theta, ...(scaling && { scaling }) }, contextLength }
}

/** The keys of config.json for rotary positions, under the names that all versions of transformers read. */
export function fromRotaryConfig({ rotary, contextLength }: RotaryConfig): Record<string, unknown> {
  const { theta = 10_000, scaling } = rotary
  return {
    max_position_embeddings: scaling?.type === 'dynamic' ? scaling.originalContextLength : contextLength,
    rope_theta: theta,
    rope_scaling: scaling ? { rope_type: scaling.type, ...fromScaling(scaling) } : null,
  }
}

interface Lengths {
  /** `max_position_embeddings` */
  readonly longest: number
  /** `original_max_position_embeddings` */
  readonly original: number
  readonly where: string
}

function scalingOf(parameters: Parameters, { longest, original, where }: Lengths): RotaryScaling | undefined {
  const type = parameters.rope_type ?? parameters.type ?? 'default'
  const need = <Key extends keyof Parameters>(key: Key) => {
    const value = parameters[key]
    if (value !== undefined && value !== null) return value
    throw new CheckpointError(`${where}: rotary positions of the kind '${type}' need '${key}'`)
  }
  switch (type) {
    case 'default':
      return undefined
    case 'linear':
      return { type, factor: need('factor') }
    case 'dynamic':
      return { type, factor: need('factor'), originalContextLength: longest }
    case 'yarn':
      return yarn(parameters, longest, original)
    case 'llama3':
      return {
        type,
        factor: need('factor'),
        originalContextLength: original,
        lowFrequencyFactor: need('low_freq_factor'),
        highFrequencyFactor: need('high_freq_factor'),
      }
    case 'longrope': {
      const factor = parameters.factor ?? longest / original
      const usual = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))
      return {
        type,
        originalContextLength: original,
        shortFactors: need('short_factor'),
        longFactors: need('long_factor'),
        attentionFactor: parameters.attention_factor ?? usual,
      }
    }
    default:
      throw new CheckpointError(
        `${where}: rope_type '${type}' is unknown; known are default, linear, dynamic, yarn, llama3, longrope`,
      )
  }
}

function yarn(parameters: Parameters, longest: number, original: number): RotaryScaling {
  const factor = parameters.factor ?? longest / original
  const { attention_factor, beta_fast, beta_slow, truncate, mscale, mscale_all_dim } = parameters
  const magnitude = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1)
  const ratio = mscale && mscale_all_dim ? magnitude(mscale) / magnitude(mscale_all_dim) : undefined
  const attentionFactor = attention_factor ?? ratio
  return {
    type: 'yarn',
    factor,
    originalContextLength: original,
    ...(attentionFactor !== undefined && { attentionFactor }),
    ...(beta_fast && { betaFast: beta_fast }),
    ...(beta_slow && { betaSlow: beta_slow }),
    ...(truncate === false && { truncate }),
  }
}

function fromScaling(scaling: RotaryScaling): Record<string, unknown> {
  switch (scaling.type) {
    case 'linear':
    case 'dynamic':
      return { factor: scaling.factor }
    case 'yarn':
      return {
        factor: scaling.factor,
        original_max_position_embeddings: scaling.originalContextLength,
        attention_factor: scaling.attentionFactor,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
        truncate: scaling.truncate,
      }
    case 'llama3':
      return {
        factor: scaling.factor,
        original_max_position_embeddings: scaling.originalContextLength,
        low_freq_factor: scaling.lowFrequencyFactor,
        high_freq_factor: scaling.highFrequencyFactor,
      }
    case 'longrope':
      return {
        original_max_position_embeddings: scaling.originalContextLength,
        short_factor: scaling.shortFactors,
        long_factor: scaling.longFactors,
        attention_factor: scaling.attentionFactor,
      }
  }
}
