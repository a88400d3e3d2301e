import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { formatOf, questionFormatOf, type RecordSyntax, recordSyntaxOf, taggedFormatOf } from './detect-format.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-formats-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** A text that is longer than what formats are guessed from. */
const long = 'long, '.repeat(20_000)

describe('formatOf', () => {
  it.each([
    ['a.csv', 'a\tb\n', 'csv'],
    ['a.TSV', 'a,b\n', 'tsv'],
    ['a.txt', '{"a": 1}\n', 'text'],
    ['a.train', 'a\tb\n', 'text'],
    ['a.json', '[1]', 'json'],
    ['a.json', '{"a": 1}\n{"a": 2}', 'jsonl'],
    ['a', 'PAR1', 'parquet'],
  ])('goes by the ending of %s first', async (name, content, format) => {
    expect(await formatOf(write(name, content))).toBe(format)
    expect(await formatOf(write(`${name}.gz`, gzipSync(content)))).toBe(format)
  })
})

describe('recordSyntaxOf', () => {
  const tsv: RecordSyntax = { format: 'tsv', delimiter: '\t' }
  const csv: RecordSyntax = { format: 'csv', delimiter: ',' }

  it.each<[name: string, content: string, syntax: RecordSyntax]>([
    ['a.csv', 'a\tb\n', tsv],
    ['a.tsv', 'a,b\n', csv],
    ['a.txt', 'a, b\t1\nc\t0\n', tsv],
    ['a', 'a;1\n"b;\n;";2\n', { format: 'csv', delimiter: ';' }],
    ['a', 'a|1\nb|2\n', { format: 'csv', delimiter: '|' }],
    ['a', 'a,1\tb\n', tsv],
    ['a.csv', 'a,1\tb\n', csv],
    ['a', 'only one column\n', csv],
    ['a.tsv', 'only one column\n', tsv],
    ['a', '', csv],
    // Rows that are wrong do not change what the file is.
    ['a.csv', 'a, b\t1\nc, d\t2\ne\t3\tmore\nf\t4\n', tsv],
    ['a', '"a\tb",1\n"c",2\n"d,3\ne,4\n', csv],
    ['a', `a\t1\n${long}\t2\n`, tsv],
    ['a', `"${long}",1\n`, csv],
    ['a', '\ttext\tlabel\n0\ta\tb\n', tsv],
    ['a.csv', '{"a": 1}\n{"a": 2}\n', { format: 'jsonl' }],
    ['a.csv', `{"a": "${long}"}\n{"a": 2}\n`, { format: 'jsonl' }],
    ['a', '{"a": }\n', { format: 'jsonl' }],
    ['a', '{\n  "a": 1\n}\n', { format: 'jsonl' }],
    ['a', ' [\n {"a": 1}]', { format: 'json' }],
    ['a', '[]\n', { format: 'json' }],
    ['a', '[{}]', { format: 'json' }],
    ['a', '[],1\n', csv],
    ['a', '["sic"],1\n', csv],
    ['a', '{"sic"},1\n', csv],
    ['a.csv', 'PAR1...', { format: 'parquet' }],
  ])('judges %s by its content %j', async (name, content, syntax) => {
    expect(await recordSyntaxOf(write(name, content))).toEqual(syntax)
  })
})

describe('taggedFormatOf', () => {
  it.each([
    ['a.json', '{ O\n} O\n', 'conll'],
    ['a', '[]\tO\n', 'conll'],
    ['a', '[\tO\n{\tO\n', 'conll'],
    ['a.bmes', '{"tokens": ["a"], "tags": ["O"]}\n', 'jsonl'],
    ['a.conll', '[{"tokens": ["a"], "tags": ["O"]}]', 'json'],
    ['a', 'PAR1', 'parquet'],
    ['a', '', 'conll'],
  ])('judges %s by its content %j', async (name, content, format) => {
    expect(await taggedFormatOf(write(name, content))).toBe(format)
  })
})

describe('questionFormatOf', () => {
  it.each([
    ['a', '{"data": []}', 'squad'],
    ['a.txt', '{"version": "v\\"2", "n": -1.5e3, "x": null, "data": [{', 'squad'],
    ['a.json', `{"version": 1, "data": [{"title": "${long}"}]}`, 'squad'],
    ['a', '{\n  "about": {"a": 1},\n  "data": []\n}', 'squad'],
    ['a', '{"question": "a", "context": "{\\"data\\": ["}\n', 'jsonl'],
    ['a', `{"context": "${long}", "question": "a"}`, 'jsonl'],
    ['a.jsonl', '{"question": \n', 'jsonl'],
    ['a', '[{"question": "a"}]', 'json'],
    ['a', 'PAR1', 'parquet'],
    ['a', 'question,context\n', 'csv'],
  ])('judges %s by its content %#', async (name, content, format) => {
    expect(await questionFormatOf(write(name, content))).toBe(format)
  })
})
