import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type ChoiceOptions, readChoices } from './choices.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-choices-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function read(name: string, content: unknown, options?: ChoiceOptions) {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content))
  const found = []
  for await (const choice of readChoices(path, options)) found.push(choice)
  return found
}

const brief = async (...input: Parameters<typeof read>) =>
  (await read(...input)).map(({ prompt, choices, label }) => [prompt, choices, label])

describe('readChoices', () => {
  it('reads lists of choices', async () => {
    const rows =
      '{"question": "Hot?", "choices": ["sun", "ice"], "label": 0}\n{"question": "Cold?", "choices": ["sun", "ice", "sea"], "label": "1"}'
    expect(await read('a.jsonl', rows)).toEqual([
      { prompt: 'Hot?', choices: ['sun', 'ice'], label: 0, file: join(folder, 'a.jsonl'), line: 1 },
      { prompt: 'Cold?', choices: ['sun', 'ice', 'sea'], label: 1, file: join(folder, 'a.jsonl'), line: 2 },
    ])
    expect(await brief('a', [{ ctx: 'She', endings: ['sat', 'sea', 'sun', 'sky'], label: '3' }])).toEqual([
      ['She', ['sat', 'sea', 'sun', 'sky'], 3],
    ])
  })

  it('reads choices with names', async () => {
    const choices = { label: ['A', 'B', 'C'], text: ['bank', 'park', 'sea'] }
    const expected = [['Where?', ['bank', 'park', 'sea'], 1]]
    expect(await brief('b', { question: 'Where?', choices, answerKey: 'B' })).toEqual(expected)
    const listed = choices.text.map((text, i) => ({ label: String(i + 1), text }))
    expect(await brief('b', { prompt: 'Where?', choices: listed, answerKey: '2' })).toEqual(expected)
    expect(await brief('b', { prompt: 'Where?', choices: choices.text, answer: 'B' })).toEqual(expected)
  })

  it('reads choices in columns of their own, with what they begin with', async () => {
    const header = 'video,sent1,sent2,ending1,ending0,ending10,ending2,label'
    expect(await brief('c.train', `${header}\nv,"He, too, sits.",He,b,a,d,c,2\n`)).toEqual([
      ['He, too, sits.', ['He a', 'He b', 'He c', 'He d'], 2],
    ])
    expect(await brief('c.csv', 'prompt\tchoice_0\tchoice_1\tlabel\nWhy?\tso\tno\t1\n')).toEqual([
      ['Why?', ['so', 'no'], 1],
    ])
  })

  it('takes columns by name', async () => {
    const columns = { text: 'q', choices: 'a', label: 'gold' }
    expect(await brief('d', { q: 'x', a: ['y', 'z'], gold: 1 }, { columns })).toEqual([['x', ['y', 'z'], 1]])
  })

  it.each<[row: unknown, message: string]>([
    [
      { prompt: 'x', choices: ['a', 'b'], label: 2 },
      'expected as label a position from 0 to 1 or one of A, B, got "2"',
    ],
    [{ prompt: 'x', choices: ['a', 'b'], label: -1 }, 'one of A, B, got "-1"'],
    [{ prompt: 'x', choices: ['a', 'b'], label: 'C' }, 'one of A, B, got "C"'],
    [{ prompt: 'x', choices: ['a'], label: 0 }, 'expected at least two choices, got 1'],
    [{ prompt: 'x', choices: ['a', ''], label: 0 }, 'choice 1 is empty'],
    [{ prompt: 'x', choices: 'a', label: 0 }, `expected a list of texts in the column 'choices', got "a"`],
    [
      { prompt: 'x', choices: { text: ['a', 'b'], label: ['A'] }, label: 0 },
      'as many labels of choices as texts (2), got 1',
    ],
    [{ prompt: 'x', label: 0 }, "there is no column 'choices'"],
    [{ prompt: 'x', choices: ['a', 'b'] }, 'no column for the label among prompt, choices; give data.columns.label'],
    [{ choices: ['a', 'b'], label: 0 }, 'no column for the text among choices, label'],
  ])('says where %j is wrong', async (row, message) => {
    await expect(read('bad.data', row)).rejects.toThrow(`bad.data:1: ${message}`.slice(0, 12))
    await expect(read('bad.data', row)).rejects.toThrow(message)
  })

  it('says where bytes are not UTF-8', async () => {
    await expect(read('e', Buffer.from('prompt,choice0,label\n\xff', 'latin1'))).rejects.toThrow(
      '0xff at offset 21 (line 2)',
    )
  })
})
