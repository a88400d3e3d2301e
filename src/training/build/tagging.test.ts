import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { BertForTokenClassification } from '../../models/index.js'
import { build } from '../build.js'
import { parseRecipe } from '../recipe.js'
import { labelIndices, readSentences } from './tagging.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-tagging-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0

/** Writes sentences as columns, one word a line; returns the file's name. */
function conll(...sentences: string[]): string {
  const lines = sentences.map((sentence) => sentence.replaceAll('/', '\t').replaceAll(' ', '\n'))
  return write(`${lines.join('\n\n')}\n`, 'conll')
}

function write(text: string, ending: string): string {
  const file = join(folder, `${files++}.${ending}`)
  writeFileSync(file, text)
  return file
}

const recipe = (train: string, ...sets: string[]) =>
  parseRecipe(
    JSON.stringify({
      objective: 'tagging',
      model: { layers: 1, heads: 2, width: 8, contextLength: 16 },
      tokenizer: { type: 'wordpiece', vocabularySize: 60 },
      data: { train },
      train: { steps: 1, batchSize: 2 },
    }),
    'test',
    sets,
  )

const first = conll('Ada/B-PER Lovelace/I-PER lived/O in/O London/B-LOC ./O', 'She/O wrote/O ./O')
const second = conll('London/B-LOC is/O large/O', 'Ada/B-PER smiled/O')

describe('buildTagging', () => {
  it('gives the model the tags of the training data as labels, O first', async () => {
    const { model, objective, size } = await build({ recipe: recipe(first, `data.validation=${second}`) })
    expect(model).toBeInstanceOf(BertForTokenClassification)
    expect(model).toMatchObject({ labels: ['O', 'B-LOC', 'B-PER', 'I-PER'] })
    expect(size).toEqual({ count: 2, unit: 'examples' })
    expect(objective.trainingBatch(0)).toMatchObject({ examples: 2, predictions: 9 })
    const validated = [...objective.evaluationBatches()]
    expect(validated.map(({ examples, predictions }) => [examples, predictions])).toEqual([[2, 5]])
  })

  it('cuts sentences that are longer than the data or the model allow, and trains on each word once', async () => {
    const words = Array.from({ length: 40 }, (_, i) => `a/${i === 0 ? 'B-X' : 'O'}`).join(' ')
    for (const [sets, longest] of [
      [[], 16],
      [['data.maxLength=9'], 9],
      [['data.maxLength=90', 'data.stride=2'], 16],
    ] as const) {
      const { objective } = await build({
        recipe: recipe(conll(words), `data.validation=${conll('a/O')}`, 'train.batchSize=50', ...sets),
      })
      const { feeds, predictions } = objective.trainingBatch(0)
      expect(predictions).toBe(40)
      expect(shapeOf(feeds.labels)).toEqual([40])
      expect(shapeOf(feeds.grid)[1]).toBe(longest)
    }
  })

  it('reads the columns that the recipe names', async () => {
    const file = conll('O/Ada/B-PER', 'O/London/B-LOC')
    const columns = ['data.columns.text=1', 'data.columns.tag=2', `data.validation=${file}`]
    const { model } = await build({ recipe: recipe(file, ...columns) })
    expect(model).toMatchObject({ labels: ['B-LOC', 'B-PER'] })
  })

  it('holds a tenth of the sentences out where there is nothing to validate on', async () => {
    const sentences = Array.from({ length: 20 }, (_, i) => `word${i}/B-X`)
    const { size, objective } = await build({ recipe: recipe(conll(...sentences)) })
    expect(size.count).toBe(18)
    expect([...objective.evaluationBatches()].reduce((sum, { examples }) => sum + examples, 0)).toBe(2)
  })

  it('says where a tag is that the training data do not have', async () => {
    const columns = conll('London/B-LOC', 'we/O met/O Ada/I-ORG')
    const wrong = build({ recipe: recipe(first, `data.validation=${columns}`) })
    await expect(wrong).rejects.toThrow(
      `${columns}:5: the tag 'I-ORG' of 'Ada' is not one of the labels: O, B-LOC, B-PER, I-PER`,
    )
    const lines = ['{"tokens": ["a", "b"], "tags": ["O", "B-PER"]}', '{"tokens": ["a", "b"], "tags": ["O", "NOUN"]}']
    const records = write(`${lines.join('\n')}\n`, 'jsonl')
    await expect(build({ recipe: recipe(first, `data.validation=${records}`) })).rejects.toThrow(
      `${records}:2: the tag 'NOUN' of 'b' is not one of`,
    )
  })

  it('refuses tags of no scheme, and what it would have to ignore', async () => {
    const nouns = conll('Ada/NOUN smiled/VERB')
    await expect(build({ recipe: recipe(nouns) })).rejects.toThrow(`${nouns}: expected tags of one scheme`)
    await expect(build({ recipe: recipe(first, 'train.classWeights=balanced') })).rejects.toThrow(
      /^train\.classWeights: tagging weighs all tags alike/,
    )
  })
})

describe('readSentences', () => {
  it('rewrites IOB1 as BIO, and leaves other schemes as they are', async () => {
    const tagsOf = async (file: string) => (await readSentences(file)).map(({ tags }) => tags)
    const iob1 = conll('a/I-X b/I-X c/B-X d/I-X e/O f/I-Y', 'a/I-Y')
    expect(await tagsOf(iob1)).toEqual([['B-X', 'I-X', 'B-X', 'I-X', 'O', 'B-Y'], ['B-Y']])
    // One B- behind O, as only BIO has it: the I- behind O is a mistake of the data.
    const bio = conll('a/I-X b/O c/B-X')
    expect(await tagsOf(bio)).toEqual([['I-X', 'O', 'B-X']])
    const bmes = conll('a/B-X b/M-X c/E-X d/S-Y')
    expect(await tagsOf(bmes)).toEqual([['B-X', 'M-X', 'E-X', 'S-Y']])
    expect(await tagsOf(conll('a/O'))).toEqual([['O']])
  })
})

describe('labelIndices', () => {
  it('counts labels in their order', async () => {
    expect(await labelIndices(await readSentences(second), ['O', 'B-PER', 'B-LOC'])).toEqual([
      [2, 0, 0],
      [1, 0],
    ])
  })
})

function shapeOf(feed: object): readonly number[] {
  return 'shape' in feed && Array.isArray(feed.shape) ? feed.shape : []
}
