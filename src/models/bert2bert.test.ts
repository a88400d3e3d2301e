import { describe, expect, it } from 'vitest'
import { ConfigError, UsageError } from '../errors.js'
import { initialize, type Module } from '../nn/index.js'
import {
  BertDecoder,
  BertForMaskedLM,
  BertForPreTraining,
  BertModel,
  DistilBertForMaskedLM,
  EncoderDecoder,
  encoderDecoderFrom,
  GPT,
  GPTDecoder,
  RobertaForMaskedLM,
  T5,
} from './index.js'

const bert = { vocabularySize: 20, contextLength: 9, layers: 2, heads: 2, width: 8 }
const narrow = { ...bert, width: 6, contextLength: 12, vocabularySize: 17 }
const tokens = { decoderStartTokenId: 2, eosTokenId: 3, padTokenId: 0 }

function initialized<M extends Module>(model: M, seed: number): M {
  initialize(model.parameters(), seed)
  // Biases start at 0 and norms at 1: a copy of two would not show.
  for (const { data } of Object.values(model.parameters())) {
    for (const [i, value] of data!.entries()) data![i] = value + 1e-3 * i + seed
  }
  return model
}

/** The values of a model's parameters by path, those within a part of it without its name. */
function values(model: Module, part = ''): Map<string, Float32Array> {
  const entries = Object.entries(model.parameters()).filter(([path]) => path.startsWith(part))
  return new Map(entries.map(([path, { data }]) => [path.slice(part.length), data!]))
}

/** Paths of one model that have the same values in another, under a name made of theirs. */
const shared = (of: Map<string, Float32Array>, source: Map<string, Float32Array>, name = (path: string) => path) =>
  [...of].filter(([path, data]) => String(source.get(name(path))) === String(data)).map(([path]) => path)

describe('an encoder–decoder from two pretrained models', () => {
  it('has the weights of a BERT on both sides, and first weights where there were none', () => {
    const source = initialized(new BertForPreTraining(bert), 5)
    const model = encoderDecoderFrom(source, source, { ...tokens, seed: 1 })
    expect(model.encoder).toBeInstanceOf(BertModel)
    expect(model.decoder).toBeInstanceOf(BertDecoder)
    const given = values(source)
    const encoder = values(model, 'encoder.')
    expect(shared(encoder, given, (path) => `bert.${path}`)).toEqual([...encoder.keys()])
    const decoder = values(model, 'decoder.')
    const fresh = [...decoder.keys()].filter((path) => path.includes('crossattention'))
    expect(fresh).toHaveLength(2 * 10)
    expect(shared(decoder, given)).toEqual([...decoder.keys()].filter((path) => !fresh.includes(path)))
    const query = decoder.get('bert.encoder.layer.0.crossattention.self.query.weight')!
    expect(Math.hypot(...query) / Math.sqrt(query.length)).toBeCloseTo(0.02, 2)
    const other = values(encoderDecoderFrom(source, source, { ...tokens, seed: 2 }), 'decoder.')
    expect(shared(decoder, other).filter((path) => path.endsWith('.self.query.weight'))).toHaveLength(2)
  })

  it('copies: to train the one changes neither the other half nor the source', () => {
    const source = initialized(new BertForMaskedLM(bert), 5)
    const { encoder, decoder } = encoderDecoderFrom(source, source, tokens)
    const arrays = [source, encoder, decoder].flatMap((part) =>
      Object.values(part.parameters()).map(({ data }) => data),
    )
    expect(new Set(arrays).size).toBe(arrays.length)
  })

  it('may be of other families, vocabularies, contexts and widths', () => {
    const [encoder, decoder] = [initialized(new DistilBertForMaskedLM(narrow), 5), initialized(new GPT(bert), 6)]
    const model = encoderDecoderFrom(encoder, decoder, tokens)
    expect(model.decoder).toBeInstanceOf(GPTDecoder)
    const sizes = { vocabularySize: 20, sourceVocabularySize: 17, contextLength: 9, width: 8 }
    expect(model.config).toEqual({ ...sizes, ...tokens })
    expect(model.decoderSizes).toEqual({ layers: 2, heads: 2, headWidth: 4 })
    expect(shared(values(model, 'decoder.'), values(decoder)).sort()).toEqual([...values(decoder).keys()].sort())
    expect(values(model).get('enc_to_dec_proj.weight')).toHaveLength(8 * 6)
    expect(model.enc_to_dec_proj?.weight.name).toBe('enc_to_dec_proj.weight')
  })

  it('takes a RoBERTa with its positions and head', () => {
    const source = initialized(new RobertaForMaskedLM(bert), 5)
    const model = encoderDecoderFrom(source, source, tokens)
    expect(shared(values(model, 'decoder.'), values(source)).sort()).toEqual([...values(source).keys()].sort())
    expect(model.config).toEqual({ vocabularySize: 20, contextLength: 9, width: 8, ...tokens })
  })

  it('refuses other models, and models without values', () => {
    const source = initialized(new BertModel(bert), 5)
    const t5 = new T5({ ...bert, encoderLayers: 1, decoderLayers: 1, ...tokens })
    const relative = new BertModel({ ...bert, relativePositions: { buckets: 8, maxDistance: 9 } })
    expect(() => encoderDecoderFrom(t5, source, tokens)).toThrow(ConfigError)
    expect(() => encoderDecoderFrom(t5, source, tokens)).toThrow(
      'the encoder must be a BERT, RoBERTa or DistilBERT, not a T5',
    )
    expect(() => encoderDecoderFrom(new GPT(bert), source, tokens)).toThrow('the encoder must be a BERT')
    expect(() => encoderDecoderFrom(source, new DistilBertForMaskedLM(bert), tokens)).toThrow(
      'the decoder must be a BERT, RoBERTa or GPT, not a DistilBertForMaskedLM',
    )
    expect(() => encoderDecoderFrom(source, relative, tokens)).toThrow(
      'a BERT with biases by distance cannot be the decoder',
    )
    expect(() => encoderDecoderFrom(source, new BertModel(bert), tokens)).toThrow(UsageError)
  })
})

