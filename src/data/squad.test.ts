import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { type Question, type QuestionOptions, readQuestions } from './squad.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-squad-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

async function readAll(files: string | string[], options?: QuestionOptions): Promise<Question[]> {
  const found = []
  for await (const question of readQuestions(files, options)) found.push(question)
  return found
}
const read = (name: string, content: unknown, options?: QuestionOptions) =>
  readAll(write(name, typeof content === 'string' ? content : JSON.stringify(content)), options)

const problem = async (name: string, content: unknown): Promise<string> => {
  const error = await read(name, content).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(DataError)
  return String(error).replaceAll(`${folder}/`, '')
}

/** A file of one question, with answers as [text, start]. */
const one = (context: string, ...answers: [text: string, start: number][]) => ({
  data: [
    {
      paragraphs: [
        {
          context,
          qas: [
            { id: 'q', question: 'Who?', answers: answers.map(([text, start]) => ({ text, answer_start: start })) },
          ],
        },
      ],
    },
  ],
})
const starts = async (context: string, ...answers: [text: string, start: number][]) =>
  (await read('one.json', one(context, ...answers)))[0].answers.map(({ start }) => start)

const version2 = {
  version: 'v2.0',
  data: [
    {
      title: 'Ada',
      paragraphs: [
        {
          context: '🧵 Ada met Mary, and Mary met Ada.',
          qas: [
            {
              id: 'a1',
              question: 'Whom did Ada meet?',
              answers: [{ text: 'Mary', answer_start: 10 }],
              is_impossible: false,
            },
            {
              id: 'a2',
              question: 'Whom did John meet?',
              answers: [],
              plausible_answers: [{ text: 'Mary', answer_start: 10 }],
              is_impossible: true,
            },
          ],
        },
      ],
    },
    {
      paragraphs: [
        { context: 'Nothing.', qas: [] },
        { context: '李白是唐代诗人。', qas: [{ id: 7, question: '李白是谁？' }] },
      ],
    },
  ],
}

const expected = (file: string) => [
  {
    id: 'a1',
    question: 'Whom did Ada meet?',
    context: '🧵 Ada met Mary, and Mary met Ada.',
    title: 'Ada',
    article: 0,
    answers: [{ text: 'Mary', start: 11 }],
    isImpossible: false,
    file,
    place: 'data[0].paragraphs[0].qas[0]',
  },
  {
    id: 'a2',
    question: 'Whom did John meet?',
    context: '🧵 Ada met Mary, and Mary met Ada.',
    title: 'Ada',
    article: 0,
    answers: [],
    isImpossible: true,
    file,
    place: 'data[0].paragraphs[0].qas[1]',
  },
  {
    id: '7',
    question: '李白是谁？',
    context: '李白是唐代诗人。',
    title: undefined,
    article: 1,
    answers: [],
    isImpossible: false,
    file,
    place: 'data[1].paragraphs[1].qas[0]',
  },
]

const flat = [
  {
    id: 'f1',
    title: 'Ada',
    question: 'Who?',
    context: '𠮷 met Ada',
    answers: { text: ['Ada', '𠮷'], answer_start: [6, 0] },
  },
  { id: 'f2', title: 'Ada', question: 'Where?', context: 'In York', answers: { text: [], answer_start: [] } },
  { id: 'f3', title: 'Bea', question: 'When?', context: 'On 1 May', answers: { text: ['1 May'], answer_start: [3] } },
]
const flatExpected = [
  [
    'f1',
    'Ada',
    0,
    [
      { text: 'Ada', start: 7 },
      { text: '𠮷', start: 0 },
    ],
    false,
    'line 1',
  ],
  ['f2', 'Ada', 0, [], true, 'line 2'],
  ['f3', 'Bea', 1, [{ text: '1 May', start: 3 }], false, 'line 3'],
]
const brief = (questions: Question[]) =>
  questions.map(({ id, title, article, answers, isImpossible, place }) => [
    id,
    title,
    article,
    answers,
    isImpossible,
    place,
  ])

