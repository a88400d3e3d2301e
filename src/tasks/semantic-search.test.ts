import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { CheckpointError, DataError, UsageError } from '../errors.js'
import { readSafetensors } from '../hub/files.js'
import { BertModel } from '../models/index.js'
import { temporaryFolder } from './saved-model.testing.js'
import { SemanticSearch } from './semantic-search.js'
import { saveEncoder, texts, tinyEncoder } from './text-classifier.testing.js'
import { cosineSimilarity, TextEmbedder } from './text-embedder.js'

const at = temporaryFolder()
saveEncoder(at('model'), new BertModel(tinyEncoder))
// Vectors of any length: cosines do not depend on it.
const embedder = await TextEmbedder.load(at('model'), { normalized: false })
afterAll(() => embedder.dispose())

function write(name: string, content: string): string {
  writeFileSync(at(name), content)
  return at(name)
}

const lines = texts(700).map((text, i) => (text === '' ? '' : `${text} ${i % 3 === 0 ? '好' : '坏 .'}`))
const file = write('lines.txt', `${lines.join('\n')}\n`)

describe('SemanticSearch', () => {
  it('finds the texts with the largest cosines among all lines but the empty ones', async () => {
    const search = await SemanticSearch.open(embedder, file)
    expect(search.size).toBe(lines.filter(Boolean).length)
    const queries = ['the room', '好 😀']
    const found = await search.find(queries, { topK: 12 })
    const vectors = await embedder.embed(lines)
    const asked = await embedder.embed(queries)
    for (const [q, results] of found.entries()) {
      const cosines = vectors.map((vector, i) => (lines[i] === '' ? -1 : cosineSimilarity(asked[q], vector)))
      const largest = cosines.toSorted((a, b) => b - a).slice(0, 12)
      expect(results.map(({ score }) => score)).toEqual(largest.map((score) => expect.closeTo(score, 5)))
      for (const { line, text, score } of results) {
        expect(text).toBe(lines[line - 1])
        expect(score).toBeCloseTo(cosines[line - 1], 5)
      }
      expect(new Set(results.map(({ line }) => line)).size).toBe(12)
    }
    expect((await search.find(['room']))[0]).toHaveLength(5)
    expect((await search.find(['room'], { topK: 10_000 }))[0]).toHaveLength(search.size)
  })

  it.each([
    ['a table with a usual name', 'a.csv', 'id,text\n7,the room\n8,"was\nclean"\n9,dirty\n', {}, [2, 3, 5]],
    ['JSON lines', 'a.jsonl', '{"text":"the room","id":1}\n\n{"text":"dirty","id":2}\n', {}, [1, 3]],
    ['a column by its name', 'b.csv', 'id;what\n7;the room\n8;dirty\n', { column: 'what' }, [2, 3]],
    ['a column by its position', 'c.tsv', 'x\tthe room\ny\tdirty\n', { column: 1 }, [1, 2]],
    ['the only column', 'd.csv', 'the room\ndirty\n', {}, [1, 2]],
    ['a text with commas', 'e.txt', 'the room, clean\n\nwas dirty, the room\n', {}, [1, 3]],
  ])('reads %s', async (_what, name, content, options, expected) => {
    const search = await SemanticSearch.open(embedder, write(name, content), options)
    const [results] = await search.find(['the'], { topK: 9 })
    expect(results.map(({ line }) => line).sort()).toEqual(expected)
    expect(results.some(({ text }) => text.startsWith('the room'))).toBe(true)
  })

  it('says which texts it does not see to the end', async () => {
    const long = 'the room was clean . '.repeat(5)
    const warnings: string[] = []
    const path = write('long.txt', `the\n${long}\n${long}\n`)
    await SemanticSearch.open(embedder, path, { onWarning: (message) => warnings.push(message) })
    expect(warnings).toEqual([`${path}:2: only its first 12 tokens are looked at (and 1 other)`])
  })

  it('keeps the vectors, and takes them again as long as texts and model are the same', async () => {
    const index = at('index.safetensors')
    const [embedded, warnings]: [number[], string[]] = [[], []]
    const open = (options: Parameters<typeof SemanticSearch.open>[2] = {}, by = embedder) =>
      SemanticSearch.open(by, options.column === undefined ? file : at('a.csv'), {
        index,
        onProgress: ({ done }) => embedded.push(done),
        onWarning: (message) => message.startsWith(index) && warnings.push(message),
        ...options,
      })
    const first = await open()
    const size = lines.filter(Boolean).length
    expect(embedded).toEqual([512, size])
    const made = statSync(index).mtimeMs
    expect(readSafetensors(index).get('embeddings')?.shape).toEqual([size, 8])
    const again = await open()
    expect(embedded).toEqual([512, size])
    expect(statSync(index).mtimeMs).toBe(made)
    expect(await again.find(['dirty'])).toEqual(await first.find(['dirty']))
    expect(warnings).toEqual([])
    const other = await TextEmbedder.load(at('model'), { pooling: 'cls' })
    await open({}, other)
    expect(embedded).toEqual([512, size, 512, size])
    expect(warnings).toEqual([`${index}: made of other texts or by another model; it is made anew`])
    await open({ column: 'text' }, other)
    expect(readSafetensors(index).get('embeddings')?.shape).toEqual([3, 8])
    await other.dispose()
  })

  it('never replaces a file that is no index', async () => {
    const weights = at('model/model.safetensors')
    const before = readFileSync(weights)
    const text = write('notes.md', 'mine')
    await expect(SemanticSearch.open(embedder, file, { index: weights })).rejects.toThrow(UsageError)
    await expect(SemanticSearch.open(embedder, file, { index: text })).rejects.toThrow(CheckpointError)
    const nowhere = at('nowhere/index.safetensors')
    await expect(SemanticSearch.open(embedder, file, { index: nowhere })).rejects.toThrow(/folder does not exist/)
    expect(readFileSync(weights).equals(before)).toBe(true)
    expect(readFileSync(text, 'utf8')).toBe('mine')
  })

  it('says what it cannot read', async () => {
    const table = write('many.csv', 'id,what\n1,the room\n')
    const open = (path: string, options = {}) => SemanticSearch.open(embedder, path, options)
    await expect(open(table)).rejects.toThrow(`${table}:1: which column is the text? Choose one of 0, 1 by`)
    await expect(open(table, { column: 'wat' })).rejects.toThrow(/no column 'wat', did you mean 'what'/)
    await expect(open(write('blank.txt', '\n \n'))).rejects.toThrow(DataError)
    await expect(open(at('missing.txt'))).rejects.toThrow(/cannot read .*missing\.txt: no such file/)
  })
})
