import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { DataError, HeddleError } from '../errors.js'
import { CharacterTokenizer, trainCharacterTokenizer } from '../tokenizers/characters.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { cacheDirectory } from './cache-directory.js'
import { loadCorpus } from './corpus.js'
import { tokenizeFiles } from './token-cache.js'
import type { TokenStore } from './token-store.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-corpus-'))
const directory = join(folder, 'cache')
beforeEach(() => rmSync(directory, { recursive: true, force: true }))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

const alphabet = [...'0123456789abcdefghijklmnopqrstuvwxyz \n🧵、'].join('')
const plain = new CharacterTokenizer(trainCharacterTokenizer(alphabet))
const withEnd = new CharacterTokenizer(trainCharacterTokenizer(alphabet, ['<|endoftext|>']))

/** The documents of a store as text, `|` for the end-of-sequence token. */
function texts(store: TokenStore, tokenizer: Tokenizer): string[] {
  const starts = store.documentStarts(0, store.documents + 1)
  return Array.from({ length: store.documents }, (_, i) => {
    const ids = Uint32Array.from(store.read(starts[i], starts[i + 1] - starts[i]))
    return tokenizer.decode(ids).replaceAll('<|endoftext|>', '|')
  })
}

async function load(data: Parameters<typeof loadCorpus>[0], tokenizer: Tokenizer = plain) {
  const { train, validation } = await loadCorpus(data, tokenizer, { directory })
  return { train: texts(train, tokenizer), validation: texts(validation, tokenizer) }
}

describe('loadCorpus', () => {
  it('splits off the last tenth of the characters of one text', async () => {
    const train = write('one.txt', '0123456789abcdefghi')
    expect(await load({ train })).toEqual({ train: ['0123456789abcdefg'], validation: ['hi'] }) // ⌊17.1⌋ = 17
    expect(await load({ train }, withEnd)).toEqual({ train: ['0123456789abcdefg'], validation: ['hi'] })
    const thread = write('thread.txt.gz', gzipSync('01234567\u{1f9f5}'))
    expect(await load({ train: thread })).toEqual({ train: ['01234567'], validation: ['\u{1f9f5}'] })
  })

  it('takes validation from files of its own', async () => {
    const train = write('one.txt', '0123456789')
    expect(await load({ train, validation: write('other.txt', 'other') })).toEqual({
      train: ['0123456789'],
      validation: ['other'],
    })
  })

  it('splits off the last tenth of the documents, at least one, and ends each document', async () => {
    const lines = Array.from({ length: 25 }, (_, i) => `${i}`)
    const train = write('lines.jsonl', lines.map((line) => JSON.stringify(line)).join('\n'))
    expect(await load({ train })).toEqual({ train: lines.slice(0, 23), validation: ['23', '24'] })
    expect((await load({ train }, withEnd)).validation).toEqual(['23|', '24|'])
    const files = ['b', 'a', 'c'].map((name) => write(`part-${name}.txt`, `text ${name}`))
    expect(await load({ train: files }, withEnd)).toEqual({ train: ['text b|', 'text a|'], validation: ['text c|'] })
    expect(await load({ train: join(folder, 'part-*.txt') })).toEqual({
      train: ['text a', 'text b'],
      validation: ['text c'],
    })
  })

  it('takes the text from a column by name or position', async () => {
    const train = write('table.csv', 'label,body\n1,one\n0,two\n')
    expect(await load({ train, columns: { text: 'body' } })).toEqual({ train: ['one'], validation: ['two'] })
    const bare = write('bare.csv', '1,one\n0,two\n')
    expect(await load({ train: bare, columns: { text: 1 } })).toEqual({ train: ['one'], validation: ['two'] })
    expect(await load({ train: bare, format: 'lines' })).toEqual({ train: ['1<unk>one'], validation: ['0<unk>two'] })
  })

  it('validates on no more tokens than asked for', async () => {
    const train = write('one.txt', '0123456789abcdefghij'.repeat(10))
    expect((await load({ train, validationTokens: 7 })).validation).toEqual(['0123456'])
  })

  it('refuses what cannot be split', async () => {
    await expect(load({ train: write('tiny.txt', 'x') })).rejects.toThrow(
      'tiny.txt: 1 tokens are too few to split off a tenth for validation',
    )
    await expect(load({ train: write('tiny.jsonl', '"x"') })).rejects.toThrow('tiny.jsonl: 1 document are too few')
    await expect(load({ train: join(folder, 'none.txt') })).rejects.toThrow(DataError)
  })

  const real = process.env.HEDDLE_DATA
  it.skipIf(!real)('splits Tiny Shakespeare as nanoGPT does (skipped where HEDDLE_DATA is not set)', async () => {
    const file = join(real ?? '', 'lm/tinyshakespeare.txt')
    const tokenizer = new CharacterTokenizer(trainCharacterTokenizer(readFileSync(file, 'utf8')))
    const { train, validation } = await loadCorpus({ train: file }, tokenizer)
    expect([train.length, validation.length]).toEqual([1_003_854, 111_540])
  })
})

