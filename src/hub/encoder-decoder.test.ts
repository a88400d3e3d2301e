import { describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import { BertDecoder, BertModel, DistilBertModel, EncoderDecoder, GPTDecoder, RobertaModel } from '../models/index.js'
import { encoderDecoderArchitecture } from './encoder-decoder.js'

const sizes = { vocabularySize: 7, contextLength: 6, layers: 1, heads: 2, width: 4 }
const tokens = { decoderStartTokenId: 2, eosTokenId: 3, padTokenId: 0 }
const bert = {
  model_type: 'bert',
  vocab_size: 7,
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 5,
}
const decodes = { is_decoder: true, add_cross_attention: true }
const config = {
  model_type: 'encoder-decoder',
  encoder: { ...bert, model_type: 'roberta', num_hidden_layers: 2 },
  decoder: { ...bert, ...decodes },
  decoder_start_token_id: 2,
}

const create = (changes: Record<string, unknown> = {}) =>
  encoderDecoderArchitecture.create({ ...config, ...changes }, 'config.json')

describe('an encoder–decoder of two published configurations', () => {
  it('is made of their models', () => {
    const { encoder, decoder } = create()
    expect(encoder).toBeInstanceOf(RobertaModel)
    expect(decoder).toBeInstanceOf(BertDecoder)
    expect([encoder.config, decoder.config]).toMatchObject([{ layers: 2 }, { layers: 1 }])
  })

  it("has the decoder's own tokens where the whole names none", () => {
    const decoder = { ...config.decoder, bos_token_id: 4, eos_token_id: 5, pad_token_id: 6 }
    const named = { decoder_start_token_id: 1, eos_token_id: 2, pad_token_id: 3 }
    expect(create({ decoder, ...named }).config).toMatchObject({ decoderStartTokenId: 1, eosTokenId: 2, padTokenId: 3 })
    const found = create({ decoder, decoder_start_token_id: null })
    expect(found.config).toMatchObject({ decoderStartTokenId: 4, eosTokenId: 5, padTokenId: 6 })
  })

  it.each([
    [{ decoder: { ...bert, ...decodes, add_cross_attention: false } }, /'decoder.add_cross_attention' does not fit/],
    [
      { decoder: { ...bert, ...decodes, hidden_size: 'wide' } },
      /config\.json: decoder: 'hidden_size' does not fit a BERT/,
    ],
    [
      { decoder: { ...bert, ...decodes, model_type: 't5' } },
      /decoder: model_type 't5' is not supported here; known are bert, roberta, gpt2/,
    ],
    [
      { encoder: { ...bert, model_type: 'gpt2' } },
      /encoder: model_type 'gpt2' is not supported here; known are bert, roberta, distilbert/,
    ],
    [{ encoder: { ...bert, is_decoder: true } }, /encoder: 'is_decoder' does not fit a BERT/],
    [
      { decoder: { ...bert, ...decodes, relative_positions: { buckets: 8, max_distance: 9 } } },
      /'relative_positions' does not fit/,
    ],
    [{ decoder: { ...bert, ...decodes, tie_word_embeddings: false } }, /'tie_word_embeddings' does not fit/],
    [{ decoder_start_token_id: null }, /'decoder_start_token_id' is missing/],
    [{ tie_encoder_decoder: true }, /'tie_encoder_decoder' does not fit/],
  ])('refuses %j', (changes, message) => {
    expect(() => create(changes)).toThrow(CheckpointError)
    expect(() => create(changes)).toThrow(message)
  })
})

describe('the checkpoint format of encoder–decoders', () => {
  const gpt = new EncoderDecoder(new DistilBertModel(sizes), new GPTDecoder({ ...sizes, bias: false }), tokens)
  const rename = (model: EncoderDecoder, name: string) => encoderDecoderArchitecture.parameterName(name, model)

  it('has the names that each half has alone', () => {
    const bert2bert = new EncoderDecoder(new BertModel(sizes), new BertDecoder(sizes), tokens)
    expect(rename(bert2bert, 'encoder.embeddings.LayerNorm.gamma')).toBe('encoder.embeddings.LayerNorm.weight')
    expect(rename(bert2bert, 'encoder.embeddings.position_ids')).toBeUndefined()
    expect(rename(bert2bert, 'decoder.bert.embeddings.position_ids')).toBeUndefined()
    expect(rename(bert2bert, 'decoder.cls.predictions.decoder.weight')).toBeUndefined()
    expect(rename(bert2bert, 'enc_to_dec_proj.weight')).toBe('enc_to_dec_proj.weight')
    expect(rename(gpt, 'decoder.transformer.h.0.crossattention.masked_bias')).toBeUndefined()
    expect(rename(gpt, 'decoder.transformer.h.0.attn.bias')).toBeUndefined()
    for (const model of [bert2bert, gpt]) {
      for (const path of Object.keys(model.parameters())) expect(rename(model, path)).toBe(path)
    }
  })

  it('adds the biases that Python expects, and ignores only what changes nothing', () => {
    const { extraTensors, ignores } = encoderDecoderArchitecture
    const zeros = Object.fromEntries([...extraTensors(gpt)].map(([name, { shape }]) => [name, shape]))
    expect(zeros).toMatchObject({
      'decoder.transformer.h.0.crossattention.c_attn.bias': [8],
      'decoder.transformer.h.0.crossattention.q_attn.bias': [4],
      'decoder.transformer.h.0.ln_cross_attn.bias': [4],
    })
    expect(ignores(gpt, 'decoder.lm_head.weight', Float32Array.of(1))).toBe(true)
    expect(ignores(gpt, 'decoder.transformer.ln_f.bias', Float32Array.of(0))).toBe(true)
    expect(ignores(gpt, 'encoder.pooler.dense.bias', Float32Array.of(0))).toBe(false)
  })

  it('writes a config.json that says the same again', () => {
    const { toConfig, specialTokens } = encoderDecoderArchitecture
    const written = { ...toConfig(gpt), ...specialTokens?.(gpt) }
    expect(written).toMatchObject({
      architectures: ['EncoderDecoderModel'],
      encoder: { model_type: 'distilbert' },
      decoder: { model_type: 'gpt2', is_decoder: true, add_cross_attention: true },
      decoder_start_token_id: 2,
      eos_token_id: 3,
      pad_token_id: 0,
    })
    const again = encoderDecoderArchitecture.create(written, 'config.json')
    expect({ ...toConfig(again), ...specialTokens?.(again) }).toEqual(written)
    expect(again.config).toEqual(gpt.config)
  })
})
