import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { evaluateMultipleChoice } from '../../tasks/evaluate-examples.js'
import { parseRecipe } from '../recipe.js'
import { runRecipe } from '../run.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-choice-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('trains a model from records, and evaluates it', async () => {
  // The right choice is the one with a colour; every third question has two choices only.
  const [colours, sizes] = [
    ['red', 'green', 'blue'],
    ['large', 'small', 'wide', 'narrow'],
  ]
  const records = Array.from({ length: 40 }, (_, i) => {
    const choices = Array.from({ length: i % 3 === 0 ? 2 : 3 }, (_, j) => `it is ${sizes[(i + j) % 4]}`)
    const label = (i * 7) % choices.length
    choices[label] = `it is ${colours[i % 3]}`
    return { question: 'which colour?', choices, label }
  })
  const file = join(folder, 'choices.jsonl')
  writeFileSync(file, records.map((record) => JSON.stringify(record)).join('\n'))
  const recipe = parseRecipe('objective: multiple-choice', 'test', [
    `data.train=${file}`,
    ...['model.layers=1', 'model.heads=2', 'model.width=32', 'model.contextLength=40', 'model.dropout=0'],
    ...['tokenizer.type=wordpiece', 'tokenizer.vocabularySize=60', 'train.learningRate=5e-3', 'train.steps=60'],
  ])
  const warnings: string[] = []
  const directory = join(folder, 'run')
  const { metrics } = await runRecipe({ recipe, directory, onWarning: (message) => warnings.push(message) })
  expect(metrics).toEqual({ accuracy: 1 })
  expect(warnings).toEqual([])
  const report = await evaluateMultipleChoice(directory, file)
  expect(report).toMatchObject({ examples: 40, metrics: { accuracy: 1 } })
})
