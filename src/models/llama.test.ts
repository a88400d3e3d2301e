import { describe, expect, it } from 'vitest'
import { ConfigError } from '../errors.js'
import { input } from '../graph/index.js'
import { initialize } from '../nn/index.js'
import { evaluate, float32 } from '../runtime/index.js'
import { isCausalLanguageModel } from './causal.js'
import { GPT, GPTModel } from './gpt.js'
import { Llama, type LlamaConfig } from './llama.js'
import {
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
} from './llama-family.js'

const tiny: LlamaConfig = {
  vocabularySize: 17,
  contextLength: 32,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  width: 16,
  innerWidth: 24,
  deviation: 0.3,
}

async function logitsOf(model: Llama, ids: readonly number[]): Promise<number[]> {
  const tokens = input('ids', 'int64', [1, ids.length])
  return [...float32(await evaluate(model.forward(tokens), { ids: BigInt64Array.from(ids, BigInt) }))]
}

describe('Llama and its relatives', () => {
  // As the published checkpoints have.
  it.each([
    ['Llama 2 7B', new Llama(llama2_7B()), 6_738_415_616],
    ['Llama 3 8B', new Llama(llama3_8B()), 8_030_261_248],
    ['Llama 3.2 1B', new Llama(llama32_1B()), 1_235_814_400],
    ['SmolLM2 135M', new Llama(smolLM2_135M()), 134_515_008],
    ['SmolLM2 360M', new Llama(smolLM2_360M()), 361_821_120],
    ['SmolLM2 1.7B', new Llama(smolLM2_1700M()), 1_711_376_384],
    ['Mistral 7B', new Mistral(mistral7B()), 7_241_732_096],
    ['Qwen 2.5 0.5B', new Qwen2(qwen25_500M()), 494_032_768],
    ['Qwen 3 0.6B', new Qwen3(qwen3_600M()), 596_049_920],
  ])('have as many parameters as published: %s', (_name, model, count) => {
    expect(Object.values(model.parameters()).reduce((sum, { size }) => sum + size, 0)).toBe(count)
  })

  it.each([
    [Llama, tiny],
    [Mistral, { ...tiny, slidingWindow: 4 }],
    [Qwen2, tiny],
    [Qwen3, { ...tiny, headWidth: 6 }],
  ])('make another one of their kind (%s)', (Model, config) => {
    const model = new Model(config)
    const other = model.like({ ...model.config, layers: 3 })
    expect(other.constructor).toBe(Model)
    expect(other.config).toEqual({ ...model.config, layers: 3 })
    expect(other.decoderSizes).toEqual({ layers: 3, heads: 2, headWidth: config.headWidth ?? 4 })
  })

  it('with a window do not see what lies behind it in all layers', async () => {
    const model = new Mistral({ ...tiny, slidingWindow: 3 })
    initialize(model.parameters(), 5)
    // Two layers look back on 2 · (3 − 1) positions: the first of six is not seen from the last.
    const [a, b, c] = await Promise.all([1, 9, 16].map((first) => logitsOf(model, [first, 2, 3, 4, 5, 6])))
    expect(a.slice(-17)).toEqual(b.slice(-17))
    expect(b.slice(-17)).toEqual(c.slice(-17))
    expect(a.slice(-34, -17)).not.toEqual(b.slice(-34, -17))
  })

  it('refuse heads that do not share keys evenly', () => {
    expect(() => new Llama({ ...tiny, keyValueHeads: 3 })).toThrow(ConfigError)
    expect(() => new Llama({ ...tiny, width: 18, keyValueHeads: 4 })).toThrow(/width 18 does not divide among 4 heads/)
  })

  it('are causal language models, as a GPT is, and its body is not', () => {
    const gpt = { vocabularySize: 5, contextLength: 4, layers: 1, heads: 1, width: 4 }
    expect([new Llama(tiny), new GPT(gpt), new GPTModel(gpt)].map(isCausalLanguageModel)).toEqual([true, true, false])
  })
})
