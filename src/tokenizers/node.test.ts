import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TokenizerError } from '../errors.js'
import { CharacterTokenizer, trainCharacterTokenizer } from './characters.js'
import { JavaScriptTokenizer } from './javascript.js'
import { NativeTokenizer } from './native.js'
import { createTokenizer, loadTokenizer } from './node.js'
import type { Tokenizer } from './tokenizer.js'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'heddle-tokenizers-'))
})
afterAll(() => rm(directory, { recursive: true }))

async function checkpoint(files: Record<string, string>): Promise<string> {
  const path = await mkdtemp(join(directory, 'checkpoint-'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return path
}

/** A small cased WordPiece tokenizer with BERT's template, saved with padding and truncation as checkpoints often are. */
function wordPiece(): string {
  const vocab = Object.fromEntries(
    ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'he', '##ddle', '😀', '中', 'cafe', 'we', '##ave', '.'].map((token, id) => [
      token,
      id,
    ]),
  )
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]']
  const added = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  const template = (id: string) => ({ SpecialToken: { id, type_id: 0 } })
  return JSON.stringify({
    version: '1.0',
    truncation: { direction: 'Right', max_length: 4, strategy: 'LongestFirst', stride: 0 },
    padding: {
      strategy: { Fixed: 16 },
      direction: 'Right',
      pad_to_multiple_of: null,
      pad_id: 0,
      pad_type_id: 0,
      pad_token: '[PAD]',
    },
    added_tokens: special.map((content) => ({ id: vocab[content], content, ...added })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: true,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [template('[CLS]'), { Sequence: { id: 'A', type_id: 0 } }, template('[SEP]')],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: {
        '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
        '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
      },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      vocab,
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
    },
  })
}

describe.each<[name: string, tokenizer: Tokenizer]>([
  ['JavaScript', createTokenizer(wordPiece())],
  ['native', new NativeTokenizer(wordPiece())],
])('a tokenizer in %s code', (_name, tokenizer) => {
  it('encodes with offsets in UTF-16 units of the original text, without the file’s padding and truncation', async () => {
    const text = '😀 Heddle中café weave. '
    const { ids, tokens, offsets } = await tokenizer.encode(text)
    expect(tokens).toEqual(['[CLS]', '😀', 'he', '##ddle', '中', 'cafe', 'we', '##ave', '.', '[SEP]'])
    expect(ids).toEqual([2, 6, 4, 5, 7, 8, 9, 10, 11, 3])
    const sources = ['', '😀', 'He', 'ddle', '中', 'café', 'we', 'ave', '.', '']
    expect(offsets.map(([start, end]) => text.slice(start, end))).toEqual(sources)
    expect(offsets[2]).toEqual([3, 5])
  })

  it('leaves special tokens out where asked', async () => {
    expect((await tokenizer.encode('heddle.', { addSpecialTokens: false })).ids).toEqual([4, 5, 11])
    expect([...(await tokenizer.encodeToArray('heddle.', { addSpecialTokens: false }))]).toEqual([4, 5, 11])
    expect([...(await tokenizer.encodeToArray('heddle.'))]).toEqual([2, 4, 5, 11, 3])
    expect(tokenizer.decode([2, 4, 5, 11, 3, 0], { skipSpecialTokens: true })).toBe('heddle.')
    expect(tokenizer.decode(Uint32Array.of(2, 4, 5, 11, 3))).toBe('[CLS] heddle. [SEP]')
    expect(tokenizer.decode([4, 999, 5])).toBe('heddle')
    expect(tokenizer.decode([])).toBe('')
  })

  it('encodes batches as it encodes one by one', async () => {
    const texts = ['heddle', '', '中 😀😀 weave']
    const together = await tokenizer.encodeBatch(texts)
    expect(together).toEqual(await Promise.all(texts.map((text) => tokenizer.encode(text))))
    expect(together[1].ids).toEqual([2, 3])
  })

  it('looks tokens up', () => {
    expect([tokenizer.tokenToId('##ddle'), tokenizer.tokenToId('ddle')]).toEqual([5, undefined])
    expect([tokenizer.idToToken(5), tokenizer.idToToken(12)]).toEqual(['##ddle', undefined])
    expect([tokenizer.vocabularySize, tokenizer.eosTokenId]).toEqual([12, undefined])
    expect(tokenizer.toJSON()).toBe(wordPiece())
  })

  it('says where unknown text is when asked, not where the text spells the unknown token', async () => {
    expect((await tokenizer.encode('we weave [UNK] 文', { addSpecialTokens: false })).ids).toEqual([9, 9, 10, 1, 1])
    for (const attempt of [
      () => tokenizer.encode('😀 [UNK] 文', { onUnknown: 'error' }),
      () => tokenizer.encodeToArray('😀 [UNK] 文', { onUnknown: 'error' }),
      () => tokenizer.encodeBatch(['we', '😀 [UNK] 文'], { onUnknown: 'error' }),
    ]) {
      await expect(attempt()).rejects.toThrow(TokenizerError)
      await expect(attempt()).rejects.toThrow(/"文" \(U\+6587\) at position 9/)
    }
    expect((await tokenizer.encode('😀 [UNK]', { onUnknown: 'error' })).ids).toEqual([2, 6, 1, 3])
  })
})

