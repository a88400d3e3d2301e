import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { type DocumentOptions, distinctCharacters, readDocuments } from './documents.js'
import { type DataRecord, type RecordOptions, readRecords } from './records.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-records-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const records = (files: string | string[], options?: RecordOptions): Promise<DataRecord[]> =>
  all(readRecords(files, options))
const fields = async (files: string | string[], options?: RecordOptions) =>
  (await records(files, options)).map((record) => record.fields)
const problem = async (files: string, options?: RecordOptions): Promise<string> => {
  const error = await records(files, options).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(DataError)
  return error instanceof Error ? error.message.replaceAll(`${folder}/`, '') : ''
}

/** The same two records in every format that has columns. */
const people = [
  { name: 'Ada "Countess", 1815', text: 'zwölf\n🧵' },
  { name: '李白', text: '' },
]
const table = (delimiter: string) =>
  `name${delimiter}text\r\n"Ada ""Countess"", 1815"${delimiter}"zwölf\n🧵"\r\n李白${delimiter}\r\n`
const parquet = () =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'name', data: people.map(({ name }) => name), type: 'STRING' },
        { name: 'text', data: people.map(({ text }) => text), type: 'STRING' },
      ],
    }),
  )
const formats: [name: string, content: string | Uint8Array, lines: number[], options?: RecordOptions][] = [
  ['people.jsonl', `\n${JSON.stringify(people[0])}\r\n  \n${JSON.stringify(people[1])}`, [2, 4]],
  ['people.json', JSON.stringify(people, null, 1), [2, 6]],
  ['lines.json', people.map((person) => JSON.stringify(person)).join('\n'), [1, 2]],
  ['people.csv', `\ufeff${table(',')}`, [2, 4]],
  ['people.tsv', table('\t'), [2, 4], { quotes: true }],
  ['people.parquet', parquet(), [1, 2]],
]

