import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigError, type DataError } from '../../errors.js'
import { saveModel } from '../../hub/checkpoint.js'
import { BertForMaskedLM, BertForPreTraining, DistilBertForMaskedLM, RobertaForMaskedLM } from '../../models/index.js'
import type { Feed } from '../../runtime/index.js'
import { saveTokenizer } from '../../tokenizers/save.js'
import { build, type Ingredients } from '../build.js'
import { parseRecipe } from '../recipe.js'
import { Trainer } from '../trainer.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-masked-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Documents of a few sentences, parted by blank lines. */
const text = Array.from({ length: 24 }, (_, i) =>
  ['The old ship sailed.', 'A whale sang far away.', 'The blue sea grew calm.', `It was day ${i % 7}.`]
    .slice(i % 2)
    .join(' '),
).join('\n\n')

const small = ['layers=1', 'heads=2', 'width=8', 'contextLength=20'].map((size) => `model.${size}`)

function buildWith(...sets: string[]) {
  const file = join(folder, 'text.txt')
  writeFileSync(file, text)
  const given = ['objective=masked-lm', 'tokenizer.type=wordpiece', 'tokenizer.vocabularySize=60', 'train.batchSize=4']
  const recipe = parseRecipe('', 'test', [`data.train=${file}`, ...given, ...small, ...sets])
  return build({ recipe })
}

/** What is measured after some steps of training. */
async function trained({ model, objective }: Pick<Ingredients, 'model' | 'objective'>, steps: number) {
  const options = { betas: [0.9, 0.98], weightDecay: 0, clip: 1, accumulate: 1, seed: 1 } as const
  const trainer = new Trainer(model.parameters(), objective, options)
  for (let step = 0; step < steps; step++) await trainer.step(5e-3 * Math.min(1, (step + 1) / 50))
  const { metrics = {} } = (await trainer.evaluate()) ?? {}
  trainer.dispose()
  return metrics
}

const numbers = (feed: Feed) => Array.from('shape' in feed ? feed.data : feed, Number)

