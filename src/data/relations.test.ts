import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type RelationOptions, readRelations } from './relations.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-relations-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function read(name: string, content: unknown, options?: RelationOptions) {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content))
  const found = []
  for await (const relation of readRelations(path, options)) found.push(relation)
  return found
}

describe('readRelations', () => {
  it('reads spans in code points and gives UTF-16 units', async () => {
    const text = '🧵 Ada from 𠮷野'
    const rows = [
      { text, head: { start: 2, end: 5 }, tail: [11, 13], label: 'born in' },
      { text, head: [11, 12], tail: [0, 1], relation: 3 },
    ]
    const file = join(folder, 'a.data')
    expect(await read('a.data', rows.map((row) => JSON.stringify(row)).join('\n'))).toEqual([
      { text, head: { start: 3, end: 6 }, tail: { start: 12, end: 15 }, label: 'born in', file, line: 1 },
      { text, head: { start: 12, end: 14 }, tail: { start: 0, end: 2 }, label: '3', file, line: 2 },
    ])
  })

  it.each<[marked: string, text: string, head: string, tail: string]>([
    ['[E1]Ada[/E1] was born in [E2]York[/E2].', 'Ada was born in York.', 'Ada', 'York'],
    ['[E1] Ada [/E1] was born in [E2] York [/E2].', 'Ada was born in York.', 'Ada', 'York'],
    ['In [E2]York[/E2] lived 🧵[E1]Ada King[/E1]', 'In York lived 🧵Ada King', 'Ada King', 'York'],
    ['[E1]李白[/E1]生于[E2]碎叶[/E2]。', '李白生于碎叶。', '李白', '碎叶'],
    ['<e1>Ada</e1> of <e2>York</e2>', 'Ada of York', 'Ada', 'York'],
    ['[E1]the mayor of [E2]York[/E2][/E1] [sic]', 'the mayor of York [sic]', 'the mayor of York', 'York'],
    ['[E1]Ada [/E1]was in [E2] York[/E2]', 'Ada was in York', 'Ada', 'York'],
    ['a[E1] b[/E1] c [E2]d[/E2]', 'a b c d', 'b', 'd'],
  ])('takes the markers out of %s', async (marked, text, head, tail) => {
    const [found] = await read('b.jsonl', { text: marked, label: 'x' })
    expect(found.text).toBe(text)
    expect(text.slice(found.head.start, found.head.end)).toBe(head)
    expect(text.slice(found.tail.start, found.tail.end)).toBe(tail)
    expect(found.head.start).toBe(text.indexOf(head))
  })

  it('reads tables with markers, and columns by name or position', async () => {
    const [found] = await read('c.train', 'label\tsentence\nx\t[E1]a[/E1], [E2]b[/E2]\n')
    expect(found).toMatchObject({ text: 'a, b', head: { start: 0, end: 1 }, tail: { start: 3, end: 4 }, label: 'x' })
    const byPosition = { columns: { text: 2, label: 0 } }
    expect((await read('c', 'x\t7\t[E1]a[/E1] [E2]b[/E2]\n', byPosition))[0]).toMatchObject({ text: 'a b', label: 'x' })
    const byName = { columns: { text: 't', head: 'h', tail: 'i', label: 'l' } }
    expect((await read('c', { t: '[E1] b', h: [0, 4], i: [5, 6], l: 'x' }, byName))[0]).toMatchObject({
      text: '[E1] b',
      head: { start: 0, end: 4 },
      tail: { start: 5, end: 6 },
    })
  })

  const expectedSpan = (column: string, got: string) =>
    `expected {"start", "end"} or [start, end] of a part of the text in the column '${column}', got ${got}`
  it.each<[row: unknown, message: string]>([
    [{ text: 'ab', head: [0, 1], tail: [1, 3], label: 'x' }, expectedSpan('tail', '[1,3]')],
    [{ text: '🧵', head: [0, 2], tail: [0, 1], label: 'x' }, expectedSpan('head', '[0,2]')],
    [{ text: 'ab', head: [1, 1], tail: [1, 2], label: 'x' }, expectedSpan('head', '[1,1]')],
    [{ text: 'ab', head: [-1, 1], tail: [1, 2], label: 'x' }, expectedSpan('head', '[-1,1]')],
    [{ text: 'ab', head: [0, 0.5], tail: [1, 2], label: 'x' }, expectedSpan('head', '[0,0.5]')],
    [{ text: 'ab', head: 'a', tail: [1, 2], label: 'x' }, expectedSpan('head', '"a"')],
    [{ text: 'ab', head: [0, 1], label: 'x' }, 'no column for the tail among text, head, label'],
    [{ text: 'ab', head: [0, 1], tail: [1, 2], label: ' ' }, 'the label is empty'],
    [
      { text: '[E1]a[/E1] b', label: 'x' },
      'expected a column \'tail\', or the tail between [E2] and [/E2] in the text, got "a b"',
    ],
    [{ text: '[E1]a [E2]b[/E2]', label: 'x' }, "expected a column 'head', or the head between [E1] and [/E1]"],
    [{ text: '[E1][/E1]a [E2]b[/E2]', label: 'x' }, "expected a column 'head'"],
    [{ text: '[E1]a[/E1] [E1]b[/E1]', label: 'x' }, 'the marker [E1] stands twice in the text'],
  ])('says where %j is wrong', async (row, message) => {
    await expect(read('bad.data', row)).rejects.toThrow(`bad.data:1: ${message}`)
  })

  it('says where bytes are not UTF-8', async () => {
    await expect(read('d', Buffer.from('label,text\n\xff', 'latin1'))).rejects.toThrow('0xff at offset 11 (line 2)')
  })
})