describe('readQuestions', () => {
  it('reads SQuAD 2.0, whatever its name and layout', async () => {
    for (const name of ['a.json', 'a', 'a.jsonl', 'a.txt']) {
      for (const content of [
        JSON.stringify(version2),
        JSON.stringify(version2, null, 2),
        JSON.stringify({ data: version2.data, version: 1.1 }),
        `\ufeff${JSON.stringify({ note: '"data": [', ok: true, ...version2 })}\n`,
      ]) {
        const path = write(name, content)
        expect(await readAll(path)).toEqual(expected(path))
        expect(await readAll(path, { format: 'json' })).toEqual(expected(path))
        expect(await readAll(write(name, gzipSync(content)))).toEqual(expected(path))
      }
    }
  })

  it('reads flat records from JSONL, JSON and Parquet', async () => {
    expect(brief(await read('b.jsonl', flat.map((row) => JSON.stringify(row)).join('\n')))).toEqual(flatExpected)
    expect(brief(await read('b.data', flat.map((row) => JSON.stringify(row)).join('\n')))).toEqual(flatExpected)
    expect(brief(await read('b.json', `[${flat.map((row) => JSON.stringify(row)).join(',\n')}]`))).toEqual(flatExpected)
    const text = ['id', 'title', 'question', 'context'] as const
    const buffer = parquetWriteBuffer({
      columnData: [
        ...text.map((name) => ({ name, data: flat.map((row) => row[name]), type: 'STRING' as const })),
        { name: 'answers', data: flat.map(({ answers }) => answers), type: 'JSON' },
      ],
    })
    expect(brief(await readAll(write('b', new Uint8Array(buffer))))).toEqual(flatExpected)
  })

  it('names questions without an id, and takes columns and lists of answers', async () => {
    const rows = [
      { q: 'Who?', passage: 'Ada', gold: [{ text: 'Ada', answer_start: 0 }] },
      { q: 'What?', passage: 'Ada', gold: [] },
      { q: 'Why?', passage: 'So', gold: [], is_impossible: false },
    ]
    const columns = { question: 'q', answers: 'gold' }
    const path = write('c.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'))
    expect(brief(await readAll(path, { columns }))).toEqual([
      [`${path}:1`, undefined, 0, [{ text: 'Ada', start: 0 }], false, 'line 1'],
      [`${path}:2`, undefined, 0, [], true, 'line 2'],
      [`${path}:3`, undefined, 1, [], true, 'line 3'],
    ])
  })

  it('counts articles over all files', async () => {
    const files = [write('d0.json', JSON.stringify(version2)), write('d1.jsonl', JSON.stringify(flat[2]))]
    expect(
      (await readAll([...files, write('d2.json', JSON.stringify(one('x', ['x', 0])))])).map((q) => q.article),
    ).toEqual([0, 0, 1, 2, 3])
  })

  it('counts code points as files do, and gives UTF-16 units', async () => {
    expect(await starts('🧵🧵 a 🧵 b a', ['a', 3], ['b', 7], ['a', 9], ['🧵 b', 5])).toEqual([5, 10, 12, 7])
  })

  it('takes the nearest occurrence where the start is wrong, the first of two', async () => {
    expect(await starts('ab..ab..ab', ['ab', 3], ['ab', 5], ['ab', 2], ['ab', 6], ['ab', 99])).toEqual([4, 4, 0, 4, 8])
  })

  it('keeps answers in words of their own, without a place', async () => {
    expect(await starts('ab..ab', ['cd', -1], ['ab', -1], ['b', 1])).toEqual([undefined, 0, 1])
  })

  it('forgets the answers to impossible questions', async () => {
    const { data } = one('x', ['', -1])
    Object.assign(data[0].paragraphs[0].qas[0], { is_impossible: true })
    expect((await read('e.json', { data }))[0]).toMatchObject({ answers: [], isImpossible: true })
  })

  it('says which answer is not in its context', async () => {
    expect(await problem('f.json', one('🧵 Ada met Mary.', ['Ada', 2], ['Maria', 10]))).toContain(
      'f.json: data[0].paragraphs[0].qas[0]: answers[1]: expected the answer "Maria" at character 10 of its context, got "Mary.", and it occurs nowhere else in it',
    )
    const row = { ...flat[0], answers: { text: ['x'], answer_start: [0] } }
    expect(await problem('f.jsonl', `${JSON.stringify(flat[2])}\n${JSON.stringify(row)}`)).toContain(
      'f.jsonl:2: answers[0]: expected the answer "x" at character 0',
    )
    expect(await problem('f.json', one('Ada', ['', 0]))).toContain('qas[0]: answers[0]: the answer is empty')
  })

  it.each<[name: string, content: unknown, message: string]>([
    ['g.json', { data: [{ paragraphs: [{ qas: [] }] }] }, 'g.json: data[0].paragraphs[0].context: expected string'],
    [
      'g.json',
      { data: [{ paragraphs: [] }, { paragraphs: [{ context: 'x', qas: [{ id: 'a', answers: [] }] }] }] },
      'g.json: data[1].paragraphs[0].qas[0].question: expected string, received undefined',
    ],
    ['g.json', one('x', ['x', 0.5]), 'g.json: data[0].paragraphs[0].qas[0].answers[0].answer_start: expected a whole'],
    ['g.json', '{\n"version": 1,\n"dat": []}', 'g.json: data: expected array, received undefined'],
    ['g.json', '{"data": [\n{"paragraphs": }]}', 'g.json:2:16: expected JSON: unexpected character "}"'],
    ['g.jsonl', '{"question": "a", "context": }', 'g.jsonl:1:30: expected JSON: unexpected character "}"'],
    ['g.jsonl', { question: 'a', text: 'b' }, 'g.jsonl:1: no column for the context among question, text'],
    [
      'g.jsonl',
      { ...flat[0], answers: { text: ['Ada'], answer_start: [] } },
      'g.jsonl:1: answers: expected {"text": […], "answer_start": […]}, as many texts as numbers',
    ],
  ])('says where %s is wrong: %j', async (name, content, message) => {
    expect(await problem(name, content)).toContain(message)
  })

  it('says where bytes are not UTF-8', async () => {
    const path = write('h.json', Buffer.from('{"data": [\n"\xe9"]}', 'latin1'))
    await expect(readAll(path)).rejects.toThrow('expected UTF-8 text, got the byte 0xe9 at offset 12 (line 2)')
  })

  it('reads flat records one by one', async () => {
    const line = JSON.stringify({ ...flat[2], context: `On 1 May${' x'.repeat(500)}` })
    const path = write('many.data', `${line}\n`.repeat(2000))
    let [read, count] = [0, 0]
    const onBytes = (bytes: number) => {
      read += bytes
    }
    for await (const { place } of readQuestions(path, { onBytes })) {
      count++
      if (read - count * (line.length + 1) > 2 ** 19) expect({ place, read }).toEqual({ place, read: 'less' })
    }
    expect([count, read]).toEqual([2000, 2000 * (line.length + 1)])
  })
})