describe('masked-lm in a recipe', () => {
  it.each([
    ['bert', BertForMaskedLM],
    ['roberta', RobertaForMaskedLM],
    ['distilbert', DistilBertForMaskedLM],
  ])('makes a %s that guesses tokens', async (type, expected) => {
    const { model, objective, size } = await buildWith(`model.type=${type}`)
    expect(model).toBeInstanceOf(expected)
    const { feeds, examples } = objective.trainingBatch(0)
    expect(examples).toBe(4)
    expect(feeds.next).toBeUndefined()
    const batches = Math.ceil(objective.batchesPerEpoch)
    expect(batches).toBeGreaterThan(1)
    expect(size.unit).toBe('tokens')
    const validated = [...objective.evaluationBatches()].reduce((sum, batch) => sum + batch.predictions, 0)
    // A tenth of 24 documents are two.
    expect(validated / 0.15).toBeGreaterThan((1.2 * size.count) / 22)
    expect(validated / 0.15).toBeLessThan((3 * size.count) / 22)
  })

  it('makes a BERT that learns pairs too', async () => {
    const { model, objective, tokenizer } = await buildWith('masking.nextSentence=true')
    expect(model).toBeInstanceOf(BertForPreTraining)
    const { feeds } = objective.trainingBatch(0)
    expect(numbers(feeds.next).length).toBe(4)
    const separators = numbers(feeds.tokens).filter((id) => id === tokenizer.specialTokens.sep?.id)
    expect(separators.length).toBeGreaterThanOrEqual(8)
  })

  it('learns to guess tokens better than without context, and which texts follow each other', async () => {
    // Every document has a subject, whose words no other has; a fifth of the other documents have the same.
    const subjects = ['red rose petal', 'iron nail hammer', 'fish pond water', 'moon star night', 'bread oven flour']
    const document = (i: number) => {
      const words = subjects[i % subjects.length].split(' ')
      return Array.from({ length: 8 }, (_, j) => `${words[(i + j) % 3]} ${words[(i + 2 * j) % 3]}.`).join('\n')
    }
    const file = join(folder, 'subjects.txt')
    writeFileSync(file, Array.from({ length: 200 }, (_, i) => document(i)).join('\n\n'))
    const sizes = ['layers=2', 'width=32', 'contextLength=24', 'deviation=0.15', 'dropout=0'].map(
      (size) => `model.${size}`,
    )
    const options = ['masking.nextSentence=true', 'tokenizer.vocabularySize=90', 'train.batchSize=16']
    const { model, objective } = await buildWith(`data.train=${file}`, ...options, ...sizes)
    const metrics = await trained({ model, objective }, 220)
    expect(metrics.maskedLoss).toBeLessThan(0.5 * metrics.unigramLoss)
    expect(metrics.maskedAccuracy).toBeGreaterThan(1.4 * metrics.unigramAccuracy)
    expect(metrics.nextSentenceAccuracy).toBeGreaterThan(0.75)
    expect(metrics.nextSentenceLoss).toBeLessThan(0.5)
  })

  it('hides whole words where it is asked to', async () => {
    const sets = ['masking.wholeWords=true', 'tokenizer.vocabularySize=50', 'model.contextLength=60']
    const { objective, tokenizer } = await buildWith(...sets)
    const goesOn = (id: number) => tokenizer.idToToken(id)?.startsWith('##') === true
    let pieces = 0
    for (let index = 0; index < 30; index++) {
      const { feeds } = objective.trainingBatch(index)
      const count = numbers(feeds.tokens).length / 4
      const ids = numbers(feeds.tokens).slice(0, count)
      const rows = numbers(feeds.rows)
      for (const [i, target] of numbers(feeds.targets).entries()) ids[rows[i]] = target
      for (const row of rows) {
        pieces += Number(goesOn(ids[row]))
        expect(goesOn(ids[row]) && !rows.includes(row - 1)).toBe(false)
        expect(goesOn(ids[row + 1]) && !rows.includes(row + 1)).toBe(false)
      }
    }
    expect(pieces).toBeGreaterThan(20)
  })

  it('goes on with the weights of a checkpoint, with or without pairs', async () => {
    const { model, tokenizer } = await buildWith('masking.nextSentence=true', 'train.seed=5')
    const directory = join(folder, 'checkpoint')
    saveModel(directory, model)
    saveTokenizer(directory, tokenizer)
    const from = [`model.from=${directory}`]
    const recipeOf = (...sets: string[]) =>
      parseRecipe('', 'test', [`data.train=${join(folder, 'text.txt')}`, 'objective=masked-lm', ...from, ...sets])
    const weights = model.parameters()
    for (const [sets, type] of [
      [['masking.nextSentence=true'], BertForPreTraining],
      [[], BertForMaskedLM],
    ] as const) {
      const again = (await build({ recipe: recipeOf(...sets) })).model
      expect(again).toBeInstanceOf(type)
      for (const [path, { data }] of Object.entries(again.parameters())) expect(data).toEqual(weights[path].data)
    }
  })

  it('takes shorter sequences than the model could read', async () => {
    const { objective } = await buildWith('data.maxLength=9')
    for (let index = 0; index < 5; index++) {
      const { grid } = objective.trainingBatch(index).feeds
      expect('shape' in grid && Number(grid.shape[1])).toBeLessThanOrEqual(9)
    }
  })

  it.each<[string[], typeof ConfigError | typeof DataError, RegExp]>([
    [['tokenizer.type=bpe', 'tokenizer.vocabularySize=300'], ConfigError, /no \[MASK\] and no \[SEP\]; train one/],
    [['model.type=distilbert', 'masking.nextSentence=true'], ConfigError, /distilbert does not learn it/],
    [['model.contextLength=4', 'masking.nextSentence=true'], ConfigError, /expected 5 or more/],
  ])('is refused with %j', async (sets, type, message) => {
    await expect(buildWith(...sets)).rejects.toThrow(message)
    await expect(buildWith(...sets)).rejects.toThrow(type)
  })
})