describe('loadTokenizer', () => {
  const twoFiles = {
    vocabulary: JSON.stringify({ a: 0, b: 1, ab: 2, '<|endoftext|>': 3 }),
    merges: '#version: 0.2\na b\n',
  }

  it.each([
    ['vocab.json', 'merges.txt'],
    ['encoder.json', 'vocab.bpe'],
  ])('opens %s with %s', async (vocabulary, merges) => {
    const path = await checkpoint({ [vocabulary]: twoFiles.vocabulary, [merges]: twoFiles.merges })
    const tokenizer = await loadTokenizer(path)
    expect((await tokenizer.encode('abba<|endoftext|>')).ids).toEqual([2, 1, 0, 3])
    expect(tokenizer.eosTokenId).toBe(3)
    expect(
      await (await loadTokenizer(await checkpoint({ 'tokenizer.json': tokenizer.toJSON() }))).encode('aab'),
    ).toEqual(await tokenizer.encode('aab'))
  })

  const vocabulary = (...tokens: string[]) => `[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n${tokens.join('\n')}\n`

  it('opens vocab.txt alone as BERT’s, ignoring upper case where it has none', async () => {
    const uncased = await loadTokenizer(await checkpoint({ 'vocab.txt': vocabulary('he', '##ddle', '中', 'cafe') }))
    const { ids, tokens } = await uncased.encode('Heddle 中café [MASK]x')
    expect(ids).toEqual([2, 5, 6, 7, 8, 4, 1, 3])
    expect(tokens).toEqual(['[CLS]', 'he', '##ddle', '中', 'cafe', '[MASK]', '[UNK]', '[SEP]'])
    const cased = await loadTokenizer(
      await checkpoint({ 'vocab.txt': vocabulary('he', '##ddle', 'He').replaceAll('\n', '\r\n') }),
    )
    expect((await cased.encode('Heddle heddle')).ids).toEqual([2, 7, 6, 5, 6, 3])
    expect([uncased.vocabularySize, cased.vocabularySize]).toEqual([9, 8])
  })

  it('lets tokenizer_config.json decide on upper case', async () => {
    const config = JSON.stringify({ do_lower_case: false, eos_token: '[SEP]' })
    const path = await checkpoint({ 'vocab.txt': vocabulary('he'), 'tokenizer_config.json': config })
    const tokenizer = await loadTokenizer(path)
    expect((await tokenizer.encode('He he', { addSpecialTokens: false })).ids).toEqual([1, 5])
    expect(tokenizer.eosTokenId).toBe(3)
  })

  it('lets tokenizer_config.json decide on accents and Chinese characters', async () => {
    const config = JSON.stringify({ do_lower_case: true, strip_accents: false, tokenize_chinese_chars: false })
    const files = { 'vocab.txt': vocabulary('é', '中文'), 'tokenizer_config.json': config }
    const { ids } = await (await loadTokenizer(await checkpoint(files))).encode('É e\u0301 中文 中')
    expect(ids).toEqual([2, 5, 1, 6, 1, 3])
  })

  it('takes no capital letters from names such as <S>', async () => {
    const tokenizer = await loadTokenizer(await checkpoint({ 'vocab.txt': vocabulary('<S>', 'he') }))
    expect((await tokenizer.encode('HE')).tokens).toEqual(['[CLS]', 'he', '[SEP]'])
  })

  it('takes native code where JavaScript would be slower, or another', () => {
    expect(createTokenizer(wordPiece())).toBeInstanceOf(JavaScriptTokenizer)
    for (const change of [
      { normalizer: { type: 'StripAccents' } },
      { pre_tokenizer: { type: 'Whitespace' } },
      { post_processor: { type: 'Sequence', processors: [] } },
    ]) {
      expect(createTokenizer(JSON.stringify({ ...JSON.parse(wordPiece()), ...change }))).toBeInstanceOf(NativeTokenizer)
    }
  })

  it('opens the tables of SentencePiece, and refuses damaged ones', async () => {
    const withMap = (bytes: number[]) => {
      const normalizer = { type: 'Precompiled', precompiled_charsmap: Buffer.from(bytes).toString('base64') }
      return JSON.stringify({ ...JSON.parse(wordPiece()), normalizer: { type: 'Sequence', normalizers: [normalizer] } })
    }
    // A trie of 256 empty units knows no character.
    const empty = [0, 4, 0, 0, ...new Array(1024).fill(0), 0]
    expect((await createTokenizer(withMap(empty)).encode('heddle', { addSpecialTokens: false })).ids).toEqual([4, 5])
    for (const damaged of [[], [0, 4, 0, 0, 1], [3, 0, 0, 0, 1, 2, 3, 4]]) {
      expect(() => createTokenizer(withMap(damaged))).toThrow(/precompiled_charsmap is damaged/)
    }
  })

  it.each([
    ['tokenizer_config.json', { eos_token: '[SEP]' }],
    ['tokenizer_config.json', { eos_token: { content: '[SEP]', lstrip: false } }],
    ['special_tokens_map.json', { eos_token: '[SEP]' }],
  ])('takes the end token from %s %j', async (name, config) => {
    const path = await checkpoint({ 'tokenizer.json': wordPiece(), [name]: JSON.stringify(config) })
    expect((await loadTokenizer(path)).eosTokenId).toBe(3)
  })

  it('takes special tokens by their parts, from the first file that names them', async () => {
    const path = await checkpoint({
      'tokenizer.json': wordPiece(),
      'tokenizer_config.json': JSON.stringify({ mask_token: { content: '.' }, bos_token: null, sep_token: 7 }),
      'special_tokens_map.json': JSON.stringify({ mask_token: 'we', bos_token: '[CLS]', cls_token: 'he' }),
    })
    const { specialTokens } = await loadTokenizer(path)
    expect(specialTokens).toEqual({
      mask: { token: '.', id: 11 },
      bos: { token: '[CLS]', id: 2 },
      cls: { token: 'he', id: 4 },
      sep: { token: '[SEP]', id: 3 },
      pad: { token: '[PAD]', id: 0 },
      unknown: { token: '[UNK]', id: 1 },
    })
  })

  it('opens character tokenizers, with a configured end token', async () => {
    const json = trainCharacterTokenizer('ab', ['<end>'])
    const config = JSON.stringify({ eos_token: '<end>' })
    const tokenizer = await loadTokenizer(await checkpoint({ 'tokenizer.json': json, 'tokenizer_config.json': config }))
    expect(tokenizer).toBeInstanceOf(CharacterTokenizer)
    expect(tokenizer.eosTokenId).toBe(1)
  })

  it.each([
    ['no files', {}, /expected tokenizer.json, vocab.json with merges.txt, or vocab.txt, found none/],
    [
      'a list of tokens that is none of BERT’s',
      { 'vocab.txt': 'a\n[UNK]\n' },
      /vocab.txt: expected a line for each token, with \[CLS\], \[SEP\]/,
    ],
    ['a token twice', { 'vocab.txt': '[UNK]\n[CLS]\n[SEP]\na\nb\na\n' }, /vocab.txt:6: the token "a" is there twice/],
    ['half of a file', { 'tokenizer.json': wordPiece().slice(0, 300) }, /tokenizer.json: expected JSON.*damaged/],
    ['another JSON file', { 'tokenizer.json': '{"n_ctx": 1024}' }, /not a tokenizer.json: model/],
    ['an unknown model', { 'tokenizer.json': '{"version":"1.0","model":{"type":"Nope","vocab":{}}}' }, /not a usable/],
    [
      'a damaged configuration',
      { 'tokenizer.json': wordPiece(), 'tokenizer_config.json': '{' },
      /config.json: expected JSON/,
    ],
    ['a vocabulary without merges', { 'vocab.json': '{}' }, /expected tokenizer.json/],
    [
      'merges of unknown tokens',
      { 'vocab.json': twoFiles.vocabulary, 'merges.txt': 'b a\n' },
      /merges of two tokens.*"b a"/,
    ],
    ['ids that are no numbers', { 'vocab.json': '{"a": "0"}', 'merges.txt': '' }, /whole number as id of "a"/],
  ])('refuses %s', async (_name, files, message) => {
    const attempt = loadTokenizer(await checkpoint(files))
    await expect(attempt).rejects.toThrow(TokenizerError)
    await expect(attempt).rejects.toThrow(message)
  })
})

