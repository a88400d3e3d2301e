import { describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { BertForMaskedLM, GPT, Transformer } from '../models/index.js'
import { initialize, type Linear, type Module, sinusoidalPositions } from '../nn/index.js'
import { type AttentionLayer, attentionWeights, causalAttention, encoderAttention } from './attention-weights.js'
import { tinyConfig } from './sequence-to-sequence.testing.js'

type Matrix = readonly (readonly number[])[]

/** x·Wᵀ + b. */
function linear(x: Matrix, { weight, bias }: Linear): number[][] {
  const [out, width] = weight.shape
  return x.map((row) =>
    Array.from({ length: out }, (_, i) =>
      row.reduce((sum, value, j) => sum + value * weight.data![i * width + j], bias?.data?.[i] ?? 0),
    ),
  )
}

/** softmax(q·kᵀ/√D) of each head, written down again; `visible` says how many keys each query sees. */
function weightsOf(q: Matrix, k: Matrix, heads: number, visible: (query: number) => number): number[][][] {
  const width = q[0].length / heads
  return Array.from({ length: heads }, (_, head) =>
    q.map((query, t) => {
      const part = (row: readonly number[]) => row.slice(head * width, (head + 1) * width)
      const scores = k.map((key) => part(key).reduce((sum, x, i) => sum + x * part(query)[i], 0) / Math.sqrt(width))
      const exponents = scores.map((score, s) => (s < visible(t) ? Math.exp(score) : 0))
      const total = exponents.reduce((a, b) => a + b)
      return exponents.map((exponent) => exponent / total)
    }),
  )
}

function expectWeights(found: AttentionLayer, expected: number[][][]): void {
  expect(found.weights.map((head) => head.map((row) => row.length))).toEqual(
    expected.map((head) => head.map((row) => row.length)),
  )
  for (const [h, head] of expected.entries()) {
    for (const [t, row] of head.entries()) {
      for (const [s, weight] of row.entries()) expect(found.weights[h][t][s]).toBeCloseTo(weight, 5)
    }
  }
}

const made = <M extends Module>(model: M): M => {
  initialize(model.parameters(), 3)
  return model
}

const source = [5, 6, 7, 8, 9]
const target = [4, 12, 3, 1]

describe('attention weights', () => {
  it('of an encoder–decoder are those of queries and keys', async () => {
    // Without layers the encoder gives its embeddings; a self-attention that gives zeros leaves the decoder's, normalized.
    const model = made(new Transformer({ ...tinyConfig, encoderLayers: 0, decoderLayers: 1 }))
    const { decoder } = model.model
    const [layer] = decoder.layers
    layer.self_attn.out_proj.weight.data!.fill(0)
    const { width, heads } = tinyConfig
    const positions = sinusoidalPositions(tinyConfig.contextLength, width).data
    const embedded = (ids: readonly number[]) =>
      ids.map((id, t) =>
        Array.from(
          { length: width },
          (_, i) =>
            decoder.embed_tokens.weight.data![id * width + i] * Math.sqrt(width) + Number(positions[t * width + i]),
        ),
      )
    const normalized = (x: Matrix) =>
      x.map((row) => {
        const mean = row.reduce((a, b) => a + b) / width
        const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width
        return row.map((value) => (value - mean) / Math.sqrt(variance + 1e-5))
      })
    const found = await attentionWeights(model, { ids: source }, target)
    const read = embedded([tinyConfig.decoderStartTokenId, ...target.slice(0, -1)])
    const { self_attn, encoder_attn } = layer
    expect(found.encoder).toEqual([])
    expect(found.decoder.map(({ name }) => name)).toEqual(['model.decoder.layers.0.self_attn'])
    const [q, k] = [self_attn.q_proj, self_attn.k_proj].map((projection) => linear(read, projection))
    expectWeights(
      found.decoder[0],
      weightsOf(q, k, heads, (t) => t + 1),
    )
    expect(found.cross.map(({ name }) => name)).toEqual(['model.decoder.layers.0.encoder_attn'])
    const queries = linear(normalized(read), encoder_attn.q_proj)
    const keys = linear(embedded(source), encoder_attn.k_proj)
    expectWeights(
      found.cross[0],
      weightsOf(queries, keys, heads, () => source.length),
    )
  })

  it('come layer by layer, also where source and target have one length', async () => {
    const model = made(new Transformer(tinyConfig))
    const found = await attentionWeights(model, { ids: source.slice(0, 4) }, target)
    expect(found.encoder.map(({ name }) => name)).toEqual([0, 1].map((i) => `model.encoder.layers.${i}.self_attn`))
    expect(found.decoder.map(({ name }) => name)).toEqual([0, 1].map((i) => `model.decoder.layers.${i}.self_attn`))
    expect(found.cross.map(({ name }) => name)).toEqual([0, 1].map((i) => `model.decoder.layers.${i}.encoder_attn`))
    for (const { weights } of [...found.encoder, ...found.decoder, ...found.cross]) {
      for (const row of weights.flat()) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
    }
    for (const { weights } of found.decoder) for (const head of weights) expect(head[1].slice(2)).toEqual([0, 0])
    await expect(attentionWeights(model, { ids: source }, [])).rejects.toThrow(DataError)
    await expect(attentionWeights(model, { ids: [] }, target)).rejects.toThrow(DataError)
  })

  it('of a GPT and a BERT are those of their layers', async () => {
    const sizes = { vocabularySize: 17, contextLength: 12, layers: 2, heads: 2, width: 8, deviation: 0.5 }
    const gpt = made(new GPT(sizes))
    const ofGpt = await causalAttention(gpt, source)
    expect(ofGpt.map(({ name }) => name)).toEqual(['transformer.h.0.attn', 'transformer.h.1.attn'])
    for (const { weights } of ofGpt) {
      for (const head of weights) {
        for (const [t, row] of head.entries()) {
          expect(row.filter((weight) => weight > 0)).toHaveLength(t + 1)
          expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
        }
      }
    }
    const bert = made(new BertForMaskedLM(sizes))
    const ofBert = await encoderAttention(bert, { ids: source })
    expect(ofBert.map(({ name }) => name)).toEqual([0, 1].map((i) => `bert.encoder.layer.${i}.attention.self`))
    expect(ofBert[0].weights.map((head) => head.map((row) => row.length))).toEqual(Array(2).fill(Array(5).fill(5)))
    for (const { weights } of ofBert) {
      for (const row of weights.flat()) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
    }
  })
})