describe('the token cache', () => {
  /** A tokenizer that counts how often it is used. */
  function counting(tokenizer: Tokenizer) {
    let calls = 0
    const encodeToArray: Tokenizer['encodeToArray'] = (text, options) => {
      calls++
      return tokenizer.encodeToArray(text, options)
    }
    const methods = { toJSON: () => tokenizer.toJSON(), vocabularySize: tokenizer.vocabularySize }
    const counted: Tokenizer = Object.assign(Object.create(tokenizer), methods, { encodeToArray })
    return { tokenizer: counted, calls: () => calls }
  }

  const cached = { directory, cacheFrom: 0 }
  const source = (files: string[], tokenizer: Tokenizer) => ({ files, tokenizer, endDocuments: true })
  const contents = () => readdirSync(directory).map((name) => join(directory, name))

  it.each([0, 1e9])('keeps tokens for the next time (memory limit %d)', async (memoryLimit) => {
    const files = [write('a.jsonl', '"one"\n"two"'), write('b.txt', 'three')]
    const { tokenizer, calls } = counting(plain)
    for (const expectedCalls of [3, 3]) {
      const store = await tokenizeFiles(source(files, tokenizer), { ...cached, memoryLimit })
      expect(texts(store, plain)).toEqual(['one', 'two', 'three'])
      expect(calls()).toBe(expectedCalls)
      store.close()
    }
  })

  it('tokenizes again when content, tokenizer or options are others', async () => {
    const file = write('a.jsonl', '"one"\n"two"')
    const { tokenizer, calls } = counting(plain)
    const found: string[][] = []
    const load = async (options: object = {}) => {
      found.push(texts(await tokenizeFiles({ ...source([file], tokenizer), ...options }, cached), plain))
    }
    await load()
    await load({ format: 'lines' })
    await load({ format: 'text', cutAt: 0.5 })
    write('a.jsonl', '"one"\n"too"')
    await load()
    await load()
    expect(found).toEqual([
      ['one', 'two'],
      ['one', 'two'].map((text) => `<unk>${text}<unk>`),
      ['<unk>one<unk>', '\n<unk>two<unk>'],
      ['one', 'too'],
      ['one', 'too'],
    ])
    expect(calls()).toBe(8)
    expect(texts(await tokenizeFiles(source([file], withEnd), cached), withEnd)).toEqual(['one|', 'too|'])
    expect(contents()).toHaveLength(5)
  })

  it('makes a damaged file anew', async () => {
    const file = write('a.txt', 'one two')
    const { tokenizer, calls } = counting(plain)
    await tokenizeFiles(source([file], tokenizer), cached)
    const [path] = contents()
    const whole = readFileSync(path)
    const damages = [
      whole.subarray(0, 70),
      Buffer.concat([whole.subarray(0, 65), Buffer.from('?'), whole.subarray(66)]),
      Buffer.of(),
    ]
    for (const [i, bytes] of damages.entries()) {
      writeFileSync(path, bytes)
      expect(texts(await tokenizeFiles(source([file], tokenizer), cached), plain)).toEqual(['one two'])
      expect(calls()).toBe(i + 2)
      expect(readFileSync(path)).toEqual(whole)
    }
  })

  it('is made by several at once without harm, and leaves nothing aside', async () => {
    const text = 'one two three\n'.repeat(30_000)
    const file = write('a.txt', text)
    const stores = await Promise.all(Array.from({ length: 4 }, () => tokenizeFiles(source([file], plain), cached)))
    for (const store of stores) expect(texts(store, plain)).toEqual([text])
    expect(contents()).toHaveLength(1)
  })

  it('removes what a failure left behind, and reports the failure', async () => {
    const file = write('a.jsonl', '"one"\n"two"\n{"text": 1}')
    await expect(tokenizeFiles(source([file], plain), cached)).rejects.toThrow('a.jsonl:3: expected a text')
    expect(contents()).toEqual([])
    const old = write('cache/x.tokens.1.tmp', 'left by a builder that was killed')
    utimesSync(old, 0, 0)
    const young = write('cache/y.tokens.1.tmp', 'being built')
    await tokenizeFiles(source([write('b.txt', 'one')], plain), cached)
    expect(contents()).toHaveLength(2)
    expect(contents()).toContain(young)
  })

  it('tells how far it is', async () => {
    const file = write('a.txt', 'one two three\n'.repeat(60_000))
    const seen: number[] = []
    await tokenizeFiles(source([file], plain), { ...cached, onProgress: ({ done, total }) => seen.push(done / total) })
    expect(seen.length).toBeGreaterThan(2)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(seen.at(-1)).toBe(1)
  })

  it('says where to keep tokens instead of a place that cannot be written', async () => {
    const file = write('a.txt', 'one')
    const blocked = tokenizeFiles(source([file], plain), { directory: join(file, 'sub'), cacheFrom: 0 })
    await expect(blocked).rejects.toThrow(HeddleError)
    await expect(blocked).rejects.toThrow(/^cannot keep tokens in .*a\.txt.sub: .*; HEDDLE_CACHE names another folder$/)
  })
})

describe('cacheDirectory', () => {
  it.each<[environment: Record<string, string>, platform: NodeJS.Platform, expected: string]>([
    [{ HEDDLE_CACHE: '/own', XDG_CACHE_HOME: '/xdg' }, 'linux', '/own'],
    [{ XDG_CACHE_HOME: '/xdg' }, 'linux', '/xdg/heddle'],
    [{ LOCALAPPDATA: '/local' }, 'win32', '/local/heddle'],
  ])('follows %j on %s', (environment, platform, expected) => {
    expect(cacheDirectory(environment, platform)).toBe(expected)
  })

  it("falls back on the home folder's", () => {
    expect(cacheDirectory({}, 'linux')).toMatch(/\.cache[/\\]heddle$/)
    expect(cacheDirectory({}, 'win32')).toMatch(/AppData[/\\]Local[/\\]heddle$/)
  })
})
