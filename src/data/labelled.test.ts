import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, describe, expect, it } from 'vitest'
import { readConversations } from './conversations.js'
import { type LabelledOptions, type LabelledText, readLabelled, readMultiLabelled } from './labelled.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-labelled-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

async function read(name: string, content: string | Uint8Array, options?: LabelledOptions) {
  const found = []
  for await (const { text, pair, label } of readLabelled(write(name, content), options)) found.push([text, pair, label])
  return found
}

describe('readLabelled', () => {
  it('finds columns by usual names, in any order', async () => {
    const expected = [
      ['good, "very"', undefined, '1'],
      ['bad', undefined, '0'],
    ]
    expect(await read('a.csv', 'label,review\n1,"good, ""very"""\n0,bad\n')).toEqual(expected)
    expect(
      await read('b.jsonl', '{"sentence": "good, \\"very\\"", "label": 1}\n{"sentence": "bad", "label": 0}\n'),
    ).toEqual(expected)
  })

  it('finds columns by position where there is no header', async () => {
    expect(await read('c.tsv', 'a film\t1\nno "film\t0\n')).toEqual([
      ['a film', undefined, '1'],
      ['no "film', undefined, '0'],
    ])
    expect(await read('d.tsv', 'one\ttwo\tsame\n')).toEqual([['one', 'two', 'same']])
    const options = { columns: { text: 3, label: 1 } }
    expect(await read('e.tsv', 'gj04\t1\t\tFriends win.\n', options)).toEqual([['Friends win.', undefined, '1']])
  })

  it('says where a column is missing or a label empty', async () => {
    await expect(read('f.csv', 'words,label\nx,1\n')).rejects.toThrow(
      /f\.csv:2: no column for the text among words, label/,
    )
    await expect(read('g.tsv', 'x\t1\ny\t\n')).rejects.toThrow(/g\.tsv:2: the label is empty/)
  })

  it.each<[name: string, content: string | Uint8Array, message: string]>([
    ['rows.csv', 'text,label\na,1\n\nb\n', 'rows.csv:4: expected 2 columns as in the first row, got 1'],
    ['rows.data', 'a\t1\nb\t0\textra\n', 'rows.data:2: expected 2 columns as in the first row, got 3'],
    ['prose.txt', 'No table.\n', 'prose.txt:1: expected a table or JSON objects with a text, got a row of one column'],
    [
      'wide.tsv',
      'a\tb\tc\td\n',
      'wide.tsv:1: no column for the text among 0, 1, 2, 3; give data.columns.text its name',
    ],
    ['a.jsonl', '{"text": "a", "label": null}', "a.jsonl:1: expected a text or number in the column 'label', got null"],
    ['list.jsonl', '{"text": "a", "label": ["x", "y"]}', 'list.jsonl:1: expected one label, got a list of 2'],
    ['b.jsonl', '{"text": "a", "label": 1}\n{"label": 1}', "b.jsonl:2: there is no column 'text' (columns: label)"],
    ['c.jsonl', '{"text": "a", "label": }\n', 'c.jsonl:1:24: expected JSON: unexpected character "}"'],
    [
      'bytes.tsv',
      Buffer.from('a\t1\nb\xff\t0\n', 'latin1'),
      'bytes.tsv: expected UTF-8 text, got the byte 0xff at offset 5 (line 2)',
    ],
  ])('says where %s is wrong', async (name, content, message) => {
    await expect(read(name, content)).rejects.toThrow(message)
  })

  it('says which of the columns that were asked for is missing', async () => {
    const byName = { columns: { text: 'body', label: 'label' } }
    await expect(read('h.csv', 'bodi,label\nx,1\n', byName)).rejects.toThrow(
      "h.csv:2: there is no column 'body', did you mean 'bodi'? (columns: bodi, label)",
    )
    await expect(read('h.csv', 'x,1\n', { columns: { text: 0, label: 2 } })).rejects.toThrow(
      'h.csv:1: there is no column 2, the row has 2, counted from 0',
    )
  })

  it('takes columns by position, with a header or without', async () => {
    const columns = { label: 0, text: 1, pair: 2 }
    const rows = '"3","a, b","c"\n"4","d ""e""","f"\n'
    const expected = [
      ['a, b', 'c', '3'],
      ['d "e"', 'f', '4'],
    ]
    expect(await read('i.csv', rows, { columns })).toEqual(expected)
    expect(await read('i.csv', `class,title,text\n${rows}`, { columns, header: true })).toEqual(expected)
  })

  it('knows pairs of texts by their names', async () => {
    const rows = '{"idx": 1, "premise": "p", "hypothesis": "h", "label": 2}'
    expect(await read('j.jsonl', rows)).toEqual([['p', 'h', '2']])
    expect(await read('j.tsv', 'question\tsentence\tlabel\nq\ts\tno\n')).toEqual([['q', 's', 'no']])
    expect(await read('j.csv', 'question,label\nq,no\n')).toEqual([['q', undefined, 'no']])
  })

  it('passes numbers as they are written, and texts that are empty', async () => {
    expect(await read('k.csv', 'text,score\n,4.20\n')).toEqual([['', undefined, '4.20']])
    expect(await read('k.jsonl', '{"text": "", "label": -0.5}\n{"text": "b", "label": true}')).toEqual([
      ['', undefined, '-0.5'],
      ['b', undefined, 'true'],
    ])
  })

  it.each<[name: string, content: string]>([
    ['x.train', 'good, very\t1\nbad\t0\n'],
    ['x.txt', 'good, very\t1\nbad\t0\n'],
    ['x.csv', 'good, very\t1\nbad\t0\n'],
    ['x.tsv', '"good, very",1\nbad,0\n'],
    ['x', '"good, very",1\r\nbad,0\r\n'],
    ['x.jsonl', '"good, very",1\nbad,0\n'],
    ['x.csv', '\ufefftext;label\ngood, very;1\nbad;0\n'],
    ['x.data', 'text|label\ngood, very|1\nbad|0'],
    ['x.csv', '{"text": "good, very", "label": 1}\n{"text": "bad", "label": 0}\n'],
    ['x.csv', '[\n{"text": "good, very", "label": 1},\n{"text": "bad", "label": 0}]\n'],
  ])('judges %s by its content', async (name, content) => {
    const expected = [
      ['good, very', undefined, '1'],
      ['bad', undefined, '0'],
    ]
    expect(await read(name, content)).toEqual(expected)
    expect(await read(`${name}.gz`, gzipSync(content))).toEqual(expected)
  })

  it('takes the delimiter that the name stands for where a file fits several', async () => {
    const content = 'a,1\tx\nb,2\ty\n'
    expect(await read('l.csv', content)).toEqual([
      ['a', undefined, '1\tx'],
      ['b', undefined, '2\ty'],
    ])
    expect(await read('l.data', content)).toEqual([
      ['a,1', undefined, 'x'],
      ['b,2', undefined, 'y'],
    ])
  })

  it('takes square brackets and braces for text in a table', async () => {
    expect(await read('m.txt', '[sic]\t1\n{b}\t0\n')).toEqual([
      ['[sic]', undefined, '1'],
      ['{b}', undefined, '0'],
    ])
  })

  it('judges each of several files on its own', async () => {
    const parquet = parquetWriteBuffer({
      columnData: [
        { name: 'label', data: [7n], type: 'INT64' },
        { name: 'sentence', data: ['p'], type: 'STRING' },
      ],
    })
    const files = [
      write('n0.csv', 'text,label\na,1\n'),
      write('n1.csv', 'b,2\n'),
      write('n2', 'label\ttext\n3\tc\n'),
      write('n3', new Uint8Array(parquet)),
    ]
    const found = []
    for await (const { text, label, file, line } of readLabelled(files)) found.push([text, label, file, line])
    expect(found).toEqual([
      ['a', '1', files[0], 2],
      ['b', '2', files[1], 1],
      ['c', '3', files[2], 2],
      ['p', '7', files[3], 1],
    ])
  })

  it('reads 100,000 rows without reading far ahead', async () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => `text ${i} ${'x'.repeat(i % 50)}\t${i % 3}\n`)
    const path = write('many', lines.join(''))
    let [read, position, count] = [0, 0, 0]
    const onBytes = (bytes: number) => {
      read += bytes
    }
    for await (const { text, label, line } of readLabelled(path, { onBytes })) {
      position += lines[count].length
      const isRight = `${text}\t${label}\n` === lines[count] && line === count + 1 && read - position < 2 ** 20
      if (!isRight) expect({ text, label, line, ahead: read - position }).toBe(lines[count])
      count++
    }
    expect([count, read]).toEqual([100_000, position])
  })
})

