import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import {
  type BertConfig,
  BertForMaskedLM,
  BertForMultipleChoice,
  BertForPreTraining,
  BertForQuestionAnswering,
  BertForRelationClassification,
  BertForSequenceClassification,
  BertForTokenClassification,
  BertModel,
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  DistilBertModel,
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
} from '../models/index.js'
import { initialize, type Module } from '../nn/index.js'
import { toBertConfig } from './bert.js'
import { loadModel, saveModel } from './checkpoint.js'
import { toDistilBertConfig } from './distilbert.js'
import { readSafetensors, writeFileAtomically } from './files.js'
import { toRobertaConfig } from './roberta.js'
import { serializeSafetensors } from './safetensors.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-bert-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const sizes: BertConfig = {
  vocabularySize: 9,
  contextLength: 6,
  layers: 2,
  heads: 2,
  width: 4,
  innerWidth: 6,
  dropout: { hidden: 0.1, attention: 0.2, classifier: 0.3 },
}
const labels = ['O', 'B-PER', 'I-PER']

/** A model whose weights are all different from each other. */
function made<M extends Module>(model: M): M {
  initialize(model.parameters(), 3)
  for (const { data } of Object.values(model.parameters())) for (const i of data!.keys()) data![i] += i / 100
  return model
}

const weightsOf = (model: Module) =>
  Object.fromEntries(Object.entries(model.parameters()).map(([name, { shape, data }]) => [name, { shape, data }]))

const distances = { buckets: 4, maxDistance: 3 }
const models: [string, string, () => Module][] = [
  ['BertModel', 'bert', () => new BertModel(sizes)],
  ['BertForMaskedLM', 'bert', () => new BertForMaskedLM(sizes)],
  ['BertForPreTraining', 'bert', () => new BertForPreTraining(sizes)],
  ['BertForSequenceClassification', 'bert', () => new BertForSequenceClassification(sizes, labels)],
  [
    'BertForSequenceClassification',
    'bert',
    () => new BertForSequenceClassification({ ...sizes, pooling: 'mean', relativePositions: distances }, labels),
  ],
  ['BertForTokenClassification', 'bert', () => new BertForTokenClassification(sizes, labels)],
  ['BertForQuestionAnswering', 'bert', () => new BertForQuestionAnswering(sizes)],
  ['BertForMultipleChoice', 'bert', () => new BertForMultipleChoice(sizes)],
  ['BertForRelationClassification', 'bert', () => new BertForRelationClassification(sizes, labels)],
  ['RobertaModel', 'roberta', () => new RobertaModel(sizes)],
  ['RobertaForMaskedLM', 'roberta', () => new RobertaForMaskedLM({ ...sizes, padTokenId: 3, activation: 'relu' })],
  [
    'RobertaForSequenceClassification',
    'roberta',
    () => new RobertaForSequenceClassification(sizes, labels, 'multi_label_classification'),
  ],
  ['RobertaForTokenClassification', 'roberta', () => new RobertaForTokenClassification(sizes, labels)],
  ['RobertaForQuestionAnswering', 'roberta', () => new RobertaForQuestionAnswering(sizes)],
  ['RobertaForMultipleChoice', 'roberta', () => new RobertaForMultipleChoice(sizes)],
  ['DistilBertModel', 'distilbert', () => new DistilBertModel(sizes)],
  ['DistilBertForMaskedLM', 'distilbert', () => new DistilBertForMaskedLM(sizes)],
  [
    'DistilBertForSequenceClassification',
    'distilbert',
    () => new DistilBertForSequenceClassification(sizes, ['score'], 'regression'),
  ],
  ['DistilBertForTokenClassification', 'distilbert', () => new DistilBertForTokenClassification(sizes, labels)],
  ['DistilBertForQuestionAnswering', 'distilbert', () => new DistilBertForQuestionAnswering(sizes)],
  ['DistilBertForMultipleChoice', 'distilbert', () => new DistilBertForMultipleChoice(sizes)],
]

