import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createTokenizer } from '../../src/tokenizers/node.js'
import { saveTokenizer } from '../../src/tokenizers/save.js'
import { sample } from '../../src/tokenizers/training/texts.testing.js'
import { trainTokenizer } from '../../src/tokenizers/training/train.js'
import { python, runReference } from '../e2e/python.js'

interface Trained {
  vocabulary: Record<string, number>
  merges: string[][]
  tokens: number
}

interface Encoded {
  ids: number[]
  tokens: string[]
  offsets: [number, number][]
  decoded: string
}

const folder = mkdtempSync(join(tmpdir(), 'heddle-tokenizers-'))
afterAll(() => rmSync(folder, { recursive: true }))

const data = process.env.HEDDLE_DATA
if (python === undefined) console.log('skipped: HEDDLE_PYTHON or python3 with torch and transformers is not there')
if (data === undefined) console.log('only a short text: HEDDLE_DATA with lm/ is not set')

/** Texts to train on, by their names. */
function corpora(): Record<string, string> {
  const texts: Record<string, string> = { 'a short text': sample }
  if (data === undefined || !existsSync(join(data, 'lm'))) return texts
  texts['Tiny Shakespeare'] = readFileSync(join(data, 'lm/tinyshakespeare.txt'), 'utf8')
  const poetry = join(data, 'lm/zh-poetry')
  const poems: { paragraphs?: string[] }[] = readdirSync(poetry)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => JSON.parse(readFileSync(join(poetry, name), 'utf8')))
  texts['Chinese poems'] = poems.map(({ paragraphs = [] }) => `${paragraphs.join('\n')}\n`).join('')
  return texts
}

const all = Object.entries(corpora()).map(([name, text], i) => {
  const file = join(folder, `${i}.txt`)
  writeFileSync(file, text)
  return { name, text, file, size: name === 'a short text' ? 320 : name === 'Chinese poems' ? 8000 : 3000 }
})

const reference = (type: string, { file, text, size }: (typeof all)[number], lines = true) =>
  runReference<Trained[]>(
    'train_tokenizer.py',
    [],
    [{ type, vocabularySize: size, files: [file], lines, encode: text }],
  )[0]

/** How many tokens the lines of a text become. */
async function countTokens(json: string, text: string): Promise<number> {
  const encodings = await createTokenizer(json).encodeBatch(text.match(/[^\n]*\n|[^\n]+/g) ?? [], {
    addSpecialTokens: false,
  })
  return encodings.reduce((sum, { ids }) => sum + ids.length, 0)
}

describe.skipIf(python === undefined)("Python's tokenizers", () => {
  it.each(all)('train byte-level BPE to the same vocabulary and merges: $name', async (corpus) => {
    for (const lines of [true, false]) {
      const expected = reference('bpe', corpus, lines)
      const json = await trainTokenizer([corpus.text], { type: 'bpe', vocabularySize: corpus.size, lines })
      const { vocab, merges } = JSON.parse(json).model
      expect(merges).toEqual(expected.merges)
      expect(vocab).toEqual(expected.vocabulary)
      expect(await countTokens(json, corpus.text)).toBe(expected.tokens)
    }
  })

  it.each(all.slice(1))('train WordPiece to as many tokens of text: $name', async (corpus) => {
    const expected = reference('wordpiece', corpus)
    const json = await trainTokenizer([corpus.text], { type: 'wordpiece', vocabularySize: corpus.size })
    const ours = Object.keys(JSON.parse(json).model.vocab)
    // Which of equally frequent pairs it takes differs from run to run in Python.
    const common = ours.filter((token) => Object.hasOwn(expected.vocabulary, token)).length
    expect(common / Math.max(ours.length, Object.keys(expected.vocabulary).length)).toBeGreaterThan(0.9)
    expect((await countTokens(json, corpus.text)) / expected.tokens).toBeCloseTo(1, 1.5)
  })

  it.each(all.slice(1))('train unigram models to no fewer tokens of text: $name', async (corpus) => {
    const expected = reference('unigram', corpus)
    const json = await trainTokenizer([corpus.text], { type: 'unigram', vocabularySize: corpus.size })
    expect(JSON.parse(json).model.vocab).toHaveLength(corpus.size)
    const ratio = (await countTokens(json, corpus.text)) / expected.tokens
    expect(ratio).toBeLessThan(1.03)
    expect(ratio).toBeGreaterThan(0.8)
  })

  it.each(['bpe', 'wordpiece', 'unigram'] as const)('open what Heddle trains and encode alike: %s', async (type) => {
    const tokenizer = createTokenizer(
      await trainTokenizer([sample], { type, vocabularySize: 200 + 100 * Number(type === 'bpe') }),
    )
    saveTokenizer(folder, tokenizer)
    const texts = [
      sample,
      '',
      ' ',
      ' \n\n\t\r\n',
      '👩‍👩‍👧 e\u0301é ﬁ 鯨 the',
      'a <unk> [MASK] <|endoftext|>b',
      'Å\u0327 \u0000x',
    ]
    const found = runReference<Encoded[]>('check_tokenizer.py', [folder], texts)
    for (const [i, text] of texts.entries()) {
      const { ids, tokens, offsets } = await tokenizer.encode(text)
      expect({ ids, tokens }).toEqual({ ids: found[i].ids, tokens: found[i].tokens })
      const points = [...text]
      const sources = found[i].offsets.map(([start, end]) => points.slice(start, end).join(''))
      expect(offsets.map(([start, end]) => text.slice(start, end))).toEqual(sources)
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(found[i].decoded)
    }
  })
})
