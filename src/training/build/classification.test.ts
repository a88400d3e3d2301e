import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CheckpointError, ConfigError, DataError } from '../../errors.js'
import { saveModel } from '../../hub/checkpoint.js'
import {
  BertForSequenceClassification,
  BertModel,
  GPTForSequenceClassification,
  RobertaForSequenceClassification,
} from '../../models/index.js'
import type { Feed } from '../../runtime/index.js'
import { saveTokenizer } from '../../tokenizers/save.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import { build, type Ingredients } from '../build.js'
import { parseRecipe, type Recipe } from '../recipe.js'
import { type ClassifiedText, readClassified } from './classification-texts.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-classification-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0

/** Writes lines into a file of its own; returns its name. */
function write(ending: string, ...lines: string[]): string {
  const file = join(folder, `${files++}.${ending}`)
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return file
}

const recipe = (train: string, ...sets: string[]): Recipe =>
  parseRecipe(
    JSON.stringify({
      objective: 'classification',
      model: { type: 'bert', layers: 1, heads: 2, width: 8, contextLength: 16 },
      tokenizer: { type: 'wordpiece', vocabularySize: 60 },
      data: { train },
      train: { steps: 1, batchSize: 2 },
    }),
    'test',
    sets,
  )

const make = (train: string, ...sets: string[]) => build({ recipe: recipe(train, ...sets) })

const rooms = write(
  'csv',
  'text,label',
  ...Array.from(
    { length: 20 },
    (_, i) => `${i % 3 === 0 ? 'clean' : 'dirty'} room ${i},${i % 3 === 0 ? 'good' : 'bad'}`,
  ),
)
const dev = write('csv', 'text,label', 'clean,good', 'dirty,bad', 'dirty room,bad')

function arrayOf(feed: Feed): number[] {
  return Array.from('data' in feed ? feed.data : feed, Number)
}

/** Every training example once: its tokens and its target, one number or one for each label. */
function examplesOf({ objective, tokenizer }: Ingredients): { text: string; target: number[] }[] {
  const batches = Array.from({ length: objective.batchesPerEpoch }, (_, i) => objective.trainingBatch(i))
  return batches.flatMap(({ feeds, examples }) => {
    const tokens = arrayOf(feeds.tokens)
    const texts = tokenizer
      .decode(tokens.slice(0, tokens.length / 4))
      .split('[CLS]')
      .slice(1)
    const targets = arrayOf(feeds.targets)
    const width = targets.length / examples
    return texts.map((text, row) => ({
      text: text.replaceAll('[SEP]', '|').trim(),
      target: targets.slice(row * width, (row + 1) * width),
    }))
  })
}

const evaluated = ({ objective }: Ingredients) =>
  [...objective.evaluationBatches()].reduce((sum, { examples }) => sum + examples, 0)

