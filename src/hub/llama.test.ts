import { describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import { Llama, llama32_1B, Mistral, mistral7B, Qwen2, Qwen3, qwen3_600M, smolLM2_135M } from '../models/index.js'
import { llamaArchitecture, mistralArchitecture, qwen2Architecture, qwen3Architecture } from './llama.js'

/** The sizes in the published config.json of SmolLM2-135M. */
const published = {
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 100000,
  rope_scaling: null,
  hidden_act: 'silu',
  initializer_range: 0.041666666666666664,
  tie_word_embeddings: true,
}

const create = (changes: object) => llamaArchitecture.create({ ...published, ...changes }, 'config.json')

describe('the config.json of Llama and its relatives', () => {
  it('has the sizes of the presets', () => {
    expect(create({}).config).toMatchObject(smolLM2_135M())
    const scaling = {
      rope_type: 'llama3',
      factor: 32,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    }
    const sizes = {
      vocab_size: 128256,
      hidden_size: 2048,
      intermediate_size: 8192,
      num_hidden_layers: 16,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      head_dim: 64,
      max_position_embeddings: 131072,
      rope_theta: 500000,
      rope_scaling: scaling,
      initializer_range: 0.02,
    }
    expect(create(sizes).config).toMatchObject(llama32_1B())
  })

  it('looks back on 4096 positions for a Mistral that says nothing, on all where it says null', () => {
    const window = (changes: object) =>
      mistralArchitecture.create({ ...published, ...changes }, '').config.slidingWindow
    expect(window({})).toBe(mistral7B().slidingWindow)
    expect(window({ sliding_window: null })).toBeUndefined()
  })

  it('gives windows to the later layers of a Qwen, if at all', () => {
    const windows = (changes: object) => {
      const { slidingWindow, slidingLayers } = qwen2Architecture.create(
        { ...published, num_hidden_layers: 3, sliding_window: 7, ...changes },
        '',
      ).config
      return [slidingWindow, slidingLayers]
    }
    expect(windows({})).toEqual([undefined, undefined])
    expect(windows({ use_sliding_window: true, max_window_layers: 2 })).toEqual([7, [false, false, true]])
    const layer_types = ['sliding_attention', 'full_attention', 'sliding_attention']
    expect(windows({ use_sliding_window: true, layer_types })).toEqual([7, [true, false, true]])
  })

  it.each([
    [
      { type: 'linear', factor: 2 },
      { type: 'linear', factor: 2 },
    ],
    [
      { rope_type: 'yarn', factor: null, original_max_position_embeddings: 2048, mscale: 1, mscale_all_dim: 0.5 },
      {
        type: 'yarn',
        factor: 4,
        originalContextLength: 2048,
        attentionFactor: (0.1 * Math.log(4) + 1) / (0.05 * Math.log(4) + 1),
      },
    ],
    [
      { rope_type: 'longrope', short_factor: [1], long_factor: [2], original_max_position_embeddings: 2048 },
      {
        type: 'longrope',
        originalContextLength: 2048,
        shortFactors: [1],
        longFactors: [2],
        attentionFactor: Math.sqrt(1 + Math.log(4) / Math.log(2048)),
      },
    ],
  ])('stretches positions by %j', (rope_scaling, scaling) => {
    const { rotary } = create({ rope_scaling, head_dim: 2 }).config
    expect(rotary).toEqual({ theta: 100_000, scaling })
  })

  it('lets dynamically stretched positions go beyond what it names', () => {
    const { config } = create({ rope_scaling: { rope_type: 'dynamic', factor: 2 } })
    expect(config.contextLength).toBe(16_384)
    expect(llamaArchitecture.toConfig(new Llama(config))).toMatchObject({
      max_position_embeddings: 8192,
      rope_scaling: { rope_type: 'dynamic', factor: 2 },
    })
  })

  it.each([
    [llamaArchitecture, new Llama({ ...smolLM2_135M(), attentionBias: true, outputBias: true, feedForwardBias: true })],
    [mistralArchitecture, new Mistral({ ...mistral7B(), layers: 1, dropout: 0.1 })],
    [
      qwen2Architecture,
      new Qwen2({ ...smolLM2_135M(), layers: 3, slidingWindow: 8, slidingLayers: [true, false, true] }),
    ],
    [qwen3Architecture, new Qwen3({ ...qwen3_600M(), layers: 1 })],
  ])('says the same again: $name', (architecture, model) => {
    const json = JSON.parse(JSON.stringify(architecture.toConfig(model)))
    const again = architecture.create(json, 'config.json')
    expect(again.config).toMatchObject(model.config)
    expect(architecture.toConfig(again)).toEqual(architecture.toConfig(model))
    expect(architecture.owns(model)).toBe(true)
    expect(architecture.owns(new Llama(smolLM2_135M()))).toBe(architecture === llamaArchitecture)
  })

  it('does not say what Python cannot build', () => {
    const model = new Llama({ ...smolLM2_135M(), layers: 1, attentionBias: true })
    expect(() => llamaArchitecture.toConfig(model)).toThrow(/attentionBias true with outputBias false cannot be saved/)
  })

  it.each([
    [{ num_hidden_layers: 1e9 }, /config\.json: 'num_hidden_layers' does not fit a llama model/],
    [{ head_dim: 2 ** 30 }, /'head_dim' does not fit/],
    [{ hidden_size: '576' }, /'hidden_size' does not fit/],
    [{ rope_scaling: { rope_type: 'su' } }, /rope_type 'su' is unknown; known are default, linear,/],
    [{ rope_scaling: { rope_type: 'linear' } }, /rotary positions of the kind 'linear' need 'factor'/],
    [{ rope_scaling: { rope_type: 'linear', factor: 0 } }, /'rope_scaling.factor' does not fit/],
    [{ partial_rotary_factor: 0.5 }, /'partial_rotary_factor' does not fit/],
    [{ hidden_act: 'mish' }, /hidden_act 'mish' is unknown/],
    [{ quantization_config: { quant_method: 'gptq' } }, /quantized with gptq, which is not read/],
  ])('is refused with %j', (changes, message) => {
    expect(() => create(changes)).toThrow(CheckpointError)
    expect(() => create(changes)).toThrow(message)
  })
})

describe('the tensors of Llama', () => {
  const model = new Llama({ ...smolLM2_135M(), layers: 1 })

  it('have the names of the parameters, with or without the body in front', () => {
    const name = (stored: string) => llamaArchitecture.parameterName(stored, model)
    expect(name('model.norm.weight')).toBe('model.norm.weight')
    expect(name('layers.0.mlp.up_proj.weight')).toBe('model.layers.0.mlp.up_proj.weight')
    expect(name('model.layers.0.self_attn.rotary_emb.inv_freq')).toBeUndefined()
  })

  it('may hold the head of a model that shares its embeddings', () => {
    const none = new Float32Array()
    expect(llamaArchitecture.ignores(model, 'lm_head.weight', none)).toBe(true)
    expect(llamaArchitecture.ignores(new Llama({ ...model.config, tiedHead: false }), 'lm_head.weight', none)).toBe(
      false,
    )
  })
})
