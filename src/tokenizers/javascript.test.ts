import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  bertNormalizer,
  bertPreTokenizer,
  byteLevelPreTokenizer,
  nfcNormalizer,
  nfdNormalizer,
  nfkcNormalizer,
  nfkdNormalizer,
} from 'tokenizers'
import { describe, expect, it } from 'vitest'
import { TokenizerError } from '../errors.js'
import { wordEnd } from './byte-level.js'
import { CharacterTokenizer, trainCharacterTokenizer } from './characters.js'
import { expectSameTokens, sources } from './conformance.testing.js'
import { createJavaScriptTokenizer, JavaScriptTokenizer } from './javascript.js'
import { NativeTokenizer } from './native.js'
import { loadTokenizer } from './node.js'
import { createNormalizer } from './normalizers.js'
import { forEachBertWord } from './pre-tokenizers.js'
import { sample } from './training/texts.testing.js'
import { trainTokenizer } from './training/train.js'

type Json = Record<string, unknown>

async function trained(type: 'bpe' | 'unigram' | 'wordpiece', vocabularySize = 320): Promise<Json> {
  return JSON.parse(await trainTokenizer([sample], { type, vocabularySize }))
}

/** A token that was added by hand. */
const added = (id: number, content: string, options: Json = {}) => ({
  ...{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
  ...options,
})

/** Byte-pair encoding over characters, with an unknown token and bytes, as in Llama 2. */
function withBytes(): Json {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, '▁', 'a', 't', 'h', 'e', 'th', 'the', '▁the', '中']
  return {
    version: '1.0',
    added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => added(id, content)),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      ...{ type: 'BPE', dropout: null, unk_token: '<unk>', fuse_unk: true, byte_fallback: true, ignore_merges: false },
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: ['t h', 'th e', '▁ the'],
    },
  }
}

/** Byte-level BPE with the words of GPT-4 and Llama 3. */
const gpt4Words = {
  type: 'Sequence',
  pretokenizers: [
    {
      type: 'Split',
      pattern: {
        Regex:
          "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      },
      behavior: 'Isolated',
      invert: false,
    },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
}

const gpt4 = 'byte-level BPE behind NFC, with words of GPT-4'

/** Tokenizers of all kinds, by what is special about them. */
const kinds: Record<string, () => Promise<Json>> = {
  'byte-level BPE that Heddle trained': () => trained('bpe'),
  'WordPiece that Heddle trained': () => trained('wordpiece', 160),
  'a unigram model that Heddle trained': () => trained('unigram', 160),
  'WordPiece with upper case': async () => ({
    ...(await trained('wordpiece', 160)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: false,
    },
  }),
  [gpt4]: async () => ({
    ...(await trained('bpe')),
    normalizer: { type: 'NFC' },
    pre_tokenizer: gpt4Words,
  }),
  'offsets without white space, as in RoBERTa, and tokens that take it': async () => ({
    ...(await trained('bpe')),
    added_tokens: [
      added(0, '<|endoftext|>'),
      added(320, '[MASK]', { lstrip: true }),
      added(321, 'ing', { special: false, rstrip: true, normalized: true }),
      added(322, 'Hello', { single_word: true }),
    ],
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'RobertaProcessing',
      sep: ['"', 2],
      cls: ['!', 1],
      trim_offsets: true,
      add_prefix_space: true,
    },
  }),
  'bytes for unknown characters, as in Llama 2': async () => withBytes(),
  'a unigram model without lines, behind more normalizers': async () => {
    const json = await trained('unigram', 160)
    const normalizers = [
      { type: 'Nmt' },
      { type: 'NFKC' },
      { type: 'Lowercase' },
      { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' },
      { type: 'Strip', strip_left: true, strip_right: true },
    ]
    const pre_tokenizer = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true }
    return { ...json, normalizer: { type: 'Sequence', normalizers }, pre_tokenizer }
  },
  'words and digits': async () => ({
    ...(await trained('wordpiece', 160)),
    normalizer: { type: 'NFD' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Whitespace' },
        { type: 'Digits', individual_digits: true },
        { type: 'Punctuation', behavior: 'MergedWithPrevious' },
      ],
    },
    post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
  }),
}