describe('buildClassification', () => {
  it('learns the labels of the data, in order, and keeps a tenth for validation', async () => {
    const made = await make(rooms)
    expect(made.model).toBeInstanceOf(BertForSequenceClassification)
    expect(made.model).toMatchObject({ labels: ['bad', 'good'], problem: 'single_label_classification' })
    expect(made.size).toEqual({ count: 18, unit: 'examples' })
    expect(evaluated(made)).toBe(2)
    const examples = examplesOf(made)
    expect(examples).toHaveLength(18)
    for (const { text, target } of examples) expect(target).toEqual([text.startsWith('clean') ? 1 : 0])
    const again = await make(rooms, 'train.seed=5')
    expect(new Set(examplesOf(again).map(({ text }) => text))).not.toEqual(new Set(examples.map(({ text }) => text)))
  })

  it('validates on files of their own, whose labels must be known', async () => {
    const made = await make(rooms, `data.validation=${dev}`)
    expect(made.size.count).toBe(20)
    expect(evaluated(made)).toBe(3)
    const stranger = write('csv', 'text,label', 'clean,good', 'x,awful')
    await expect(make(rooms, `data.validation=${stranger}`)).rejects.toThrow(
      `${stranger}:3: the label 'awful' is not one of the model's: bad, good`,
    )
  })

  it('reads pairs, and the columns that it is told', async () => {
    const rows = Array.from({ length: 10 }, (_, i) => `x${i}\t${i % 2}\tdirty\tclean room`)
    const made = await make(write('tsv', ...rows), 'data.columns={label: 1, text: 2, pair: 3}')
    expect(made.model).toMatchObject({ labels: ['0', '1'] })
    expect(examplesOf(made)[0].text).toBe('dirty | clean room |')
  })

  it('makes what model.type says: a relative of BERT, or a GPT', async () => {
    const roberta = await make(rooms, 'model.type=roberta')
    expect(roberta.model).toBeInstanceOf(RobertaForSequenceClassification)
    const gpt = await make(
      rooms,
      'model={layers: 1, heads: 2, width: 8}',
      'tokenizer.type=bpe',
      'tokenizer.vocabularySize=280',
    )
    expect(gpt.model).toBeInstanceOf(GPTForSequenceClassification)
    await expect(make(rooms, 'model={layers: 1, heads: 2, width: 8}', 'data.problemType=regression')).rejects.toThrow(
      ConfigError,
    )
  })

  it('predicts numbers, and any number of labels', async () => {
    const numbers = write('csv', 'text,score', ...Array.from({ length: 10 }, (_, i) => `room ${i},${i / 4}`))
    const regression = await make(numbers, 'data.problemType=regression')
    expect(regression.model).toMatchObject({ labels: ['LABEL_0'], problem: 'regression' })
    for (const { text, target } of examplesOf(regression)) expect(target).toEqual([Number(text.match(/\d+/)?.[0]) / 4])
    const bad = write('csv', 'text,score', 'room,1', 'clean,much')
    await expect(make(bad, 'data.problemType=regression')).rejects.toThrow(`${bad}:3: expected a number to predict`)
    const names = ['small', 'clean', 'quiet']
    const sets = Array.from({ length: 10 }, (_, i) => names.filter((_, j) => i % (j + 2) === 0))
    const lines = sets.map((labels) => JSON.stringify({ text: `room ${labels.join(' ')}`, labels }))
    const several = await make(write('jsonl', ...lines), 'data.problemType=multi_label_classification')
    expect(several.model).toMatchObject({ labels: ['clean', 'quiet', 'small'], problem: 'multi_label_classification' })
    for (const { text, target } of examplesOf(several)) {
      expect(target).toEqual(['clean', 'quiet', 'small'].map((name) => Number(text.includes(name))))
    }
  })

  it('weighs labels: all the same in total, or as it is told', async () => {
    const total = async (...sets: string[]) => {
      const { objective } = await make(rooms, `data.validation=${dev}`, 'train.batchSize=20', ...sets)
      return objective.trainingBatch(0).predictions
    }
    // 7 are good and 13 bad: balanced weights are 20 / (2·7) and 20 / (2·13), which add up to 20.
    expect(await total('train.classWeights=balanced')).toBeCloseTo(20, 5)
    expect(await total('train.classWeights={good: 2}')).toBeCloseTo(7 * 2 + 13, 5)
    const { objective } = await make(rooms, `data.validation=${dev}`, 'train.classWeights=balanced')
    expect(arrayOf(objective.trainingBatch(0).feeds.weights)).toEqual([20 / 26, 20 / 14].map(Math.fround))
    await expect(total('train.classWeights={god: 2}')).rejects.toThrow(
      /'god' is no label of the data; it has bad, good/,
    )
    await expect(total('train.classWeights=balanced', 'data.problemType=multi_label_classification')).rejects.toThrow(
      ConfigError,
    )
  })

  it('cuts long texts at maxLength or at what the model sees, and warns once of all, as of empty ones', async () => {
    const long = write('csv', 'text,label', 'a,good', `${'room '.repeat(40)},good`, ',bad', `${'room '.repeat(9)},bad`)
    const longest = async (...sets: string[]) => {
      const warnings: string[] = []
      const changed = recipe(long, `data.validation=${dev}`, 'train.batchSize=4', ...sets)
      const { objective } = await build({ recipe: changed, onWarning: (message) => warnings.push(message) })
      const { grid } = objective.trainingBatch(0).feeds
      return { length: 'data' in grid ? grid.shape[1] : undefined, warnings }
    }
    const empty = `${long}:4: the text is empty`
    expect(await longest()).toEqual({ length: 16, warnings: [`${long}:3: the text is too long and was cut`, empty] })
    expect(await longest('data.maxLength=6')).toEqual({
      length: 6,
      warnings: [`${long}:3: the text is too long and was cut (and 1 other)`, empty],
    })
    expect((await longest('data.maxLength=900')).length).toBe(16)
  })

  it('refuses data that says nothing', async () => {
    await expect(make(write('csv', 'text,label', 'a,x', 'b,x'))).rejects.toThrow(
      /all 2 examples have the label 'x'; a classifier needs two or more/,
    )
    await expect(make(write('csv', 'text,label'))).rejects.toThrow(DataError)
    const none = write('jsonl', '{"text":"a","labels":[]}')
    await expect(make(none, 'data.problemType=multi_label_classification')).rejects.toThrow(/no example has a label/)
  })
})