describe('readMultiLabelled', () => {
  const readMulti = async (name: string, content: string) => {
    const found = []
    for await (const { text, pair, labels } of readMultiLabelled(write(name, content))) found.push([text, pair, labels])
    return found
  }

  it('reads lists of labels, of names or numbers, and single labels', async () => {
    const rows = '{"text": "a", "labels": ["x", "y"]}\n{"text": "b", "labels": []}\n{"text": "c", "labels": 3}'
    expect(await readMulti('o.jsonl', rows)).toEqual([
      ['a', undefined, ['x', 'y']],
      ['b', undefined, []],
      ['c', undefined, ['3']],
    ])
    expect(await readMulti('o.json', '[{"text": "a", "labels": [0, 27]}]')).toEqual([['a', undefined, ['0', '27']]])
    expect(await readMulti('o.csv', 'text,label\na,x\n')).toEqual([['a', undefined, ['x']]])
  })

  it.each([
    ['["x", ""]', 'the label is empty'],
    ['["x", "y", "x"]', "the label 'x' is given twice"],
    ['[["x"]]', 'expected texts or numbers as labels, got ["x"]'],
    ['{"x": 1}', `expected a text or number in the column 'labels', got {"x":1}`],
  ])('refuses the labels %s', async (labels, message) => {
    await expect(readMulti('p.jsonl', `{"text": "a", "labels": ${labels}}`)).rejects.toThrow(`p.jsonl:1: ${message}`)
  })
})