describe('JavaScriptTokenizer', () => {
  it.each(Object.entries(kinds))('equals the native library: %s', async (name, make) => {
    const json = JSON.stringify(await make())
    const tokenizers = [new JavaScriptTokenizer(json), new NativeTokenizer(json)] as const
    // The words of these are by tables of Unicode that JavaScript has in a newer version.
    const hasOwnWords = ['words and digits', gpt4].includes(name)
    await expectSameTokens(...tokenizers, { texts: [sample, '', ' '], anyCharacter: !hasOwnWords })
    // Their bytes are the same.
    if (name === gpt4) await expectSameTokens(...tokenizers, { words: false })
  })

  it('says where tokens come from, in UTF-16 units', async () => {
    const tokenizer = new JavaScriptTokenizer(JSON.stringify(await trained('wordpiece', 160)))
    const text = '🧵\u200d🧵 The\u0301 山x'
    const encoding = await tokenizer.encode(text, { addSpecialTokens: false })
    expect(sources(text, encoding)).toEqual(['🧵\u200d🧵', 'The', '山', 'x'])
    expect(encoding.tokens).toEqual(['[UNK]', 'the', '山', '[UNK]'])
  })

  it('says where unknown text is, far into a long one', async () => {
    const json = JSON.stringify(await trained('wordpiece', 160))
    const text = `${'the toves\n'.repeat(8000)}[UNK] 🧵`
    for (const tokenizer of [new JavaScriptTokenizer(json), new NativeTokenizer(json)]) {
      for (const attempt of [
        () => tokenizer.encode(text, { onUnknown: 'error' }),
        () => tokenizer.encodeToArray(text, { onUnknown: 'error' }),
        () => tokenizer.encodeBatch(['the', text], { onUnknown: 'error' }),
      ]) {
        await expect(attempt()).rejects.toThrow(/"🧵" \(U\+1F9F5\) at position 80006/)
      }
      expect(await tokenizer.encodeToArray(text.slice(0, -2), { onUnknown: 'error' })).toHaveLength(8000 * 2 + 3)
    }
  })

  it('remembers words without mixing them up', async () => {
    const tokenizer = new JavaScriptTokenizer(JSON.stringify(await trained('bpe')))
    const texts = Array.from({ length: 3000 }, (_, i) => ` w${i.toString(36)}`)
    const alone = await Promise.all(texts.map((text) => tokenizer.encodeToArray(text)))
    expect([...(await tokenizer.encodeToArray(texts.join('')))]).toEqual(alone.flatMap((ids) => [...ids]))
    expect(alone.map((ids) => tokenizer.decode(ids))).toEqual(texts)
  })

  it('encodes a word of any length', async () => {
    const json = JSON.stringify(await trained('bpe'))
    const text = 'thethatabab'.repeat(4000)
    const ids = [...(await new JavaScriptTokenizer(json).encodeToArray(text))]
    expect(ids).toEqual([...(await new NativeTokenizer(json).encodeToArray(text))])
  })

  it('is what any tokenizer.json becomes in a browser', async () => {
    expect(createJavaScriptTokenizer(JSON.stringify(await trained('bpe')))).toBeInstanceOf(JavaScriptTokenizer)
    expect(createJavaScriptTokenizer(trainCharacterTokenizer('ab'))).toBeInstanceOf(CharacterTokenizer)
  })

  it.each<[string, Json, RegExp]>([
    ['an unknown normalizer', { normalizer: { type: 'Nope' } }, /normalizer Nope is not available in JavaScript/],
    ['an unknown pre-tokenizer', { pre_tokenizer: { type: 'Nope' } }, /pre-tokenizer Nope is not available/],
    ['an unknown post-processor', { post_processor: { type: 'Nope' } }, /post-processor Nope is not available/],
    ['an unknown decoder', { decoder: { type: 'Nope' } }, /decoder Nope is not available/],
    [
      'another model',
      { model: { type: 'WordLevel', vocab: {} } },
      /BPE, Unigram or WordPiece in JavaScript, got WordLevel/,
    ],
    [
      'merges that lead nowhere',
      { model: { type: 'BPE', vocab: { a: 0, b: 1 }, merges: ['a b'] } },
      /merges of two tokens.*"a b"/,
    ],
    [
      'scores that are none',
      { model: { type: 'Unigram', unk_id: 0, vocab: [['a', '1']] } },
      /tokens with scores, got \["a","1"\] at 0/,
    ],
    [
      'a pattern that is none',
      { normalizer: { type: 'Replace', pattern: { Regex: '(' }, content: '' } },
      /pattern \{"Regex":"\("\} is not available/,
    ],
  ])('refuses %s', async (_name, change, message) => {
    const json = JSON.stringify({ ...(await trained('bpe')), ...change })
    expect(() => new JavaScriptTokenizer(json)).toThrow(TokenizerError)
    expect(() => new JavaScriptTokenizer(json)).toThrow(message)
  })
})

