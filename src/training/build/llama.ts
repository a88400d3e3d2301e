import { ConfigError } from '../../errors.js'
import {
  Llama,
  type LlamaConfig,
  llama2_7B,
  llama3_8B,
  llama32_1B,
  Mistral,
  mistral7B,
  Qwen2,
  Qwen3,
  qwen3_600M,
  qwen25_500M,
  smolLM2_135M,
  smolLM2_360M,
  smolLM2_1700M,
} from '../../models/index.js'
import type { LlamaOptions } from '../recipe-models.js'
import { findPreset } from './presets.js'

const families = { llama: Llama, mistral: Mistral, qwen2: Qwen2, qwen3: Qwen3 }

/** The presets of each family by the names that recipes use: Hugging Face's. */
const presets: Readonly<Record<LlamaOptions['type'], Readonly<Record<string, () => LlamaConfig>>>> = {
  llama: {
    'llama-2-7b': llama2_7B,
    'llama-3-8b': llama3_8B,
    'llama-3.2-1b': llama32_1B,
    'smollm2-135m': smolLM2_135M,
    'smollm2-360m': smolLM2_360M,
    'smollm2-1.7b': smolLM2_1700M,
  },
  mistral: { 'mistral-7b': mistral7B },
  qwen2: { 'qwen2.5-0.5b': qwen25_500M },
  qwen3: { 'qwen3-0.6b': qwen3_600M },
}

/** Sizes for a laptop's CPU. */
const small = { contextLength: 64, layers: 4, heads: 4, width: 128, tiedHead: true }

/** A new Llama or relative, without values. @throws ConfigError for an unknown preset, or sizes that do not fit together */
export function newLlama(options: LlamaOptions, vocabularySize: number): Llama {
  const { type, preset, theta, ...given } = options
  const base = preset === undefined ? small : findPreset(preset, presets[type])()
  const rotary = theta === undefined ? {} : { rotary: { theta } }
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const config: LlamaConfig = { ...base, ...rotary, ...known, vocabularySize }
  if (type !== 'llama' || config.slidingWindow === undefined) return new families[type](config)
  throw new ConfigError('model.slidingWindow: a llama has none; use model.type mistral')
}