describe('readConversations', () => {
  it('reads prompts with completions and messages', async () => {
    const pair = { prompt: '1 + 1 = ', completion: '2' }
    const chat = {
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: '你好' },
      ],
    }
    const found = []
    const file = write('q.jsonl', `${JSON.stringify(pair)}\n${JSON.stringify(chat)}\n`)
    for await (const conversation of readConversations(file)) found.push(conversation)
    expect(found).toEqual([pair, chat])
  })

  it.each([
    ['{"prompt": "x"}', /r\.jsonl:1: expected .*completion/],
    [
      '{"messages": [{"role": "user", "content": "x"}]}',
      /r\.jsonl:1: the conversation has no message with the role assistant/,
    ],
  ])('refuses %s', async (line, message) => {
    const file = write('r.jsonl', `${line}\n`)
    await expect(readConversations(file).next()).rejects.toThrow(message)
  })
})

const real = process.env.HEDDLE_DATA
describe.skipIf(!real)('real data (skipped where HEDDLE_DATA is not set)', () => {
  it.each<[path: string, labels: Record<string, number>, first: Partial<LabelledText>, options?: LabelledOptions]>([
    ['sst2/train.tsv', { 0: 3310, 1: 3610 }, { label: '1' }],
    ['sst2/dev.tsv', { 0: 428, 1: 444 }, { label: '0', text: 'one long string of cliches' }],
    ['sst2/test.tsv', { 0: 912, 1: 909 }, { label: '0', text: 'no movement , no yuks , not much of anything' }],
    ['cola/in_domain_train.tsv', { 0: 2528, 1: 6023 }, { label: '1' }, { columns: { label: 1, text: 3 } }],
    ['cola/in_domain_dev.tsv', { 0: 162, 1: 365 }, { label: '1' }, { columns: { label: 1, text: 3 } }],
    ['zh-chnsenticorp/ChnSentiCorp_htl_all.csv', { 0: 2444, 1: 5322 }, { label: '1' }],
    [
      'ag_news/test.csv',
      { 1: 1900, 2: 1900, 3: 1900, 4: 1900 },
      {
        label: '3',
        text: 'Fears for T N pension after talks',
        pair: "Unions representing workers at Turner   Newall say they are 'disappointed' after talks with stricken parent firm Federal Mogul.",
      },
      { columns: { label: 0, text: 1, pair: 2 } },
    ],
  ])('reads %s', async (path, labels, first, options) => {
    const counts: Record<string, number> = {}
    let start: LabelledText | undefined
    for await (const example of readLabelled(join(real ?? '', 'classification', path), options)) {
      start ??= example
      counts[example.label] = (counts[example.label] ?? 0) + 1
    }
    expect(counts).toEqual(labels)
    expect(start).toMatchObject({ ...first, line: path.startsWith('zh-') ? 2 : 1 })
  })
})