/** Every character of the planes that have some, but halves of pairs and line feeds, in groups that tests join. */
function* characterGroups(): Generator<string[]> {
  const size = 0x2000
  const starts = Array.from({ length: 0x34000 / size }, (_, i) => i * size)
  for (const start of [...starts, 0xe0000, 0xf0000, 0x10e000]) {
    const points = Array.from({ length: size }, (_, i) => start + i)
    const isCharacter = (point: number) =>
      point > 0 && point !== 0x0a && point !== 0x7c && (point < 0xd800 || point > 0xdfff)
    yield points.filter(isCharacter).map((point) => String.fromCodePoint(point))
  }
}

describe('every character of Unicode', () => {
  const bert = { clean_text: true, handle_chinese_chars: true, strip_accents: null }
  it.each([
    ['BERT, uncased', { type: 'BertNormalizer', ...bert, lowercase: true }, bertNormalizer()],
    ['BERT, cased', { type: 'BertNormalizer', ...bert, lowercase: false }, bertNormalizer({ lowercase: false })],
    ['NFC', { type: 'NFC' }, nfcNormalizer()],
    ['NFD', { type: 'NFD' }, nfdNormalizer()],
    ['NFKC', { type: 'NFKC' }, nfkcNormalizer()],
    ['NFKD', { type: 'NFKD' }, nfkdNormalizer()],
  ])('is normalized as by the native library: %s', (_name, json, native) => {
    const normalizer = createNormalizer(json)
    for (const group of characterGroups()) {
      const text = group.map((character) => `a${character}b`).join('|')
      const actual = normalizer.apply(text)
      const expected = native.normalizeString(text)
      if (actual !== expected) expect(actual.split('|')).toEqual(expected.split('|'))
    }
  })

  it('is split into words as by the native library: GPT-2', () => {
    const native = byteLevelPreTokenizer(false, true)
    for (const group of characterGroups()) {
      // Beside a letter, a digit and a sign its class shows; blanks end the words around it.
      const text = group.map((character) => `a${character} 1${character} !${character} x`).join(' ')
      const ends: number[] = []
      for (let end = 0; end < text.length; ) {
        end = wordEnd(text, end)
        ends.push(end)
      }
      const points = [...text]
      const unitOf = [0]
      for (const point of points) unitOf.push(unitOf[unitOf.length - 1] + point.length)
      expect(ends).toEqual(native.preTokenizeString(text).map(([, [, end]]) => unitOf[end]))
    }
  })

  it('is split into words as by the native library: BERT', () => {
    const native = bertPreTokenizer()
    for (const group of characterGroups()) {
      const text = group.map((character) => `a${character}b`).join(' ')
      const words: string[] = []
      forEachBertWord(text, (start, end) => words.push(text.slice(start, end)))
      const expected = native.preTokenizeString(text).map(([word]) => word)
      if (words.join('|') !== expected.join('|')) expect(words).toEqual(expected)
    }
  })
})

const data = process.env.HEDDLE_DATA
const hasData = data !== undefined && existsSync(join(data, 'tokenizers'))

describe.skipIf(!hasData)('real vocabularies (needs HEDDLE_DATA with tokenizers and golden/tokenizer)', () => {
  const golden = (name: string) =>
    readFileSync(join(data ?? '', `golden/tokenizer/ggml-vocab-${name}.gguf.inp`), 'utf8').split(
      '\n__ggml_vocab_test__\n',
    )

  it.each(['gpt2', 'bert-base-uncased', 'bert-base-chinese'])('equal the native library: %s', async (name) => {
    const json = (await loadTokenizer(join(data ?? '', 'tokenizers', name))).toJSON()
    const texts = [...golden('gpt-2'), ...golden('bert-bge'), sample]
    await expectSameTokens(new JavaScriptTokenizer(json), new NativeTokenizer(json), { texts })
  })

  it('encode whole files alike', async () => {
    const text = readFileSync(join(data ?? '', 'lm/tinyshakespeare.txt'), 'utf8').slice(0, 300_000)
    for (const name of ['gpt2', 'bert-base-uncased']) {
      const json = (await loadTokenizer(join(data ?? '', 'tokenizers', name))).toJSON()
      const native = new NativeTokenizer(json)
      const ids = await new JavaScriptTokenizer(json).encodeToArray(text)
      expect([...ids]).toEqual([...(await native.encodeToArray(text))])
      expect([...ids]).toEqual((await native.encode(text)).ids)
    }
  })
})
