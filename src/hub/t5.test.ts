import { describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import { T5, type T5Config, t5Base, t5Large, t5Small, t5V11Small } from '../models/index.js'
import { fromT5Config, mt5Architecture, t5Architecture, toT5Config } from './t5.js'

/** As published, but for what nothing here depends on. */
const small = {
  model_type: 't5',
  vocab_size: 32128,
  d_model: 512,
  d_kv: 64,
  d_ff: 2048,
  num_layers: 6,
  num_decoder_layers: 6,
  num_heads: 8,
  n_positions: 512,
  relative_attention_num_buckets: 32,
  dropout_rate: 0.1,
  layer_norm_epsilon: 1e-6,
  pad_token_id: 0,
  eos_token_id: 1,
  decoder_start_token_id: 0,
}
const v11 = {
  ...small,
  d_ff: 1024,
  num_layers: 8,
  num_decoder_layers: 8,
  num_heads: 6,
  feed_forward_proj: 'gated-gelu',
  tie_word_embeddings: false,
}

describe('toT5Config', () => {
  it.each<[string, T5Config, Record<string, unknown>]>([
    ['T5 small', t5Small(), small],
    [
      'T5 base',
      t5Base(),
      { ...small, d_model: 768, d_ff: 3072, num_layers: 12, num_decoder_layers: 12, num_heads: 12 },
    ],
    [
      'T5 large',
      t5Large(),
      { ...small, d_model: 1024, d_ff: 4096, num_layers: 24, num_decoder_layers: 24, num_heads: 16 },
    ],
    ['T5 1.1 small', t5V11Small(), v11],
  ])('has the sizes of the published %s', (_name, preset, json) => {
    expect(toT5Config(json, 'config.json')).toMatchObject(preset)
    expect(fromT5Config(preset)).toMatchObject({ tie_word_embeddings: true, ...withoutTokens(json) })
  })

  it('takes the defaults of T5Config for keys that old files lack', () => {
    const { vocab_size, d_model, d_ff, num_layers, num_heads } = small
    expect(toT5Config({ vocab_size, d_model, d_ff, num_layers, num_heads }, 'config.json')).toEqual({
      vocabularySize: 32128,
      contextLength: 512,
      encoderLayers: 6,
      decoderLayers: 6,
      heads: 8,
      width: 512,
      headWidth: 64,
      innerWidth: 2048,
      activation: 'relu',
      gated: false,
      tiedHead: true,
      relativePositions: { buckets: 32, maxDistance: 128 },
      dropout: 0.1,
      epsilon: 1e-6,
      padTokenId: 0,
      eosTokenId: 1,
      decoderStartTokenId: 0,
    })
  })

  it.each([
    ['relu', 'relu', false],
    ['gelu', 'gelu', false],
    ['gelu_new', 'gelu_new', false],
    ['gated-gelu', 'gelu_new', true],
    ['gated-gelu_python', 'gelu', true],
    ['gated-silu', 'silu', true],
    ['gated-relu', 'relu', true],
  ] as const)('reads and writes the feed-forward network %s', (feed_forward_proj, activation, gated) => {
    const config = toT5Config({ ...small, feed_forward_proj }, 'config.json')
    expect(config).toMatchObject({ activation, gated })
    expect(fromT5Config(config)).toMatchObject({ feed_forward_proj })
  })

  it.each([
    [{ num_heads: 0 }, /config\.json: 'num_heads' does not fit a T5 model/],
    [{ d_model: undefined }, /'d_model' does not fit/],
    [{ feed_forward_proj: 'gated-mish' }, /feed_forward_proj 'mish' is unknown; known are gelu,/],
    [{ feed_forward_proj: 'twice-gated-gelu' }, /'twice-gated-gelu' is neither an activation nor 'gated-' and one/],
  ])('refuses %j', (changes, message) => {
    expect(() => toT5Config({ ...small, ...changes }, 'config.json')).toThrow(CheckpointError)
    expect(() => toT5Config({ ...small, ...changes }, 'config.json')).toThrow(message)
  })
})

describe("T5's checkpoint format", () => {
  it('leaves out copies of the shared embeddings and biases that nothing uses', () => {
    const model = new T5({ ...t5Small(), vocabularySize: 5, encoderLayers: 1, decoderLayers: 1 })
    const spare = [
      'encoder.embed_tokens.weight',
      'decoder.embed_tokens.weight',
      'decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight',
    ]
    for (const name of spare) expect(t5Architecture.parameterName(name, model)).toBeUndefined()
    for (const name of Object.keys(model.parameters())) expect(t5Architecture.parameterName(name, model)).toBe(name)
    expect(t5Architecture.ignores(model, 'lm_head.weight', new Float32Array())).toBe(true)
    expect(t5Architecture.ignores(model, 'qa_outputs.weight', new Float32Array())).toBe(false)
  })

  it('reads an mT5 as a T5 1.1, whose head is its own whatever its file says', () => {
    const tiny = { ...small, vocab_size: 5, num_layers: 1, num_decoder_layers: 1, tie_word_embeddings: true }
    const { config } = mt5Architecture.create(tiny, 'config.json')
    expect(config).toMatchObject({ activation: 'gelu_new', gated: true, tiedHead: false })
  })
})

/** What a model's sizes say: the tokens are written by `specialTokens`. */
function withoutTokens(json: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(json).filter(([key]) => !/_token_id$|^model_type$/.test(key)))
}
