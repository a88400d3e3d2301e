import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readConversations } from './conversations.js'
import { type LabelledOptions, readLabelled } from './labelled.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-labelled-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

async function read(name: string, content: string, options?: LabelledOptions) {
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
    const file = write('h.jsonl', `${JSON.stringify(pair)}\n${JSON.stringify(chat)}\n`)
    for await (const conversation of readConversations(file)) found.push(conversation)
    expect(found).toEqual([pair, chat])
  })

  it.each([
    ['{"prompt": "x"}', /i\.jsonl:1: expected .*completion/],
    [
      '{"messages": [{"role": "user", "content": "x"}]}',
      /i\.jsonl:1: the conversation has no message with the role assistant/,
    ],
  ])('refuses %s', async (line, message) => {
    const file = write('i.jsonl', `${line}\n`)
    await expect(readConversations(file).next()).rejects.toThrow(message)
  })
})
