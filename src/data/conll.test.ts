import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, describe, expect, it } from 'vitest'
import { ConfigError, DataError } from '../errors.js'
import { joinWords, readTagged, type TaggedOptions } from './conll.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-conll-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

async function read(name: string, content: string | Uint8Array, options?: TaggedOptions) {
  const found = []
  for await (const sentence of readTagged(write(name, content), options)) found.push(sentence)
  return found
}

/** Words, tags and lines of the sentences. */
const brief = async (...input: Parameters<typeof read>) =>
  (await read(...input)).map(({ words, tags, line }) => [words.join(' '), tags.join(' '), line])

describe('readTagged', () => {
  it('reads a word and its tag a line, parted by tabs or spaces, whatever the name', async () => {
    const expected = {
      words: ['Ada', 'visits', 'York'],
      tags: ['B-person', 'O', 'B-location'],
      text: 'Ada visits York',
      offsets: [
        [0, 3],
        [4, 10],
        [11, 15],
      ],
      line: 1,
    }
    for (const name of ['a.conll', 'a.annotated', 'a.csv', 'a.txt', 'a']) {
      for (const gap of ['\t', ' ', '   ']) {
        for (const end of ['\n', '\r\n']) {
          const content = `Ada${gap}B-person\nvisits${gap}O\nYork${gap}B-location`.replaceAll('\n', end)
          expect(await read(name, content)).toEqual([{ ...expected, file: join(folder, name) }])
          expect(await read(name, gzipSync(content))).toEqual([{ ...expected, file: join(folder, name) }])
        }
      }
    }
  })

  it('ends sentences at blank lines, lines of white space too', async () => {
    expect(await brief('b', '\n \nA\tx\nB\ty\n\t\n\n\nC\tz\n')).toEqual([
      ['A B', 'x y', 3],
      ['C', 'z', 8],
    ])
  })

  it('takes the first and last column, or those that are asked for', async () => {
    const content =
      '-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O \n\n-DOCSTART- -X- O O\nwho WP B-NP O\n'
    expect(await brief('c.train', content)).toEqual([
      ['EU rejects', 'B-ORG O', 3],
      ['who', 'O', 7],
    ])
    expect(await brief('c.train', content, { columns: { tag: 1 } })).toEqual([
      ['EU rejects', 'NNP VBZ', 3],
      ['who', 'WP', 7],
    ])
    expect(await brief('c', '1\tEU\tORG\n', { columns: { text: 1 } })).toEqual([['EU', 'ORG', 1]])
  })

  it('skips comments only where they are clearly no words', async () => {
    const universal = '# sent_id = 1\n# text = # 1\n1\t#\tSYM\n2\t1\tNUM\n\n#\n1\tNo\tDET\n'
    expect(await brief('d', universal, { columns: { text: 1 } })).toEqual([
      ['# 1', 'SYM NUM', 3],
      ['No', 'DET', 7],
    ])
    expect(await brief('d', '# O\n#tag O\nx O\n')).toEqual([['# #tag x', 'O O O', 1]])
    expect(await brief('d', '#\tO\n#\tB\n')).toEqual([['# #', 'O B', 1]])
    await expect(read('d', 'x O\n# a b c\n')).rejects.toThrow('d:2: expected 2 columns as in the first row, got 4')
    await expect(read('d', '#a b c\nx O\n')).rejects.toThrow(
      'd:2: expected 3 columns as in the first row, got 2: "x O"',
    )
  })

  it('keeps spaces within words where tabs part the columns', async () => {
    const [{ words, text, offsets }] = await read('e', 'New York\tLOC\n\u3000\tO\nis\tO\n')
    expect([words, text]).toEqual([['New York', '\u3000', 'is'], 'New York \u3000 is'])
    expect(offsets).toEqual([
      [0, 8],
      [9, 10],
      [11, 13],
    ])
  })

  it('reads lists of words and tags from JSON and Parquet', async () => {
    const rows = [
      { tokens: ['Ada', 'writes'], tags: ['PER', 'O'] },
      { tokens: [], tags: [] },
      { tokens: ['{'], tags: ['O'] },
    ]
    const expected = [
      ['Ada writes', 'PER O', 1],
      ['{', 'O', 3],
    ]
    expect(await brief('f.data', rows.map((row) => JSON.stringify(row)).join('\n'))).toEqual(expected)
    const array = `[${rows.map((row) => JSON.stringify(row)).join(',\n')}]`
    expect(await brief('f.data', array)).toEqual(expected)
    const data = { words: rows.map(({ tokens }) => tokens), ner_tags: rows.map(({ tags }) => tags) }
    const columnData = Object.entries(data).map(([name, lists]) => ({ name, data: lists }))
    expect(await brief('f', new Uint8Array(parquetWriteBuffer({ columnData })))).toEqual(expected)
    expect(await brief('f', '{"w": ["a"], "t": ["b"]}', { columns: { text: 'w', tag: 't' } })).toEqual([['a', 'b', 1]])
  })

  it('takes brackets and braces for words', async () => {
    expect(await brief('g', '{ O\n} O\n\n[ O\n] O\n\n[] O\n')).toEqual([
      ['{ }', 'O O', 1],
      ['[ ]', 'O O', 4],
      ['[]', 'O', 7],
    ])
  })

  it('reads nothing from an empty file', async () => {
    expect(await read('h', '')).toEqual([])
    expect(await read('h', '\n\n-DOCSTART-\n')).toEqual([])
  })

  it.each<[content: string | Uint8Array, message: string, options?: TaggedOptions]>([
    ['a\tO\nb\tX\tO\n', 'bad:2: expected 2 columns as in the first row, got 3: "b X O"'],
    ['a O\n\nb\n', 'bad:3: expected 2 columns as in the first row, got 1: "b"'],
    ['a\tO\nb\n', 'bad:2: expected 2 columns as in the first row, got 1: "b"'],
    ['a\tO\n\tO\n', 'bad:2: the word in column 0 is empty'],
    ['a O\n O\n', 'bad:2: the word in column 0 is empty'],
    ['a\tO\nb\t\n', 'bad:2: the tag of "b" in column 1 is missing'],
    ['\nword\n', 'bad:2: expected a word and its tag, separated by a tab or spaces, got "word"'],
    [Buffer.from('a\tO\n\xe9\tO\n', 'latin1'), 'bad: expected UTF-8 text, got the byte 0xe9 at offset 4 (line 2)'],
    ['{"tokens": ["a"], "tags": ["O", "O"]}', 'bad:1: expected as many tags as words (1), got 2'],
    ['{"tokens": ["a", ""], "tags": ["O", "O"]}', `bad:1: expected a text in the column 'tokens' at 1, got ""`],
    ['{"tokens": ["a"], "tags": [0]}', "column 'tags' at 0, got 0; write the names of tags, not numbers"],
    ['{"tokens": "a", "tags": ["O"]}', `bad:1: expected a list of texts in the column 'tokens', got "a"`],
    ['{"words": ["a"], "x": 1}', 'bad:1: no column for the tag among words, x; give data.columns.tag its name'],
    ['{"tokens": ["a"], "tags": [}', 'bad:1:28: expected JSON: unexpected character "}"'],
  ])('says where %j is wrong', async (content, message, options) => {
    const problem = await read('bad', content, options).catch((error: unknown) => error)
    expect(problem).toBeInstanceOf(DataError)
    expect(String(problem)).toContain(message)
  })

  it.each<[options: TaggedOptions, message: string]>([
    [{ columns: { tag: 2 } }, 'from 0 to 1, as data.columns of a CoNLL file, got 2'],
    [{ columns: { text: 'word' } }, 'from 0 to 1, as data.columns of a CoNLL file, got "word"'],
    [{ format: 'csv' }, 'data.format: tagged sentences are in columns (tsv), jsonl, json or parquet, got csv'],
  ])('refuses %j', async (options, message) => {
    const problem = await read('a', 'a\tO\n', options).catch((error: unknown) => error)
    expect(problem).toBeInstanceOf(ConfigError)
    expect(String(problem)).toContain(message)
  })

  it('streams sentences, long ones too', async () => {
    const sentence = (i: number) => `w${i}\tB-x\n${`x${i}\tO\n`.repeat(i % 100 === 0 ? 2000 : 3)}\n`
    const contents = Array.from({ length: 2000 }, (_, i) => sentence(i))
    const path = write('long.train', contents.join(''))
    let [read, position, count, line] = [0, 0, 0, 1]
    const onBytes = (bytes: number) => {
      read += bytes
    }
    for await (const { words, tags, ...found } of readTagged(path, { onBytes })) {
      position += contents[count].length
      const content = `${words.map((word, i) => `${word}\t${tags[i]}\n`).join('')}\n`
      const isRight = content === contents[count] && found.line === line && read - position < 2 ** 19
      if (!isRight) expect({ ...found, ahead: read - position, content }).toEqual({ line, content: contents[count] })
      line += words.length + 1
      count++
    }
    expect([count, read]).toEqual([2000, position])
  })

  it('refuses a file without blank lines', async () => {
    await expect(read('endless', 'w\tO\n'.repeat(2 ** 20 + 1))).rejects.toThrow(
      'endless:1: a sentence has more than 1048576 words; put a blank line behind each',
    )
  })
})

