import { describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import { GPT, gpt2Large, gpt2Medium, gpt2Small, gpt2XL } from '../models/index.js'
import { gpt2LanguageModel, toGPTConfig } from './gpt2.js'

const published = { vocab_size: 50257, n_positions: 1024, n_embd: 768, n_layer: 12, n_head: 12 }

describe('toGPTConfig', () => {
  it.each([
    [gpt2Small(), published],
    [gpt2Medium(), { ...published, n_embd: 1024, n_layer: 24, n_head: 16 }],
    [gpt2Large(), { ...published, n_embd: 1280, n_layer: 36, n_head: 20 }],
    [gpt2XL(), { ...published, n_embd: 1600, n_layer: 48, n_head: 25 }],
  ])('has the sizes of the published models (%#)', (preset, json) => {
    const dropout = { embedding: 0.1, attention: 0.1, residual: 0.1 }
    expect(toGPTConfig(json, 'config.json')).toMatchObject({ ...preset, dropout })
  })

  it('takes the defaults of GPT2Config for keys that old files lack', () => {
    expect(toGPTConfig(published, 'config.json')).toEqual({
      vocabularySize: 50257,
      contextLength: 1024,
      width: 768,
      layers: 12,
      heads: 12,
      innerWidth: undefined,
      activation: 'gelu_new',
      bias: true,
      tiedHead: true,
      epsilon: 1e-5,
      deviation: 0.02,
      dropout: { embedding: 0.1, attention: 0.1, residual: 0.1 },
    })
  })

  it.each([
    ['gelu', 'gelu'],
    ['gelu_pytorch_tanh', 'gelu_new'],
    ['gelu_fast', 'gelu_new'],
    ['swish', 'silu'],
    ['relu', 'relu'],
  ])('knows the activation %s', (activation_function, activation) => {
    expect(toGPTConfig({ ...published, activation_function }, 'config.json').activation).toBe(activation)
  })

  it.each([
    [{ n_head: 0 }, /config\.json: 'n_head' does not fit a GPT-2 model/],
    [{ vocab_size: '50257' }, /'vocab_size' does not fit/],
    [{ add_cross_attention: true }, /'add_cross_attention' does not fit/],
    [{ scale_attn_weights: false }, /'scale_attn_weights' does not fit/],
    [{ activation_function: 'mish' }, /activation_function 'mish' is unknown; known are gelu, gelu_new,/],
  ])('refuses %j', (changes, message) => {
    expect(() => toGPTConfig({ ...published, ...changes }, 'config.json')).toThrow(CheckpointError)
    expect(() => toGPTConfig({ ...published, ...changes }, 'config.json')).toThrow(message)
  })
})

describe('the GPT-2 checkpoint format', () => {
  const model = new GPT({ vocabularySize: 7, contextLength: 4, layers: 1, heads: 2, width: 6, bias: false })

  it('adds the zero biases that Python expects, and takes no others for them', () => {
    const zeros = gpt2LanguageModel.extraTensors(model)
    expect(Object.fromEntries([...zeros].map(([name, { shape }]) => [name, shape]))).toEqual({
      'transformer.h.0.ln_1.bias': [6],
      'transformer.h.0.attn.c_attn.bias': [18],
      'transformer.h.0.attn.c_proj.bias': [6],
      'transformer.h.0.ln_2.bias': [6],
      'transformer.h.0.mlp.c_fc.bias': [24],
      'transformer.h.0.mlp.c_proj.bias': [6],
      'transformer.ln_f.bias': [6],
    })
    expect([...zeros.values()].every(({ data }) => data.every((value) => value === 0))).toBe(true)
    const name = 'transformer.ln_f.bias'
    expect(gpt2LanguageModel.ignores(model, name, new Float32Array(6))).toBe(true)
    expect(() => gpt2LanguageModel.ignores(model, name, Float32Array.of(0, 0, 1))).toThrow(
      /'transformer.ln_f.bias' is not zero/,
    )
  })

  it('writes a config.json that says the same again', () => {
    const config = gpt2LanguageModel.toConfig(model)
    expect(config).toMatchObject({ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'], bias: false, n_inner: null })
    expect(gpt2LanguageModel.toConfig(gpt2LanguageModel.create(config, 'config.json'))).toEqual(config)
  })
})
