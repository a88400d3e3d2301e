import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadModel } from '../../hub/checkpoint.js'
import { BertForRelationClassification } from '../../models/index.js'
import { evaluateRelation } from '../../tasks/evaluate-examples.js'
import { createTokenizer, loadTokenizer } from '../../tokenizers/node.js'
import { bertTemplate, letters } from '../../tokenizers/sequences.testing.js'
import { parseRecipe } from '../recipe.js'
import { runRecipe } from '../run.js'
import { buildRelation } from './relation.js'
import { findMarkers, markSpans, withMarkers } from './relation-markers.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-relation-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const plain = createTokenizer(JSON.stringify(letters({ post_processor: bertTemplate })))

describe('markers', () => {
  it('are tokens of their own where a tokenizer has none', async () => {
    const tokenizer = withMarkers(plain)
    expect(tokenizer.vocabularySize).toBe(18)
    expect(findMarkers(tokenizer)).toEqual({ head: [14, 15], tail: [16, 17] })
    expect((await tokenizer.encode('a [E1]b[/E1]')).ids).toEqual([2, 5, 14, 6, 15, 3])
    expect(tokenizer.specialTokens).toEqual(plain.specialTokens)
    expect(withMarkers(tokenizer)).toBe(tokenizer)
  })

  it("are the spare tokens of BERT's vocabularies where these are there", () => {
    const model = Object(letters().model)
    const spare = Object.fromEntries([1, 2, 3, 4].map((i) => [`[unused${i}]`, 13 + i]))
    const json = letters({ model: { ...model, vocab: { ...model.vocab, ...spare } } })
    const tokenizer = createTokenizer(JSON.stringify(json))
    expect(findMarkers(tokenizer)).toEqual({ head: [14, 15], tail: [16, 17] })
    expect(withMarkers(tokenizer)).toBe(tokenizer)
  })
})

describe('markSpans', () => {
  const tokenizer = withMarkers(plain)
  const markers = { head: [14, 15], tail: [16, 17] } as const
  const mark = async (text: string, head: [number, number], tail: [number, number], maxLength = 40) => {
    const span = ([start, end]: [number, number]) => ({ start, end })
    const encoding = await tokenizer.encode(text, { addSpecialTokens: false })
    const marked = markSpans(encoding, { head: span(head), tail: span(tail) }, { tokenizer, markers, maxLength })
    return marked && [[...marked.ids], marked.head, marked.tail]
  }

  it('puts markers around the tokens of both spans, in either order, touching or nested', async () => {
    expect(await mark('中😀 aba.', [1, 3], [4, 7])).toEqual([[2, 12, 14, 13, 15, 16, 7, 8, 17, 11, 3], 2, 5])
    expect(await mark('中😀 aba.', [7, 8], [0, 1])).toEqual([[2, 16, 12, 17, 13, 7, 8, 14, 11, 15, 3], 7, 1])
    expect(await mark('a b ab', [0, 3], [2, 3])).toEqual([[2, 14, 5, 16, 6, 15, 17, 7, 3], 1, 3])
  })

  it('takes whole tokens where a span begins or ends in one', async () => {
    expect(await mark('aba .', [1, 2], [4, 5])).toEqual([[2, 14, 7, 15, 8, 16, 11, 17, 3], 1, 5])
  })

  it('cuts a text that is too long so that both spans are there', async () => {
    // 9 tokens are 3 of the text, 4 markers and 2 special ones.
    expect(await mark('a b . ab 中', [0, 1], [4, 5], 9)).toEqual([[2, 14, 5, 15, 6, 16, 11, 17, 3], 1, 5])
    expect(await mark('a b . ab 中', [4, 5], [9, 10], 9)).toEqual([[2, 14, 11, 15, 7, 16, 12, 17, 3], 1, 5])
    expect(await mark('a b . ab 中', [0, 1], [9, 10], 9)).toBe(undefined)
  })
})

/** Sentences in which one name is asked about: whether the first buys from the second, or sells to it. */
function writeRelations(): string {
  const names = ['anna', 'ben', 'carl', 'dora', 'emil']
  const records = Array.from({ length: 60 }, (_, i) => {
    const [one, other] = [names[i % 5], names[(i + 1 + (i % 3)) % 5]]
    const [first, second] = i % 2 === 0 ? [1, 2] : [2, 1]
    const mark = (name: string, number: number) => `[E${number}]${name}[/E${number}]`
    return { text: `${mark(one, first)} buys from ${mark(other, second)} .`, label: i % 2 === 0 ? 'buyer' : 'seller' }
  })
  const file = join(folder, 'relations.jsonl')
  writeFileSync(file, records.map((record) => JSON.stringify(record)).join('\n'))
  return file
}

describe('buildRelation', () => {
  const sizes = ['model.layers=1', 'model.heads=2', 'model.width=16', 'model.contextLength=24', 'model.dropout=0']
  const tokenizer = ['tokenizer.type=wordpiece', 'tokenizer.vocabularySize=60']

  it('trains a model from marked texts, keeps its markers, and evaluates it', async () => {
    const file = writeRelations()
    const sets = [`data.train=${file}`, ...sizes, ...tokenizer, 'train.steps=60', 'train.learningRate=5e-3']
    const directory = join(folder, 'run')
    const recipe = parseRecipe('objective: relation', 'test', sets)
    const { metrics, checkpoint } = await runRecipe({ recipe, directory })
    expect(metrics).toMatchObject({ accuracy: expect.any(Number), f1: expect.any(Number) })
    expect(findMarkers(await loadTokenizer(checkpoint))).toBeDefined()
    const report = await evaluateRelation(directory, file)
    expect(report.examples).toBe(60)
    expect(report.metrics).toMatchObject({ accuracy: 1, f1: 1 })
  })

  it('gives a checkpoint without markers four embeddings more, and keeps the others', async () => {
    const file = writeRelations()
    const masked = parseRecipe('objective: classification', 'test', [
      ...[`data.train=${file}`, 'data.columns.text=text', 'data.columns.label=label', 'model.type=bert'],
      ...[...sizes, ...tokenizer, 'train.steps=1'],
    ])
    const { checkpoint } = await runRecipe({ recipe: masked, directory: join(folder, 'body') })
    const recipe = parseRecipe('objective: relation', 'test', [`data.train=${file}`, `model.from=${checkpoint}`])
    const { model, tokenizer: marked } = await buildRelation({ recipe })
    if (!(model instanceof BertForRelationClassification)) throw new Error('expected a model for relations')
    const path = 'bert.embeddings.word_embeddings.weight'
    const [before, after] = [loadModel(checkpoint).model, model].map((each) => each.parameters()[path])
    expect(after.shape).toEqual([marked.vocabularySize, 16])
    expect(after.shape[0]).toBe(Number(before.shape[0]) + 4)
    expect(after.data?.subarray(0, before.data?.length)).toEqual(before.data)
    expect(new Set(after.data?.subarray(before.data?.length)).size).toBeGreaterThan(60)
  })
})