describe('saveModel and loadModel', () => {
  it.each(models)('keep a %s as it is', (name, modelType, make) => {
    const model = made(make())
    saveModel(join(folder, 'first'), model)
    expect(readdirSync(join(folder, 'first')).sort()).toEqual(['config.json', 'model.safetensors'])
    const config = JSON.parse(readFileSync(join(folder, 'first/config.json'), 'utf8'))
    expect(config).toMatchObject({ model_type: modelType, architectures: [name] })
    const loaded = loadModel(join(folder, 'first'))
    expect(loaded.unused).toEqual([])
    expect(loaded.model.constructor).toBe(model.constructor)
    expect(weightsOf(loaded.model)).toEqual(weightsOf(model))
    expect(loaded.model).toMatchObject(described(model))
    saveModel(join(folder, 'again'), loaded.model)
    for (const file of ['config.json', 'model.safetensors']) {
      const [first, again] = ['first', 'again'].map((place) => readFileSync(join(folder, place, file)))
      expect(again.equals(first), file).toBe(true)
    }
  })
})

/** What a model says of itself beside its weights. */
function described(model: Module): object {
  const { config, labels, problem } = { config: undefined, labels: undefined, problem: undefined, ...model }
  return JSON.parse(JSON.stringify({ config, labels, problem }))
}

type Tensors = Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>

/** Rewrites the names of a checkpoint's tensors. */
function renameTensors(rename: (name: string) => string, extra: Tensors = new Map()): void {
  const path = join(folder, 'model.safetensors')
  const tensors = [...readSafetensors(path)].map(([name, tensor]) => [rename(name), tensor] as const)
  const entries = [...tensors, ...extra].map(([name, { shape, data }]) => ({
    name,
    dtype: 'F32' as const,
    shape,
    data,
  }))
  writeFileAtomically(path, serializeSafetensors(entries))
}

/** Rewrites keys of config.json; undefined takes one away. */
function changeConfig(changes: Record<string, unknown>): void {
  const path = join(folder, 'config.json')
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }))
}

describe('loadModel', () => {
  it.each([
    ['bert', () => new BertForTokenClassification(sizes, labels)],
    ['roberta', () => new RobertaForTokenClassification(sizes, labels)],
    ['distilbert', () => new DistilBertForTokenClassification(sizes, labels)],
  ])('reads a head whose body has no prefix %s.', (prefix, make) => {
    const model = made(make())
    saveModel(folder, model)
    renameTensors((name) => name.replace(`${prefix}.`, ''))
    const loaded = loadModel(folder)
    expect(loaded.unused).toEqual([])
    expect(weightsOf(loaded.model)).toEqual(weightsOf(model))
  })

  it('reads the body of a model with a head, and names the head as unused', () => {
    saveModel(folder, made(new BertForPreTraining(sizes)))
    changeConfig({ architectures: ['BertModel'] })
    const { model, unused } = loadModel(folder)
    expect(model).toBeInstanceOf(BertModel)
    expect(unused.filter((name) => !name.startsWith('cls.'))).toEqual([])
    expect(unused).toContain('cls.seq_relationship.weight')
    changeConfig({ architectures: ['BertForSomethingNew'] })
    expect(loadModel(folder).model).toBeInstanceOf(BertModel)
  })

  it('reads the names of checkpoints from TensorFlow, and passes over constants and copies of tied weights', () => {
    const model = made(new BertForMaskedLM(sizes))
    saveModel(folder, model)
    const one = { shape: [1], data: new Float32Array(1) }
    const extra = [
      'bert.embeddings.position_ids',
      'cls.predictions.decoder.weight',
      'cls.predictions.decoder.bias',
    ].map((name) => [name, one] as const)
    renameTensors(
      (name) => name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'),
      new Map(extra),
    )
    const loaded = loadModel(folder)
    expect(loaded.unused).toEqual([])
    expect(weightsOf(loaded.model)).toEqual(weightsOf(model))
  })

  it('takes the labels that Python leaves out, and the problem from their number', () => {
    saveModel(folder, made(new BertForSequenceClassification(sizes, ['a', 'b'])))
    changeConfig({ id2label: undefined, label2id: undefined, problem_type: null })
    expect(loadModel(folder).model).toMatchObject({
      labels: ['LABEL_0', 'LABEL_1'],
      problem: 'single_label_classification',
    })
    saveModel(folder, made(new BertForSequenceClassification(sizes, ['score'])))
    changeConfig({ problem_type: undefined })
    expect(loadModel(folder).model).toMatchObject({ problem: 'regression' })
  })

  it.each([
    [{ id2label: { 0: 'a' } }, /'classifier.bias' has the shape \[3\], config.json asks for \[1\]/],
    [{ problem_type: 'ranking' }, /'problem_type' does not fit/],
    [{ hidden_act: 'mish' }, /hidden_act 'mish' is unknown; known are gelu,/],
    [{ position_embedding_type: 'relative_key' }, /'position_embedding_type' does not fit a BERT model/],
    [{ is_decoder: true }, /'is_decoder' does not fit a BERT model/],
    [{ hidden_size: undefined }, /'hidden_size' does not fit a BERT model/],
    [{ relative_positions: { buckets: 8 } }, /'relative_positions.max_distance' does not fit/],
  ])('refuses %j', (changes, message) => {
    saveModel(folder, made(new BertForSequenceClassification(sizes, labels)))
    changeConfig(changes)
    expect(() => loadModel(folder)).toThrow(CheckpointError)
    expect(() => loadModel(folder)).toThrow(message)
  })

  it('refuses a language model whose output does not share the word embeddings', () => {
    saveModel(folder, made(new BertForMaskedLM(sizes)))
    changeConfig({ tie_word_embeddings: false })
    expect(() => loadModel(folder)).toThrow(/'tie_word_embeddings' does not fit a masked language model/)
  })
})