describe('readRecords', () => {
  it.each(formats)('reads %s, compressed or not', async (name, content, lines, options) => {
    const path = write(name, content)
    expect(await records(path, options)).toEqual(
      people.map((person, i) => ({ fields: person, file: path, line: lines[i] })),
    )
    const compressed = write(`${name}.gz`, gzipSync(content))
    expect(await fields(compressed, options)).toEqual(people)
  })

  it.each([
    ['people.jsonl', 0],
    ['people.json', 1],
    ['people.parquet', 5],
  ])('knows %s by its content', async (_name, format) => {
    expect(await fields(write('people', formats[format][1]))).toEqual(people)
    expect(await fields(write('people.data', gzipSync(formats[format][1])))).toEqual(people)
  })

  it('takes what looks like nothing else for a text', async () => {
    for (const content of ['a,b\n1,2\n', '[sic] {x}', '{not json}\n', '{"a": 1\n']) {
      expect(await fields(write('unknown', content))).toEqual([{ text: content }])
    }
  })

  it('reads texts, lines and strings as the field text', async () => {
    expect(await fields(write('a.txt', '\ufeffone\r\n\ntwo'))).toEqual([{ text: 'one\r\n\ntwo' }])
    expect(await fields(join(folder, 'a.txt'), { format: 'lines' })).toEqual([{ text: 'one' }, { text: 'two' }])
    expect(await fields(write('a.json', '["one", "two"]'))).toEqual([{ text: 'one' }, { text: 'two' }])
    expect(await fields(write('a.jsonl', '"one"\n"two"'))).toEqual([{ text: 'one' }, { text: 'two' }])
    expect(await fields(write('empty.txt', ''))).toEqual([])
  })

  it('names columns by position in a table without a header', async () => {
    const path = write('bare.csv', '3,"a, b"\n4,c\n')
    expect(await fields(path, { header: false })).toEqual([
      { 0: '3', 1: 'a, b' },
      { 0: '4', 1: 'c' },
    ])
  })

  it('reads only the columns of a Parquet file that are needed', async () => {
    const path = write('columns.parquet', parquet())
    expect(await fields(path, { columns: ['name'] })).toEqual(people.map(({ name }) => ({ name })))
    expect(await fields(path, { columns: ['nam'] })).toEqual(people)
  })

  it.each<[name: string, content: string | Uint8Array, message: string]>([
    ['bad.jsonl', '{"a": 1}\n\n{"a": }\n', 'bad.jsonl:3:7: expected JSON: unexpected character "}"'],
    ['bad.jsonl', '{"a": 1}\n[1]\n', 'bad.jsonl:2: expected an object or a string, got [1]'],
    ['bad.json', '[{"a": 1},\n 7]', 'bad.json:2: expected an object or a string, got 7'],
    ['bad.csv', 'a,b\n"1\n2",3\n\n4\n', 'bad.csv:5: expected 2 columns as in the first row, got 1'],
    ['bad.csv', 'a,b\n1,2,3\n', 'bad.csv:2: expected 2 columns as in the first row, got 3'],
    ['bad.csv', 'a,b,a\n1,2,3\n', 'bad.csv:1: two columns are named "a"'],
    ['bad.csv', 'a,b\n1,"2\n', 'bad.csv:2: the quote that opens a value here is not closed'],
    ['bad.tsv', 'a\tb\n1\n', 'bad.tsv:2: expected 2 columns as in the first row, got 1'],
    ['bad.parquet', 'PAR1 and nothing more', 'bad.parquet: not a readable Parquet file (after row 0)'],
    ['bad.txt.gz', gzipSync('x'.repeat(100)).subarray(0, 20), 'bad.txt.gz: the gzip data is damaged or cut short'],
    [
      'bad.txt',
      Uint8Array.of(0x61, 0x0a, 0xc3, 0x28),
      'bad.txt: expected UTF-8 text, got the byte 0xc3 at offset 2 (line 2)',
    ],
    [
      'bad.txt',
      Uint8Array.of(0x61, 0xe2, 0x82),
      'bad.txt: expected UTF-8 text, got the byte 0xe2 at offset 1 (line 1)',
    ],
    [
      'bad.txt',
      Uint8Array.of(0xff, 0xfe, 0x61, 0),
      'got the byte 0xff at offset 0 (line 1); convert the file: iconv -f utf-16',
    ],
    [
      'bad.csv.gz',
      gzipSync(Uint8Array.of(0x61, 0x0a, 0x62, 0xc0)),
      'bad.csv.gz: expected UTF-8 text, got the byte 0xc0 at offset 3 (line 2)',
    ],
  ])('says where %s is malformed', async (name, content, message) => {
    expect(await problem(write(name, content))).toContain(message)
  })

  it('finds the first wrong byte of a large file, and never cuts a character', async () => {
    // 3 and 4 bytes a character: the pieces that a file is read in end inside of characters.
    const good = `x${'、🧵\n'.repeat(100_000)}`
    expect(await fields(write('large.txt', good))).toEqual([{ text: good }])
    const bytes = Buffer.concat([Buffer.from(good), Uint8Array.of(0xf0, 0x9f, 0xa7), Buffer.from('x')])
    const offset = Buffer.byteLength(good)
    expect(await problem(write('large.txt', bytes))).toContain(`0xf0 at offset ${offset} (line 100001)`)
  })

  it('reads 100,000 rows without reading far ahead', async () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => ({ id: String(i), text: `row ${i}\n${'x'.repeat(i % 50)}` }))
    const contents: [name: string, lines: string[]][] = [
      ['many.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`)],
      ['many.csv', ['id,text\n', ...rows.map(({ id, text }) => `${id},"${text}"\n`)]],
      ['many.json', rows.map((row, i) => `${i === 0 ? '[' : ','}${JSON.stringify(row)}${i === 99_999 ? ']' : ''}`)],
    ]
    for (const [name, lines] of contents) {
      const path = write(name, lines.join(''))
      let read = 0
      let position = 0
      let count = 0
      for await (const record of readRecords(path, { onBytes: (bytes) => (read += bytes) })) {
        if (count === 0 && name.endsWith('csv')) position += lines[0].length
        position += lines[name.endsWith('csv') ? count + 1 : count].length
        if (record.fields.text !== rows[count].text || read - position > 2 ** 20) {
          expect({ fields: record.fields, ahead: read - position }).toEqual({ fields: rows[count], ahead: 0 })
        }
        count++
      }
      expect([count, read]).toEqual([100_000, position])
    }
  })

  it('reads a Parquet file one row group at a time', async () => {
    const data = Array.from({ length: 100_000 }, (_, i) => `row ${i}`)
    const buffer = parquetWriteBuffer({ columnData: [{ name: 'text', data, type: 'STRING' }], rowGroupSize: 10_000 })
    const path = write('many.parquet', new Uint8Array(buffer))
    let groups = 0
    let count = 0
    for await (const { fields, line } of readRecords(path, { onBytes: () => groups++ })) {
      if (fields.text !== data[count] || groups !== Math.floor(count / 10_000) || line !== count + 1) {
        expect({ fields, groups, line }).toEqual({
          fields: { text: data[count] },
          groups: Math.floor(count / 10_000),
          line: count + 1,
        })
      }
      count++
    }
    expect([count, groups]).toEqual([100_000, 10])
  })
})

