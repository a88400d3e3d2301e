import { describe, expect, it } from 'vitest'
import { layerRates } from './rates.js'

const names = [
  'bert.embeddings.word_embeddings.weight',
  'bert.encoder.layer.0.attention.self.query.weight',
  'bert.encoder.layer.1.output.dense.bias',
  'bert.pooler.dense.weight',
  'classifier.weight',
]

describe('layerRates', () => {
  it('decays from the head down', () => {
    expect(names.map(layerRates(names, { layerDecay: 0.5 }))).toEqual([0.125, 0.25, 0.5, 1, 1])
  })

  it('freezes the embeddings and the first layers', () => {
    expect(names.map(layerRates(names, { freezeLayers: 0 }))).toEqual([0, 1, 1, 1, 1])
    expect(names.map(layerRates(names, { freezeLayers: 1, layerDecay: 0.5 }))).toEqual([0, 0, 0.5, 1, 1])
  })

  it('knows the names of GPT-2', () => {
    const gpt = ['transformer.wte.weight', 'transformer.h.0.ln_1.weight', 'transformer.ln_f.weight', 'score.weight']
    expect(gpt.map(layerRates(gpt, { layerDecay: 0.5 }))).toEqual([0.25, 0.5, 1, 1])
  })
})