describe('joinWords', () => {
  it.each<[words: string, text: string]>([
    ['We 爱 tea', 'We 爱 tea'],
    ['高 勇 ： 男 ，', '高勇：男，'],
    ['1 9 6 3 年 I B M', '1963年IBM'],
    ['I B M', 'I B M'],
    ['在 IBM PC 上 写 ， 好 吗', '在IBM PC上写，好吗'],
    ['東 京 タ ワ ー', '東京タワー'],
    ['𠮷 野 家 🧵', '𠮷野家🧵'],
    ['中国 人', '中国人'],
    ['中国 人 爱 喝 热 茶', '中国人爱喝热茶'],
    ['中国 经济 发展', '中国 经济 发展'],
    ['안 녕', '안 녕'],
  ])('joins %s', (words, text) => {
    const list = words.split(' ')
    const joined = joinWords(list)
    expect(joined.text).toBe(text)
    expect(joined.offsets.map(([start, end]) => joined.text.slice(start, end))).toEqual(list)
    // In order, with nothing but spaces between.
    expect(joined.text.replaceAll(' ', '')).toBe(list.join(''))
    expect(joined.offsets.every(([start], i) => i === 0 || start >= joined.offsets[i - 1][1])).toBe(true)
  })
})

const real = process.env.HEDDLE_DATA
describe.skipIf(!real)('real data (skipped where HEDDLE_DATA is not set)', () => {
  it.each<[path: string, sentences: number, words: number, tagged: number, kinds: number, first: string]>([
    [
      'wnut17/wnut17train.conll',
      3394,
      62730,
      3160,
      13,
      "@paulwalk It 's the view from where I 'm living for two weeks .",
    ],
    ['wnut17/emerging.dev.conll', 1009, 15733, 1250, 13, 'Stabilized approach or not ? That ´ s insane and good .'],
    ['wnut17/emerging.test.annotated', 1287, 23394, 1740, 13, '& gt ; * The soldier was killed when another avalanche'],
    ['wnut17/emerging.test.conll', 1287, 23394, 0, 0, '& gt ; * The soldier was killed when another avalanche'],
    ['zh-resume/train.char.bmes', 3821, 124099, 79014, 28, '高勇：男，中国国籍，无境外居留权，'],
    ['zh-resume/dev.char.bmes', 463, 13890, 8444, 26, '吴重阳，中国国籍，大学本科，'],
    ['zh-resume/test.char.bmes', 477, 15100, 9910, 24, '常建良，男，'],
  ])('reads %s', async (path, sentences, words, tagged, kinds, first) => {
    const tags = new Set<string>()
    let [sentenceCount, wordCount, taggedCount] = [0, 0, 0]
    for await (const sentence of readTagged(join(real ?? '', 'ner', path))) {
      if (sentenceCount++ === 0) expect(sentence.text.startsWith(first)).toBe(true)
      wordCount += sentence.words.length
      taggedCount += sentence.tags.filter((tag) => tag !== 'O').length
      for (const tag of sentence.tags) tags.add(tag)
    }
    expect([sentenceCount, wordCount]).toEqual([sentences, words])
    // The other test file of WNUT has the tags of several annotators in one column.
    if (kinds > 0) expect([taggedCount, tags.size]).toEqual([tagged, kinds])
  })
})