describe('buildClassification from a checkpoint', () => {
  /** Saves a model with a tokenizer that fits; returns the directory. */
  function save(name: string, model: Parameters<typeof saveModel>[1], tokenizer: Tokenizer): string {
    const directory = join(folder, name)
    saveModel(directory, model)
    saveTokenizer(directory, tokenizer, { contextLength: 16 })
    return directory
  }

  const data = (model: Ingredients['model'], path: string) => [...(model.parameters()[path].data ?? [])]

  it('takes body and tokenizer over, and makes a head for the labels', async () => {
    const { model: first, tokenizer } = await make(rooms)
    if (!(first instanceof BertForSequenceClassification)) throw new TypeError('expected a BERT')
    const body = new BertModel(first.config)
    for (const [path, parameter] of Object.entries(body.parameters())) {
      parameter.data = first.parameters()[`bert.${path}`].data
    }
    const from = save('body', body, tokenizer)
    const three = write('csv', 'text,label', 'clean,x', 'dirty,y', 'room,z', 'room 1,z')
    const { model, tokenizer: same } = await make(three, `model.from=${from}`, 'model.dropout=0.3', 'train.seed=9')
    expect(model).toMatchObject({ labels: ['x', 'y', 'z'], config: { dropout: 0.3 } })
    expect(same.toJSON()).toBe(tokenizer.toJSON())
    const path = 'bert.encoder.layer.0.attention.self.query.weight'
    expect(data(model, path)).toEqual(data(first, path))
    expect(data(model, 'classifier.weight')).toHaveLength(3 * 8)
    expect(new Set(data(model, 'classifier.weight')).size).toBeGreaterThan(3)
  })

  it('goes on with a head for as many labels', async () => {
    const { model: first, tokenizer } = await make(rooms)
    const from = save('head', first, tokenizer)
    const { model } = await make(rooms, `model.from=${from}`, 'train.seed=9')
    expect(data(model, 'classifier.weight')).toEqual(data(first, 'classifier.weight'))
  })

  it('refuses to resume with other labels', async () => {
    const { model, tokenizer } = await make(rooms)
    const checkpoint = save('resumed', model, tokenizer)
    const other = write('csv', 'text,label', 'clean,x', 'dirty,y')
    await expect(build({ recipe: recipe(other), checkpoint })).rejects.toThrow(
      /the labels x, y are not those that the run in .*resumed began with/,
    )
    await expect(build({ recipe: recipe(rooms), checkpoint })).resolves.toMatchObject({ size: { count: 18 } })
  })

  it('makes an encoder of what is one, and a GPT of a GPT', async () => {
    const gptSets = ['model={layers: 1, heads: 2, width: 8, contextLength: 16}', 'tokenizer={type: characters}']
    const { model, tokenizer } = await make(rooms, ...gptSets)
    const from = save('gpt', model, tokenizer)
    expect((await make(rooms, `model.from=${from}`)).model).toBeInstanceOf(GPTForSequenceClassification)
    await expect(make(rooms, `model.from=${join(folder, 'nowhere')}`)).rejects.toThrow(CheckpointError)
  })
})

describe('readClassified', () => {
  it('gives one label, or all of them, with the place of the text', async () => {
    const file = write('jsonl', '{"text":"a","labels":["x","y"]}', '{"text":"b","labels":[]}')
    const all: ClassifiedText[] = []
    for await (const text of readClassified(file, 'multi_label_classification', {})) all.push(text)
    expect(all).toMatchObject([
      { text: 'a', labels: ['x', 'y'], file, line: 1 },
      { text: 'b', labels: [], file, line: 2 },
    ])
    const { value } = await readClassified(dev, 'single_label_classification', {}).next()
    expect(value).toMatchObject({ text: 'clean', labels: ['good'], file: dev, line: 2 })
  })
})