const real = process.env.HEDDLE_DATA
describe.skipIf(!real)('real data (skipped where HEDDLE_DATA is not set)', () => {
  const path = (name: string) => join(real ?? '', 'qa', name)

  it.each<[name: string, counts: Record<string, number>, first: string]>([
    ['xquad/xquad.en.json', { questions: 1190, articles: 48, answers: 1190, own: 0 }, '308'],
    ['xquad/xquad.zh.json', { questions: 1190, articles: 48, answers: 1190, own: 0 }, '308'],
    ['cmrc2018/cmrc2018_dev.json', { questions: 3219, articles: 848, answers: 9657, own: 193 }, '光荣和ω-force'],
    ['cmrc2018/cmrc2018_trial.json', { questions: 1002, articles: 256, answers: 1002, own: 0 }, '踢爆'],
  ])('reads %s', async (name, counts, first) => {
    const questions = await readAll(path(name))
    const answers = questions.flatMap((question) => question.answers.map((answer) => ({ ...answer, question })))
    const placed = answers.filter(({ start }) => start !== undefined)
    expect({
      questions: questions.length,
      articles: new Set(questions.map(({ article }) => article)).size,
      answers: answers.length,
      own: answers.length - placed.length,
    }).toEqual(counts)
    const isThere = ({ text, start = 0, question }: (typeof answers)[number]) =>
      question.context.startsWith(text, start)
    expect(placed.every(isThere)).toBe(true)
    expect(answers[0].text).toBe(first)
  })

  it('moves wrong starts to the nearest occurrence, and no others', async () => {
    for (const name of ['cmrc2018/cmrc2018_dev.json', 'cmrc2018/cmrc2018_trial.json', 'xquad/xquad.zh.json']) {
      const { data } = JSON.parse(readFileSync(path(name), 'utf8'))
      const moves: [id: string, by: number][] = []
      for (const { id, context, answers, place } of await readAll(path(name))) {
        const [i, j, k] = [...place.matchAll(/\d+/g)].map(Number)
        for (const [a, { text, start }] of answers.entries()) {
          if (start === undefined) continue
          const given = data[i].paragraphs[j].qas[k].answers[a].answer_start
          const by = Array.from(context.slice(0, start)).length - given
          expect(context.slice(start, start + text.length)).toBe(text)
          if (by !== 0) moves.push([id, by])
        }
      }
      expect(moves).toEqual(moved[name] ?? [])
    }
  })

  const moved: Record<string, [id: string, by: number][]> = {
    'cmrc2018/cmrc2018_dev.json': [
      ['DEV_101_QUERY_3', -1],
      ['DEV_101_QUERY_3', -1],
      ['DEV_101_QUERY_3', -1],
      ['DEV_110_QUERY_2', -2],
      ['DEV_110_QUERY_2', -2],
      ['DEV_110_QUERY_2', -2],
      ['DEV_110_QUERY_3', -2],
    ],
    'cmrc2018/cmrc2018_trial.json': [0, 1, 2, 3, 4].map((i) => [`TRIAL_210_QUERY_${i}`, -1]),
  }
})