const data = process.env.HEDDLE_DATA
const golden = join(data ?? '', 'golden/tokenizer')
const hasData = data !== undefined && existsSync(golden)

async function goldenCases(name: string): Promise<{ text: string; ids: number[] }[]> {
  const texts = (await readFile(join(golden, `ggml-vocab-${name}.gguf.inp`), 'utf8')).split('\n__ggml_vocab_test__\n')
  const lines = (await readFile(join(golden, `ggml-vocab-${name}.gguf.out`), 'utf8')).split('\n')
  return texts.map((text, i) => ({ text, ids: lines[i].split(' ').filter(Boolean).map(Number) }))
}

describe.skipIf(!hasData)('real vocabularies (needs HEDDLE_DATA with golden/tokenizer and tokenizers)', () => {
  let gpt2: Tokenizer
  beforeAll(async () => {
    gpt2 = await loadTokenizer(join(data ?? '', 'tokenizers/gpt2'))
  })

  it('GPT-2 encodes the golden texts to the golden ids and back', async () => {
    const cases = await goldenCases('gpt-2')
    expect(cases.length).toBeGreaterThan(40)
    for (const { text, ids } of cases) {
      const encoding = await gpt2.encode(text)
      expect(encoding.ids, JSON.stringify(text)).toEqual(ids)
      expect(gpt2.decode(ids)).toBe(text)
      expect(encoding.offsets.at(-1)?.[1] ?? 0).toBe(text.length)
    }
    expect([gpt2.vocabularySize, gpt2.eosTokenId]).toEqual([50257, 50256])
  })

  it('GPT-2’s vocab.json and merges.txt are the same tokenizer under their other names', async () => {
    const path = await checkpoint({})
    await copyFile(join(data ?? '', 'tokenizers/gpt2/encoder.json'), join(path, 'vocab.json'))
    await copyFile(join(data ?? '', 'tokenizers/gpt2/vocab.bpe'), join(path, 'merges.txt'))
    expect((await loadTokenizer(path)).toJSON()).toBe(gpt2.toJSON())
  })

  it('BERT’s vocab.txt alone is the same tokenizer as its tokenizer.json', async () => {
    const path = await checkpoint({})
    await copyFile(join(data ?? '', 'tokenizers/bert-base-uncased/vocab.txt'), join(path, 'vocab.txt'))
    const json = JSON.parse((await loadTokenizer(path)).toJSON())
    const published = JSON.parse(
      await readFile(join(data ?? '', 'tokenizers/bert-base-uncased/tokenizer.json'), 'utf8'),
    )
    expect(json).toEqual({ ...published, truncation: null, padding: null })
  })

  it('BERT encodes the golden texts to the golden ids', async () => {
    const bert = await loadTokenizer(join(data ?? '', 'tokenizers/bert-base-uncased'))
    const cases = await goldenCases('bert-bge')
    expect(cases.length).toBeGreaterThan(40)
    for (const { text, ids } of cases) {
      expect((await bert.encode(text, { addSpecialTokens: false })).ids, JSON.stringify(text)).toEqual(ids)
    }
  })

  it('tinyshakespeare by characters: 65 and <unk>, and back', async () => {
    const text = await readFile(join(data ?? '', 'lm/tinyshakespeare.txt'), 'utf8')
    const tokenizer = createTokenizer(trainCharacterTokenizer(text))
    expect(tokenizer.vocabularySize).toBe(66)
    const ids = await tokenizer.encodeToArray(text, { onUnknown: 'error' })
    expect(ids).toHaveLength(1115394)
    expect(tokenizer.decode(ids)).toBe(text)
  })
})
