import { writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { BertForSequenceClassification } from '../models/index.js'
import { evaluateClassification } from './evaluate-classification.js'
import { temporaryFolder } from './saved-model.testing.js'
import { TextClassifier } from './text-classifier.js'
import { saveEncoder, texts, tinyEncoder } from './text-classifier.testing.js'

const at = temporaryFolder()
const labels = ['bad', 'good', 'so-so']
saveEncoder(at('single'), new BertForSequenceClassification(tinyEncoder, labels))
const single = await TextClassifier.load(at('single'))
afterAll(() => single.dispose())

function write(name: string, lines: readonly string[]): string {
  writeFileSync(at(name), lines.map((line) => `${line}\n`).join(''))
  return at(name)
}

describe('evaluateClassification', () => {
  it('counts how often the label is right, also where the texts do not fit into memory at once', async () => {
    const given = texts(2500)
    const expected = given.map((_, i) => labels[(i * i) % 3])
    const file = write('many.csv', ['text,label', ...given.map((text, i) => `${text},${expected[i]}`)])
    const found = await single.classify(given)
    const right = found.filter(({ label }, i) => label === expected[i]).length
    const { examples, metrics, cut } = await evaluateClassification(at('single'), file)
    expect({ examples, cut }).toEqual({ examples: 2500, cut: 0 })
    expect(metrics.accuracy).toBeCloseTo(right / 2500, 10)
    const f1 = labels.map((label) => {
      const both = found.filter((result, i) => result.label === label && expected[i] === label).length
      const either = found.filter((result) => result.label === label).length
      return (2 * both) / (either + expected.filter((name) => name === label).length)
    })
    expect(metrics.macroF1).toBeCloseTo((f1[0] + f1[1] + f1[2]) / 3, 10)
  })

  it('reads data as the training data was read, and otherwise where it is told', async () => {
    const settings = { columns: { label: 1, text: 3, pair: 2 }, header: false, maxLength: 6 }
    saveEncoder(at('settings'), new BertForSequenceClassification(tinyEncoder, labels), settings)
    const pairs = texts(30).map((text, i) => ({ text, pair: i % 2 === 0 ? 'the' : 'clean .' }))
    const classifier = await TextClassifier.load(at('settings'))
    let cut = 0
    const found = await classifier.classify(pairs, { onCut: () => cut++ })
    await classifier.dispose()
    const rows = pairs.map(({ text, pair }, i) => `x\t${found[i].label}\t${pair}\t${text}`)
    const report = await evaluateClassification(at('settings'), write('columns.tsv', rows))
    expect(report).toMatchObject({ examples: 30, cut, metrics: { accuracy: 1 } })
    expect(cut).toBeGreaterThan(0)
    const named = write('named.csv', ['what,is', ...texts(9).map((text) => `${text},good`)])
    const options = { columns: { text: 'what', label: 'is' }, header: true }
    expect((await evaluateClassification(at('settings'), named, options)).examples).toBe(9)
  })

  it('measures sets of labels and numbers by their own metrics', async () => {
    const several = new BertForSequenceClassification(tinyEncoder, labels, 'multi_label_classification')
    saveEncoder(at('several'), several)
    const number = new BertForSequenceClassification(tinyEncoder, ['LABEL_0'], 'regression')
    saveEncoder(at('number'), number)
    const given = texts(40)
    const classify = async (path: string) => {
      const classifier = await TextClassifier.load(path)
      const results = await classifier.classify(given)
      await classifier.dispose()
      return results
    }
    const sets = (await classify(at('several'))).map((result) => (result.labels ?? []).map(({ label }) => label))
    // One of the labels that were found is missing from the first text that has any.
    const first = sets.findIndex((set) => set.length > 0)
    const lines = given.map((text, i) => JSON.stringify({ text, labels: i === first ? sets[i].slice(1) : sets[i] }))
    const found = await evaluateClassification(at('several'), write('sets.jsonl', lines))
    const total = sets.flat().length
    expect(found.metrics.accuracy).toBeCloseTo(39 / 40, 10)
    expect(found.metrics).toMatchObject({ recall: 1, precision: expect.closeTo((total - 1) / total, 10) })
    const values = (await classify(at('number'))).map(({ value = 0 }) => value)
    const numbers = write('numbers.csv', ['text,score', ...given.map((text, i) => `${text},${2 - 3 * values[i]}`)])
    const { metrics } = await evaluateClassification(at('number'), numbers)
    expect(metrics.pearson).toBeCloseTo(-1, 5)
    expect(metrics.meanSquaredError).toBeCloseTo(
      values.reduce((sum, value) => sum + (2 - 4 * value) ** 2, 0) / values.length,
      4,
    )
  })

  it('says where a label stands that the model does not have, or that is no number', async () => {
    const file = write('stranger.csv', ['text,label', 'the room,good', 'the,awful'])
    await expect(evaluateClassification(at('single'), file)).rejects.toThrow(
      `${file}:3: the label 'awful' is not one of the model's: bad, good, so-so`,
    )
    saveEncoder(at('one'), new BertForSequenceClassification(tinyEncoder, ['LABEL_0'], 'regression'))
    await expect(evaluateClassification(at('one'), file)).rejects.toThrow(
      `${file}:2: expected a number to predict, got 'good'`,
    )
    const empty = write('empty.csv', ['text,label'])
    await expect(evaluateClassification(at('single'), empty)).rejects.toThrow(DataError)
  })
})
