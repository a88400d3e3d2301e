import { describe, expect, it } from 'vitest'
import { ConfigError } from '../errors.js'
import { initialize, type Module } from '../nn/index.js'
import { compile, float32 } from '../runtime/index.js'
import {
  type BertConfig,
  BertForMaskedLM,
  BertForRelationClassification,
  BertForSequenceClassification,
  BertModel,
  bertBase,
  bertBaseChinese,
  bertLarge,
  bertMedium,
  bertMini,
  bertSmall,
  bertTiny,
  DistilBertModel,
  distilBertBase,
  encoderFeeds,
  encoderInputs,
  MeanPooler,
  miniLML6,
  RobertaModel,
  robertaBase,
  robertaLarge,
} from './index.js'

const sizeOf = (model: Module) => Object.values(model.parameters()).reduce((sum, { size }) => sum + size, 0)

describe('presets', () => {
  // Counts of the published checkpoints' bodies with poolers.
  it.each([
    ['BERT tiny', () => new BertModel(bertTiny()), 4_385_920],
    ['BERT mini', () => new BertModel(bertMini()), 11_170_560],
    ['BERT small', () => new BertModel(bertSmall()), 28_763_648],
    ['BERT medium', () => new BertModel(bertMedium()), 41_373_184],
    ['BERT base', () => new BertModel(bertBase()), 109_482_240],
    ['BERT large', () => new BertModel(bertLarge()), 335_141_888],
    ['BERT base, Chinese', () => new BertModel(bertBaseChinese()), 102_267_648],
    ['MiniLM', () => new BertModel(miniLML6()), 22_713_216],
    ['RoBERTa base', () => new RobertaModel(robertaBase()), 124_645_632],
    ['RoBERTa large', () => new RobertaModel(robertaLarge()), 355_359_744],
    ['DistilBERT', () => new DistilBertModel(distilBertBase()), 66_362_880],
  ])('have the size of the published %s', (_name, make, parameters) => {
    expect(sizeOf(make())).toBe(parameters)
  })
})

const config: BertConfig = { vocabularySize: 20, contextLength: 9, layers: 1, heads: 2, width: 8, dropout: 0.1 }

describe('a BERT', () => {
  it('has the paths of the published checkpoints', () => {
    const ofLayer = ['query', 'key', 'value'].map((name) => `attention.self.${name}`)
    const dense = [...ofLayer, 'attention.output.dense', 'attention.output.LayerNorm', 'intermediate.dense']
    const layer = [...dense, 'output.dense', 'output.LayerNorm'].map((name) => `bert.encoder.layer.0.${name}`)
    const tables = ['word', 'position', 'token_type'].map((name) => `bert.embeddings.${name}_embeddings.weight`)
    const withBias = ['bert.embeddings.LayerNorm', ...layer, ...head('dense'), ...head('LayerNorm')]
    expect(Object.keys(new BertForMaskedLM(config).parameters()).sort()).toEqual(
      [...tables, ...withBias.flatMap((name) => [`${name}.weight`, `${name}.bias`]), 'cls.predictions.bias'].sort(),
    )
  })

  it('refuses a width that does not divide among its heads', () => {
    expect(() => new BertModel({ ...config, heads: 3 })).toThrow(ConfigError)
  })

  it('classifies by the mean of all tokens where its pooling says so', async () => {
    const model = new BertForSequenceClassification({ ...config, pooling: 'mean' }, ['no', 'yes'])
    expect(model.bert.pooler).toBeInstanceOf(MeanPooler)
    expect(Object.keys(model.parameters()).filter((path) => path.includes('pooler'))).toEqual([])
    initialize(model.parameters(), 1)
    const { inputs, input } = encoderInputs()
    const program = await compile({
      inputs,
      outputs: { hidden: model.bert.forward(input), logits: model.forward(input) },
    })
    const { hidden, logits } = await program.run(encoderFeeds([{ ids: [3, 4, 5] }, { ids: [6] }]))
    await program.dispose()
    const { weight, bias } = model.classifier
    for (const [b, rows] of [[0, 1, 2], [3]].entries()) {
      for (let label = 0; label < 2; label++) {
        let sum = bias!.data![label]
        for (let c = 0; c < 8; c++) {
          const mean = rows.reduce((total, row) => total + float32(hidden)[8 * row + c], 0) / rows.length
          sum += mean * weight.data![8 * label + c]
        }
        expect(float32(logits)[2 * b + label]).toBeCloseTo(sum, 5)
      }
    }
  })

  it('tells relations by the tokens at which two spans start, the first before the second', async () => {
    const model = new BertForRelationClassification(config, ['a', 'b', 'c'])
    initialize(model.parameters(), 2)
    const { inputs, input } = encoderInputs()
    const spans = { first: input.layout.first, second: input.layout.first.add(1) }
    const outputs = { hidden: model.bert.forward(input), logits: model.forward(input, spans) }
    const program = await compile({ inputs, outputs })
    const { hidden, logits } = await program.run(encoderFeeds([{ ids: [3, 4, 5] }, { ids: [6, 7] }]))
    await program.dispose()
    for (const [b, row] of [0, 3].entries()) {
      for (let label = 0; label < 3; label++) {
        let sum = 0
        for (let c = 0; c < 16; c++) sum += float32(hidden)[8 * row + c] * model.classifier.weight.data![16 * label + c]
        expect(float32(logits)[3 * b + label]).toBeCloseTo(sum, 5)
      }
    }
  })
})

function head(part: string): string[] {
  return [`cls.predictions.transform.${part}`]
}