describe('an encoder–decoder', () => {
  it('has the paths of the published format', () => {
    const model = new EncoderDecoder(
      new BertModel({ ...bert, layers: 1 }),
      new BertDecoder({ ...bert, layers: 1 }),
      tokens,
    )
    const cross = Object.keys(model.parameters()).filter((path) => path.includes('crossattention'))
    const parts = ['self.query', 'self.key', 'self.value', 'output.dense', 'output.LayerNorm']
    expect(cross.sort()).toEqual(
      parts
        .flatMap((part) =>
          ['weight', 'bias'].map((name) => `decoder.bert.encoder.layer.0.crossattention.${part}.${name}`),
        )
        .sort(),
    )
    const own = Object.keys(new BertForMaskedLM({ ...bert, layers: 1 }).parameters()).map((path) => `decoder.${path}`)
    const encoder = Object.keys(new BertModel({ ...bert, layers: 1 }).parameters()).map((path) => `encoder.${path}`)
    expect(Object.keys(model.parameters()).sort()).toEqual([...own, ...encoder, ...cross].sort())
    const gpt = new EncoderDecoder(new BertModel(bert), new GPTDecoder({ ...bert, layers: 1 }), tokens)
    const names = ['c_attn', 'q_attn', 'c_proj'].map((name) => `crossattention.${name}`)
    const added = [...names, 'ln_cross_attn'].flatMap((name) =>
      ['weight', 'bias'].map((end) => `decoder.transformer.h.0.${name}.${end}`),
    )
    const alone = Object.keys(new GPT({ ...bert, layers: 1 }).parameters()).map((path) => `decoder.${path}`)
    const found = Object.keys(gpt.parameters()).filter((path) => path.startsWith('decoder.'))
    expect(found.sort()).toEqual([...alone, ...added].sort())
  })
})