describe('the sizes in published files', () => {
  it('are those of BERT', () => {
    const json = {
      vocab_size: 30522,
      hidden_size: 768,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      intermediate_size: 3072,
    }
    expect(toBertConfig(json, 'config.json')).toEqual({
      vocabularySize: 30522,
      contextLength: 512,
      layers: 12,
      heads: 12,
      width: 768,
      innerWidth: 3072,
      dropout: { hidden: 0.1, attention: 0.1, classifier: 0.1 },
      activation: 'gelu',
      epsilon: 1e-12,
      typeVocabularySize: 2,
      padTokenId: 0,
      deviation: 0.02,
      pooling: 'cls',
    })
  })

  it('are those of RoBERTa, whose positions start behind the padding token', () => {
    const json = {
      vocab_size: 50265,
      hidden_size: 768,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      intermediate_size: 3072,
      max_position_embeddings: 514,
      type_vocab_size: 1,
      layer_norm_eps: 1e-5,
    }
    expect(toRobertaConfig(json, 'config.json')).toMatchObject({
      contextLength: 512,
      typeVocabularySize: 1,
      padTokenId: 1,
      epsilon: 1e-5,
    })
    expect(() => toRobertaConfig({ ...json, pooling: 'mean' }, 'config.json')).toThrow(/do not fit a RoBERTa model/)
    expect(() => toRobertaConfig({ ...json, vocab_size: 0 }, 'config.json')).toThrow(/does not fit a RoBERTa model/)
  })

  it('are those of DistilBERT', () => {
    const json = { vocab_size: 30522, dim: 768, n_layers: 6, n_heads: 12, hidden_dim: 3072 }
    expect(toDistilBertConfig(json, 'config.json')).toEqual({
      vocabularySize: 30522,
      contextLength: 512,
      layers: 6,
      heads: 12,
      width: 768,
      innerWidth: 3072,
      dropout: { hidden: 0.1, attention: 0.1, classifier: 0.2 },
      activation: 'gelu',
      padTokenId: 0,
      deviation: 0.02,
    })
    expect(() => toDistilBertConfig({ ...json, activation: 'mish' }, 'config.json')).toThrow(/activation 'mish'/)
  })
})
