import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { heddle, heddleJson, root, start, type TrainOutput, temporaryFolder } from './command.js'

const at = temporaryFolder()

/** People and places in sentences of one pattern, each word with its tag. */
const people = ['Ada Lovelace', 'Alan Turing', 'Emmy Noether', 'Grace Hopper', 'Kurt Gödel', 'Zhu']
const places = ['London', 'New York', 'Göttingen', 'San Francisco', 'Wien']

function tagged(name: string, type: string): string {
  return name
    .split(' ')
    .map((word, i) => `${word} ${i === 0 ? 'B' : 'I'}-${type}`)
    .join('\n')
}

/** Writes some of all sentences as columns; returns the file's name. */
function writeSentences(name: string, isChosen: (index: number) => boolean): string {
  const all = people.flatMap((person) =>
    places.flatMap((place) => [
      `${tagged(person, 'PER')}\nlived O\nin O\n${tagged(place, 'LOC')}\n. O`,
      `In O\n${tagged(place, 'LOC')}\nwe O\nmet O\n${tagged(person, 'PER')}\n. O`,
    ]),
  )
  writeFileSync(at(name), `${all.filter((_, i) => isChosen(i)).join('\n\n')}\n`)
  return at(name)
}

const train = writeSentences('train.conll', (i) => i % 7 > 1)
const validation = writeSentences('validation.conll', (i) => i % 7 === 0)
const test = writeSentences('test.conll', (i) => i % 7 === 1)
const data = [`data.train=${train}`, `data.validation=${validation}`]
const recipe = (name: string) => join(root, 'recipes', name)

interface Tagged {
  readonly entities: readonly {
    readonly label: string
    readonly score: number
    readonly text: string
    readonly start: number
    readonly end: number
  }[]
}

interface Report {
  readonly examples: number
  readonly metrics: Readonly<Record<string, number>>
}

describe('tagging from training to use', () => {
  const model = at('run')

  it('trains from scratch with a recipe and finds all entities of sentences that it has not seen', async () => {
    const small = [
      'model.layers=1',
      'model.width=32',
      'train.epochs=12',
      'train.learningRate=1e-2',
      'train.batchSize=8',
    ]
    const result = await heddleJson<TrainOutput & { metrics: Record<string, number> }>(
      ...['train', recipe('wnut17.yaml'), '--set', ...data, ...small, '--out', model],
    )
    expect(result.metrics.f1).toBe(1)
    const { examples, metrics } = await heddleJson<Report>(
      'eval',
      '--model',
      model,
      '--task',
      'tagging',
      '--data',
      test,
    )
    expect(examples).toBe(9)
    expect(metrics).toMatchObject({ accuracy: 1, precision: 1, recall: 1, f1: 1, macroF1: 1 })
  })

  it('tags a text, the lines of a file and of standard input', async () => {
    const text = '  Emmy Noether lived in  San Francisco.'
    const [person, place] = [
      { label: 'PER', score: expect.any(Number), text: 'Emmy Noether', start: 2, end: 14 },
      { label: 'LOC', score: expect.any(Number), text: 'San Francisco', start: 25, end: 38 },
    ]
    const found = await heddleJson<Tagged>('tag', '--model', model, '--text', text)
    expect(found).toEqual({ entities: [person, place] })
    for (const { score } of found.entities) expect(Math.abs(score - 0.75)).toBeLessThanOrEqual(0.25)

    const { code, stdout } = await heddle('tag', '--model', model, '--text', text)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^PER\t[01]\.\d{3}\tEmmy Noether\t2-14\nLOC\t[01]\.\d{3}\tSan Francisco\t25-38\n$/)

    writeFileSync(at('texts.txt'), `${text}\n\nIn Wien we met Zhu.\n`)
    const lines = await heddle('tag', '--model', model, '--file', at('texts.txt'), '--json')
    const results: Tagged[] = lines.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(
      results.map(({ entities }) => entities.map(({ label, text: name, start }) => `${label} ${name} ${start}`)),
    ).toEqual([['PER Emmy Noether 2', 'LOC San Francisco 25'], [], ['LOC Wien 3', 'PER Zhu 15']])
    const shown = await start(
      'sh',
      ['-c', 'printf "In Wien we met Zhu.\\nwe lived ." | node bin/heddle.js tag --model "$0"', model],
      {
        cwd: root,
      },
    ).ended
    expect(shown.stdout).toMatch(
      /^In Wien we met Zhu\.\n\tLOC\t\S+\tWien\t3-7\n\tPER\t\S+\tZhu\t15-18\nwe lived \.\n\tno entities\n$/,
    )
  })

  it('fine-tunes the checkpoint on other labels', async () => {
    const products = at('products.conll')
    writeFileSync(products, 'Ada B-PRODUCT\n. O\n\nIn O\nLondon O\n')
    const sets = [`model.from=${model}`, `data.train=${products}`, `data.validation=${products}`, 'train.steps=2']
    const { checkpoint } = await heddleJson<TrainOutput>(
      ...['train', recipe('wnut17.yaml'), '--set', ...sets, '--out', at('tuned')],
    )
    const { metrics } = await heddleJson<Report>('eval', '--model', checkpoint, '--task', 'tagging', '--data', products)
    expect(Object.keys(metrics)).toEqual(expect.arrayContaining(['accuracy', 'precision', 'recall', 'f1', 'macroF1']))
  })

  it('says where a tag is that the model does not have', async () => {
    writeFileSync(at('other.conll'), 'In O\nLondon B-CITY\n')
    const { code, stdout, stderr } = await heddle(
      ...['eval', '--model', model, '--task', 'tagging', '--data', at('other.conll')],
    )
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    expect(stderr).toBe(
      `heddle: ${at('other.conll')}:2: the tag 'B-CITY' of 'London' is not one of the labels: O, B-LOC, B-PER, I-LOC, I-PER\n`,
    )
  })
})

describe('recipes/zh-resume-entities.yaml', () => {
  it('learns Chinese entities character by character', async () => {
    const names = ['王建国', '李华', '张小明', '欧阳娜']
    const schools = ['北京大学', '清华大学', '南开大学']
    const bmes = (name: string, type: string) =>
      [...name].map((character, i, all) => `${character} ${i === 0 ? 'B' : i === all.length - 1 ? 'E' : 'M'}-${type}`)
    const sentences = names.flatMap((name) =>
      schools.map((school) =>
        [...bmes(name, 'NAME'), '， O', '毕 O', '业 O', '于 O', ...bmes(school, 'ORG'), '。 O'].join('\n'),
      ),
    )
    const file = at('resumes.bmes')
    writeFileSync(file, `${sentences.join('\n\n')}\n`)
    const small = ['model.layers=1', 'model.width=32', 'train.epochs=40', 'train.learningRate=1e-2']
    await heddleJson<TrainOutput>(
      ...[
        'train',
        recipe('zh-resume-entities.yaml'),
        '--set',
        `data.train=${file}`,
        `data.validation=${file}`,
        ...small,
      ],
      ...['--out', at('resumes')],
    )
    const { entities } = await heddleJson<Tagged>('tag', '--model', at('resumes'), '--text', '李华，毕业于南开大学。')
    expect(entities.map(({ label, text, start, end }) => [label, text, start, end])).toEqual([
      ['NAME', '李华', 0, 2],
      ['ORG', '南开大学', 6, 10],
    ])
  })
})
