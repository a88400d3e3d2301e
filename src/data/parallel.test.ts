import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { type ParallelOptions, readParallel } from './parallel.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-parallel-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** Pairs as [source, target, line], and what was warned of, without the folder's name. */
async function read(files: string | readonly string[], options: ParallelOptions = {}) {
  const pairs: unknown[] = []
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message.replaceAll(`${folder}/`, ''))
  for await (const { source, target, line } of readParallel(files, { ...options, onWarning })) {
    pairs.push([source, target, line])
  }
  return { pairs, warnings }
}

describe('readParallel of two files of lines', () => {
  it('puts the lines of both together', async () => {
    const files = [write('a.de', 'Zwei Hunde.\r\nEin Haus.\n'), write('a.en', 'Two dogs.\nA house.')]
    const expected = [
      ['Zwei Hunde.', 'Two dogs.', 1],
      ['Ein Haus.', 'A house.', 2],
    ]
    expect(await read(files)).toEqual({ pairs: expected, warnings: [] })
    const packed = [0, 1].map((i) =>
      write(`b${i}.gz`, gzipSync(i === 0 ? 'Zwei Hunde.\nEin Haus.\n' : 'Two dogs.\nA house.\n')),
    )
    expect((await read(packed)).pairs).toEqual(expected)
    expect((await read([files[0], packed[1]])).pairs).toEqual(expected)
  })

  it('reads as many files of each side, in order, where they are patterns', async () => {
    for (const part of [1, 2]) {
      write(`part${part}.src`, `s${part}\n`)
      write(`part${part}.tgt`, `t${part}\n`)
    }
    const { pairs } = await read([join(folder, 'part?.src'), join(folder, 'part?.tgt')])
    expect(pairs).toEqual([
      ['s1', 't1', 1],
      ['s2', 't2', 1],
    ])
    await expect(read([join(folder, 'part?.src'), join(folder, 'part1.tgt')])).rejects.toThrow(
      /expected as many source files as target files, got 2 and 1/,
    )
  })

  it('leaves pairs with an empty side out, and says how many and where the first is', async () => {
    const files = [write('c.de', 'eins\n\ndrei\n  \nfünf\n'), write('c.en', 'one\ntwo\n\nfour\n five \n')]
    expect(await read(files)).toEqual({
      pairs: [
        ['eins', 'one', 1],
        ['fünf', 'five', 5],
      ],
      warnings: ['c.de:2: the source is empty and the pair is left out (and 2 others)'],
    })
  })

  it.each([
    ['1\n2\n3\n', '1\n2\n', /d\.de has 3 lines, .*d\.en has 2 lines: expected as many/],
    ['1\n', '1\n2\n3\n4\n', /d\.de has 1 line, .*d\.en has 4 lines: expected as many/],
    ['', '1\n', /d\.de has 0 lines, .*d\.en has 1 line: expected as many/],
    ['1\n', '', /d\.de has 1 line, .*d\.en has 0 lines: expected as many/],
  ])('says how many lines %j and %j have', async (source, target, message) => {
    const reading = read([write('d.de', source), write('d.en', target)])
    await expect(reading).rejects.toThrow(DataError)
    await expect(read([join(folder, 'd.de'), join(folder, 'd.en')])).rejects.toThrow(message)
  })

  it('says which byte is no UTF-8', async () => {
    const files = [write('e.de', Buffer.from('gut\ncaf\xe9\n', 'latin1')), write('e.en', 'good\ncoffee\n')]
    await expect(read(files)).rejects.toThrow(/e\.de: expected UTF-8 text, got the byte 0xe9 at offset 7 \(line 2\)/)
  })
})