describe('findFiles', () => {
  it('takes lists and patterns, sorted, each file once', async () => {
    mkdirSync(join(folder, 'corpus/deep'), { recursive: true })
    for (const name of ['b.txt', 'a.txt', 'c[1].txt', 'deep/d.txt']) write(`corpus/${name}`, name)
    const at = (name: string) => join(folder, 'corpus', name)
    const texts = async (files: string | string[]) => (await fields(files)).map(({ text }) => text)
    expect(await texts(at('*.txt'))).toEqual(['a.txt', 'b.txt', 'c[1].txt'])
    expect(await texts(at('**/*.txt'))).toEqual(['a.txt', 'b.txt', 'c[1].txt', 'deep/d.txt'])
    expect(await texts([at('b.txt'), at('*.txt')])).toEqual(['b.txt', 'a.txt', 'c[1].txt'])
    expect(await texts(at('c[1].txt'))).toEqual(['c[1].txt'])
  })

  it('says what it looked for', async () => {
    expect(await problem(join(folder, 'no*.txt'))).toMatch(/^no\*\.txt: no file in .* matches this pattern$/)
    expect(await problem(join(folder, 'no.txt'))).toMatch(/^cannot read no\.txt: no such file/)
    expect(await problem(join(folder, 'corpus'))).toContain('corpus: it is a directory, expected a file or a pattern')
  })
})

describe('readDocuments', () => {
  const documents = async (files: string | string[], options?: DocumentOptions) => {
    const texts: string[] = ['']
    for await (const { text, ends } of readDocuments(files, options)) {
      texts[texts.length - 1] += text
      if (ends) texts.push('')
    }
    expect(texts.pop()).toBe('')
    return texts
  }

  it('makes one document of a text file, in pieces, and one of every record', async () => {
    const text = 'zwölf 🧵\n'.repeat(100_000)
    const files = [
      write('long.txt', text),
      write('two.jsonl', '{"text": "a"}\n{"text": ""}\n"b"'),
      write('empty.txt', ''),
    ]
    expect(await documents(files)).toEqual([text, 'a', 'b'])
    const pieces = await all(readDocuments(files[0]))
    expect(Math.max(...pieces.map((piece) => piece.text.length))).toBeLessThanOrEqual(2 ** 18)
  })

  it('takes the text from a column, and joins lists of texts', async () => {
    const path = write('poems.json', '[{"title": "t", "paragraphs": ["a", "b"]}, {"title": "u", "paragraphs": "c"}]')
    expect(await documents(path, { column: 'title' })).toEqual(['t', 'u'])
    expect(await documents(path, { column: 'paragraphs' })).toEqual(['a\nb', 'c'])
  })

  it('says which record has no text', async () => {
    const path = write('wrong.jsonl', '{"txt": "a"}\n')
    await expect(documents(path)).rejects.toThrow(
      "wrong.jsonl:1: there is no column 'text', did you mean 'txt'? (columns: txt)",
    )
    write('wrong.jsonl', '{"text": "a"}\n\n{"text": 3}')
    await expect(documents(path)).rejects.toThrow("wrong.jsonl:3: expected a text in the column 'text', got 3")
    write('wrong.jsonl', '{"text": null}')
    await expect(documents(path)).rejects.toThrow("wrong.jsonl:1: expected a text in the column 'text', got null")
  })

  it('gathers the characters of documents', async () => {
    const path = write('characters.jsonl', '"ba\\u0000🧵"\n"ab、\\ud83d"')
    expect(await distinctCharacters(readDocuments(path))).toBe('\u0000ab、🧵')
  })
})

const real = process.env.HEDDLE_DATA
describe.skipIf(!real)('real data (skipped where HEDDLE_DATA is not set)', () => {
  it.each<[path: string, count: number, first: Record<string, unknown>, options?: RecordOptions]>([
    ['classification/sst2/train.tsv', 6920, { 1: '1' }, { header: false }],
    ['classification/cola/in_domain_train.tsv', 8551, { 0: 'gj04', 1: '1' }, { header: false }],
    ['classification/ag_news/test.csv', 7600, { 0: '3', 1: 'Fears for T N pension after talks' }, { header: false }],
    ['classification/zh-chnsenticorp/ChnSentiCorp_htl_all.csv', 7766, { label: '1' }],
    ['lm/zh-poetry/poet.tang.0.json', 1000, { author: '太宗皇帝' }],
    ['lm/makemore-names.txt', 32033, { text: 'emma' }, { format: 'lines' }],
    ['mt/multi30k/train.en.gz', 29000, {}, { format: 'lines' }],
    ['mt/tatoeba-cmn-eng/cmn.2020.txt', 22075, { 0: 'Hi.', 1: '嗨。' }, { format: 'tsv', header: false }],
  ])('reads %s', async (path, count, first, options) => {
    const found = await fields(join(real ?? '', path), options)
    expect(found).toHaveLength(count)
    expect(found[0]).toMatchObject(first)
  })
})
