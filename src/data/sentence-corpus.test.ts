import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DataError } from '../errors.js'
import { createTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { wordPieceJson } from '../tokenizers/tokenizer-json.js'
import { trainTokenizer } from '../tokenizers/training/train.js'
import type { CorpusOptions } from './corpus.js'
import { loadSentenceFiles, loadSentences, type SentenceOptions, sentenceDocuments } from './sentence-corpus.js'
import { SentenceStarts, type SentenceStore } from './sentence-store.js'

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
const tokens = [...special, 'the', 'sea', 'ship', '##s', 'sang', '.', '自', '然', '语', '言', '很', '美', '。']
const tokenizer = createTokenizer(wordPieceJson({ tokens, special, normalization: { lowercase: true } }))

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-sentences-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** The sentences of each document as spelled. */
function spelled(store: SentenceStore, by: Tokenizer = tokenizer): string[][] {
  const starts = new SentenceStarts(store)
  return Array.from({ length: store.documents }, (_, index) => {
    const { first, end } = store.document(index)
    return Array.from({ length: end - first }, (_, i) =>
      Array.from(store.tokens(starts.at(first + i), starts.at(first + i + 1)).ids, (id) => by.idToToken(id)).join(' '),
    )
  })
}

/** `count` documents of two sentences, parted by blank lines. */
const manyDocuments = (count: number) => 'The sea sang. The ships.\n\n'.repeat(count)

const load = (data: CorpusOptions, options: Partial<SentenceOptions> = {}) =>
  loadSentences(data, { tokenizer, wholeWords: false, ...options })

describe('sentences of files', () => {
  it('are tokens, document by document', async () => {
    const text = write('a.txt', 'The sea sang. The ship\nsang.\n\nThe ships.\n')
    const records = write('b.jsonl', '{"body":"Sea. The ship."}\n{"body":"Ships."}\n')
    expect(spelled(await loadSentenceFiles(text, { tokenizer, wholeWords: false }))).toEqual([
      ['the sea sang .', 'the ship', 'sang .'],
      ['the ship ##s .'],
    ])
    const columns = { text: 'body' }
    expect(spelled(await loadSentenceFiles(records, { tokenizer, wholeWords: false, columns }))).toEqual([
      ['sea .', 'the ship .'],
      ['ship ##s .'],
    ])
  })

  it('know what is of one word: pieces, and in Chinese the words of a dictionary', async () => {
    const file = write('a.txt', 'The ships sang. 自然语言很美。\n')
    const store = await loadSentenceFiles(file, { tokenizer, wholeWords: true })
    expect(spelled(store)).toEqual([['the ship ##s sang .', '自 然 语 言 很 美 。']])
    const { goesOn } = store.tokens(0, store.length)
    const segmenter = new Intl.Segmenter('zh', { granularity: 'word' })
    const chinese = Array.from(segmenter.segment('自然语言很美。'), ({ segment }) => segment)
    expect(chinese).toContain('自然')
    const flags = chinese.flatMap((word) => [...word].map((_, i) => Number(i > 0)))
    expect(Array.from(goesOn ?? [])).toEqual([0, 0, 1, 0, 0, ...flags])
  })

  it('stand behind a blank where the vocabulary tells the difference', async () => {
    const special = ['<s>', '</s>', '<mask>']
    const json = await trainTokenizer(['ship ship ship ship'], {
      type: 'bpe',
      vocabularySize: 265,
      specialTokens: special,
    })
    const bytes = createTokenizer(json)
    const file = write('a.txt', 'ship\nship\n\nship\n')
    const store = await loadSentenceFiles(file, { tokenizer: bytes, wholeWords: false })
    expect(spelled(store, bytes)).toEqual([['Ġship', 'Ġship'], ['Ġship']])
  })

  it('are kept in the cache, apart from those with words', async () => {
    const file = write('a.txt', manyDocuments(3))
    const cache = { directory: join(folder, 'cache'), cacheFrom: 0 }
    for (const wholeWords of [false, true, false, true]) {
      const store = await loadSentenceFiles(file, { tokenizer, wholeWords }, cache)
      expect(spelled(store)).toEqual(Array.from({ length: 3 }, () => ['the sea sang .', 'the ship ##s .']))
      expect(store.tokens(0, 2).goesOn !== undefined).toBe(wholeWords)
    }
  })

  it('are texts of documents for a tokenizer that is to be trained', async () => {
    const file = write('a.txt', 'The sea.\nThe ship.\n\nThe ships.')
    const found: unknown[] = []
    for await (const document of sentenceDocuments({ train: file })) found.push(document)
    expect(found).toEqual([
      { text: 'The sea. The ship.', ends: true },
      { text: 'The ships.', ends: true },
    ])
  })
})

describe('sentences to train and to validate on', () => {
  it('are the last tenth of the documents', async () => {
    const { train, validation } = await load({ train: write('a.txt', manyDocuments(40)) })
    expect([train.documents, validation.documents]).toEqual([36, 4])
  })

  it('are the last tenth of the sentences of a single document', async () => {
    const { train, validation } = await load({ train: write('a.txt', 'The sea.\n'.repeat(30)) })
    expect([train, validation].map((store) => spelled(store).map(({ length }) => length))).toEqual([[27], [3]])
  })

  it('are as many documents as are needed', async () => {
    const { train, validation } = await load({ train: write('a.txt', manyDocuments(5)) }, { documentsNeeded: 2 })
    expect([train.documents, validation.documents]).toEqual([3, 2])
  })

  it('come from files of their own, up to a number of tokens', async () => {
    const data = { train: write('a.txt', manyDocuments(5)), validation: write('b.txt', manyDocuments(9)) }
    const { train, validation } = await load({ ...data, validationTokens: 30 })
    expect([train.documents, validation.documents]).toEqual([5, 3])
  })

  it.each<[string, string, number, RegExp]>([
    ['too few documents', manyDocuments(3), 2, /a\.txt: expected at least 4 documents, got 3; .*blank lines/],
    ['nothing', '\n\n', 1, /a\.txt: expected text/],
    ['one sentence', 'The sea.', 1, /a\.txt: expected text, at least two sentences/],
  ])('are refused: %s', async (_what, content, documentsNeeded, message) => {
    const refused = load({ train: write('a.txt', content) }, { documentsNeeded })
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.toThrow(DataError)
  })

  it('need a tokenizer with a separator, or with an end of texts to part documents', async () => {
    const tokenizerWith = async (token: string) =>
      createTokenizer(await trainTokenizer(['abc'], { type: 'bpe', vocabularySize: 257, specialTokens: [token] }))
    const data = { train: write('a.txt', manyDocuments(5)) }
    await expect(load(data, { tokenizer: await tokenizerWith('<other>') })).rejects.toThrow(/separator/)
    const { train, validation } = await load(data, { tokenizer: await tokenizerWith('</s>') })
    expect([train.documents, validation.documents]).toEqual([4, 1])
  })
})
