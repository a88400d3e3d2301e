import type { Tensor } from '../graph/index.js'
import { RMSNorm } from '../nn/index.js'
import { Llama, LlamaAttention, type LlamaConfig, llamaHeadWidth } from './llama.js'

/** Mistral (Jiang et al. 2023): Llama whose layers see the last positions only. Paths are MistralForCausalLM's. */
export class Mistral extends Llama {
  override like(config: LlamaConfig): Mistral {
    return new Mistral(config)
  }
}

/** Qwen 2 and 2.5 (Yang et al. 2024): Llama with biases of queries, keys and values. Paths are Qwen2ForCausalLM's. */
export class Qwen2 extends Llama {
  constructor(config: LlamaConfig) {
    super({ attentionBias: true, ...config })
  }

  override like(config: LlamaConfig): Qwen2 {
    return new Qwen2(config)
  }
}

/** Qwen 3 (Yang et al. 2025): Llama with norms of queries and keys. Paths are Qwen3ForCausalLM's. */
export class Qwen3 extends Llama {
  constructor(config: LlamaConfig) {
    super(config, Qwen3Attention)
  }

  override like(config: LlamaConfig): Qwen3 {
    return new Qwen3(config)
  }
}

/** Attention whose queries and keys are normed, head by head, before they are turned (Dehghani et al. 2023, §2). */
export class Qwen3Attention extends LlamaAttention {
  readonly q_norm: RMSNorm
  readonly k_norm: RMSNorm

  constructor(config: LlamaConfig) {
    super(config)
    this.q_norm = new RMSNorm(llamaHeadWidth(config), config)
    this.k_norm = new RMSNorm(llamaHeadWidth(config), config)
  }

  protected override queries(x: Tensor): Tensor {
    return this.q_norm.forward(super.queries(x))
  }

  protected override keys(x: Tensor): Tensor {
    return this.k_norm.forward(super.keys(x))
  }
}

/** Llama 2 with 6.7B parameters (Touvron et al. 2023b, table 1). */
export const llama2_7B = (): LlamaConfig => ({
  vocabularySize: 32_000,
  contextLength: 4096,
  layers: 32,
  heads: 32,
  width: 4096,
  innerWidth: 11_008,
  epsilon: 1e-5,
})

/** Llama 3 with 8.0B parameters (Grattafiori et al. 2024, table 3). */
export const llama3_8B = (): LlamaConfig => ({
  vocabularySize: 128_256,
  contextLength: 8192,
  layers: 32,
  heads: 32,
  keyValueHeads: 8,
  width: 4096,
  innerWidth: 14_336,
  rotary: { theta: 500_000 },
  epsilon: 1e-5,
})

/** Llama 3.2 with 1.2B parameters (Meta 2024, published checkpoint). */
export const llama32_1B = (): LlamaConfig => ({
  vocabularySize: 128_256,
  contextLength: 131_072,
  layers: 16,
  heads: 32,
  keyValueHeads: 8,
  width: 2048,
  innerWidth: 8192,
  rotary: {
    theta: 500_000,
    scaling: {
      type: 'llama3',
      factor: 32,
      originalContextLength: 8192,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
    },
  },
  epsilon: 1e-5,
  tiedHead: true,
})

const smolLM2 = { vocabularySize: 49_152, contextLength: 8192, epsilon: 1e-5, tiedHead: true }

/** SmolLM2 with 134.5M parameters (Ben Allal et al. 2025, published checkpoints). */
export const smolLM2_135M = (): LlamaConfig => ({
  ...smolLM2,
  layers: 30,
  heads: 9,
  keyValueHeads: 3,
  width: 576,
  innerWidth: 1536,
  rotary: { theta: 100_000 },
  deviation: 1 / 24,
})

/** SmolLM2 with 361.8M parameters. */
export const smolLM2_360M = (): LlamaConfig => ({
  ...smolLM2,
  layers: 32,
  heads: 15,
  keyValueHeads: 5,
  width: 960,
  innerWidth: 2560,
  rotary: { theta: 100_000 },
})

/** SmolLM2 with 1.7B parameters. */
export const smolLM2_1700M = (): LlamaConfig => ({
  ...smolLM2,
  layers: 24,
  heads: 32,
  width: 2048,
  innerWidth: 8192,
  rotary: { theta: 130_000 },
})

/** Mistral with 7.2B parameters (Jiang et al. 2023, table 1). */
export const mistral7B = (): LlamaConfig => ({
  vocabularySize: 32_000,
  contextLength: 32_768,
  layers: 32,
  heads: 32,
  keyValueHeads: 8,
  width: 4096,
  innerWidth: 14_336,
  slidingWindow: 4096,
  epsilon: 1e-5,
})

/** Qwen 2.5 with 494M parameters (Yang et al. 2024, published checkpoints), for {@link Qwen2}. */
export const qwen25_500M = (): LlamaConfig => ({
  vocabularySize: 151_936,
  contextLength: 32_768,
  layers: 24,
  heads: 14,
  keyValueHeads: 2,
  width: 896,
  innerWidth: 4864,
  rotary: { theta: 1_000_000 },
  tiedHead: true,
})

/** Qwen 3 with 596M parameters (Yang et al. 2025, table 1), for {@link Qwen3}. */
export const qwen3_600M = (): LlamaConfig => ({
  vocabularySize: 151_936,
  contextLength: 40_960,
  layers: 28,
  heads: 16,
  keyValueHeads: 8,
  width: 1024,
  headWidth: 128,
  innerWidth: 3072,
  rotary: { theta: 1_000_000 },
  tiedHead: true,
})