describe('readParallel of tables', () => {
  const expected = [
    ['Zwei Hunde.', 'Two dogs.'],
    ['Ein "Haus".', 'A "house".'],
  ]
  const texts = async (...given: Parameters<typeof read>) =>
    (await read(...given)).pairs.map((pair) => (Array.isArray(pair) ? pair.slice(0, 2) : pair))

  it.each<[name: string, content: string, options?: ParallelOptions]>([
    ['a.tsv', 'Zwei Hunde.\tTwo dogs.\nEin "Haus".\tA "house".\n'],
    ['b.txt', 'Zwei Hunde.\tTwo dogs.\tsomeone\nEin "Haus".\tA "house".\tno one\n'],
    ['c.csv', 'target,source\nTwo dogs.,Zwei Hunde.\n"A ""house"".","Ein ""Haus""."\n'],
    ['d.csv', 'Zwei Hunde.,Two dogs.\n"Ein ""Haus"".","A ""house""."\n'],
    ['e.tsv', '1\tTwo dogs.\tZwei Hunde.\n2\tA "house".\tEin "Haus".\n', { columns: { source: 2, target: 1 } }],
    ['f.tsv', 'en\tde\nTwo dogs.\tZwei Hunde.\nA "house".\tEin "Haus".\n', { columns: { source: 'de', target: 'en' } }],
    [
      'g.jsonl',
      '{"document": "Zwei Hunde.", "summary": "Two dogs."}\n{"document": "Ein \\"Haus\\".", "summary": "A \\"house\\"."}\n',
    ],
    [
      'h.json',
      '[{"id": 1, "article": "Zwei Hunde.", "highlights": "Two dogs."}, {"id": 2, "article": "Ein \\"Haus\\".", "highlights": "A \\"house\\"."}]',
    ],
    [
      'i.jsonl',
      '{"translation": {"de": "Zwei Hunde.", "en": "Two dogs."}}\n{"translation": {"de": "Ein \\"Haus\\".", "en": "A \\"house\\"."}}\n',
      { columns: { source: 'de', target: 'en' } },
    ],
    [
      'j.jsonl',
      '{"text": "Zwei Hunde.", "summary": "Two dogs."}\n{"text": "Ein \\"Haus\\".", "summary": "A \\"house\\"."}\n',
    ],
  ])('%s', async (name, content, options) => {
    expect(await texts(write(name, content), options)).toEqual(expected)
  })

  it('of Parquet', async () => {
    const content = parquetWriteBuffer({
      columnData: [
        { name: 'src', data: expected.map(([source]) => source) },
        { name: 'tgt', data: expected.map(([, target]) => target) },
      ],
    })
    expect(await texts(write('k.parquet', new Uint8Array(content)))).toEqual(expected)
  })

  it('takes several, also two', async () => {
    const tables = [write('l.tsv', 'eins\tone\n'), write('m.tsv', 'zwei\ttwo\n')]
    expect(await texts(tables)).toEqual([
      ['eins', 'one'],
      ['zwei', 'two'],
    ])
  })

  it.each<[name: string, content: string, message: RegExp, options?: ParallelOptions]>([
    ['n.tsv', 'a\tb\nc\n', /n\.tsv:2: expected 2 columns as in the first row, got 1/],
    ['o.tsv', 'a\tb\tc\td\n', /o\.tsv:1: no column for the source among 0, 1, 2, 3; give data\.columns\.source/],
    ['p.jsonl', '{"source": "a", "target": "b"}\n{"source": "a"}\n', /p\.jsonl:2: there is no column 'target'/],
    ['q.jsonl', '{"source": "a", "target": ["b"]}\n', /q\.jsonl:1: expected a text or number in the column 'target'/],
    ['r.jsonl', '{"translation": {"de": "a", "en": "b"}}\n', /r\.jsonl:1: no column for the source among de, en/],
    [
      's.jsonl',
      '{"source": "a", "summary": "b"}\n',
      /s\.jsonl:1: the column 'source' cannot be both source and target/,
      { columns: { source: 'source', target: 'source' } },
    ],
    ['t.txt', 'no table\n', /t\.txt:1: expected a table or JSON objects with a source, got a row of one column/],
  ])('says what is wrong with %s', async (name, content, message, options) => {
    await expect(texts(write(name, content), options)).rejects.toThrow(message)
  })
})
