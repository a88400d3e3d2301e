import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { JavaScriptTokenizer } from './javascript.js'
import { NativeTokenizer } from './native.js'
import { createTokenizer } from './node.js'
import { encodePairs } from './pairs.js'
import { bertTemplate, fromNative, letters, nativeLibrary } from './sequences.testing.js'
import type { Encoding, Tokenizer } from './tokenizer.js'
import { sample } from './training/texts.testing.js'
import { trainTokenizer } from './training/train.js'
import { encodeWords, encodeWordsBatch, segmentWords } from './words.js'

const json = letters({ post_processor: bertTemplate })

describe('encodeWords', () => {
  it.each<[string, Tokenizer]>([
    ['JavaScript', new JavaScriptTokenizer(JSON.stringify(json))],
    ['native', new NativeTokenizer(JSON.stringify(json))],
  ])('does what the native library does with each word: %s tokenizer', async (_name, tokenizer) => {
    const library = nativeLibrary(json)
    const word = fc.constantFrom('a', 'ABBB', 'a.b', 'xyz', '中a😀', '', '\u200b', ' ', 'a b', '[MASK]')
    const compare = async (words: string[]) => {
      const expected: Encoding = { ids: [], tokens: [], offsets: [], words: [] }
      for (const [index, text] of words.entries()) {
        const one = fromNative(await library.encode(text, null, { addSpecialTokens: false }), () => text)
        expected.ids.push(...one.ids)
        expected.tokens.push(...one.tokens)
        expected.offsets.push(...one.offsets)
        expected.words.push(...one.ids.map(() => index))
      }
      expect(await encodeWords(tokenizer, words, { addSpecialTokens: false })).toEqual(expected)
      const { ids, tokens, offsets, words: indices } = expected
      expect(await encodeWords(tokenizer, words)).toMatchObject({
        ids: [2, ...ids, 3],
        tokens: ['[CLS]', ...tokens, '[SEP]'],
        offsets: [[0, 0], ...offsets, [0, 0]],
        words: [-1, ...indices, -1],
      })
    }
    await fc.assert(fc.asyncProperty(fc.array(word, { maxLength: 6 }), compare), { numRuns: 100 })
  })

  it('gives words without text no token', async () => {
    const tokenizer = createTokenizer(JSON.stringify(json))
    const { words } = await encodeWords(tokenizer, ['ab', '\u200b', '', 'a'], { addSpecialTokens: false })
    expect(words).toEqual([0, 3])
  })

  it('says where unknown text is', async () => {
    const tokenizer = createTokenizer(JSON.stringify(json))
    await expect(encodeWords(tokenizer, ['a', '.xyz'], { onUnknown: 'error' })).rejects.toThrow(/"x".*at position 1/)
  })

  it('puts a blank in front of the words of a byte-level tokenizer, as in a text', async () => {
    const tokenizer = createTokenizer(await trainTokenizer([sample], { type: 'bpe', vocabularySize: 320 }))
    const given = ['the', 'Beware', '', ' that', '😀']
    const running = await tokenizer.encode(' the Beware that 😀')
    const { ids, words, offsets } = await encodeWords(tokenizer, given)
    expect(ids).toEqual(running.ids)
    const places = words.map((word, i) => given[word].slice(...offsets[i]))
    expect([...new Set(words)]).toEqual([0, 1, 3, 4])
    expect(places[0]).toBe('the')
    expect(places.at(-1)).toBe('😀')
    const bare = await encodeWords(tokenizer, given, { prefixSpace: false })
    const alone = await tokenizer.encodeBatch(given)
    expect(bare.ids).toEqual(alone.flatMap((one) => one.ids))
    expect(bare.offsets).toEqual(alone.flatMap((one) => one.offsets))
  })

  it('encodes many texts in one batch, and every word once', async () => {
    const tokenizer = createTokenizer(JSON.stringify(json))
    const sentences = [['a', 'ab'], [], ['ab', 'a', 'a'], ['x']]
    const alone = await Promise.all(sentences.map((words) => encodeWords(tokenizer, words)))
    const batch = vi.spyOn(tokenizer, 'encodeBatch')
    expect(await encodeWordsBatch(tokenizer, sentences)).toEqual(alone)
    expect(batch.mock.calls.map(([texts]) => texts)).toEqual([['a', 'ab', 'x']])
  })
})

describe('encodePairs', () => {
  it('encodes many texts in one batch, and every text once', async () => {
    const tokenizer = createTokenizer(JSON.stringify(json))
    const pairs = [['a', 'ab'], ['ab'], ['a.', 'a'], ['', '']] as const
    const alone = await Promise.all(pairs.map(async (pair) => (await encodePairs(tokenizer, [pair]))[0]))
    const batch = vi.spyOn(tokenizer, 'encodeBatch')
    const together = await encodePairs(tokenizer, pairs)
    expect(together).toEqual(alone)
    expect(together.map(({ ids }) => ids)).toEqual([
      [2, 5, 3, 7, 3],
      [2, 7, 3],
      [2, 5, 11, 3, 5, 3],
      [2, 3, 3],
    ])
    expect(batch.mock.calls.map(([texts]) => texts)).toEqual([['a', 'ab', 'a.', '']])
  })

  it('reports unknown text where asked', async () => {
    const tokenizer = createTokenizer(JSON.stringify(json))
    await expect(encodePairs(tokenizer, [['a', 'a z']], { onUnknown: 'error' })).rejects.toThrow(/"z".*at position 2/)
  })
})

describe('segmentWords', () => {
  const chinese = ['[UNK]', '[CLS]', '[SEP]', '我', '们', '在', '学', '习', '语', '言', '模', '型', 'be', '##rt', '。']
  const tokenizer = createTokenizer(
    JSON.stringify(
      letters({
        added_tokens: [],
        model: {
          type: 'WordPiece',
          unk_token: '[UNK]',
          vocab: Object.fromEntries(chinese.map((token, id) => [token, id])),
        },
      }),
    ),
  )

  it('groups the characters of Chinese words', async () => {
    const text = '我们在学习 BERT语言模型。x'
    const encoding = await tokenizer.encode(text)
    const grouped = segmentWords(text, encoding)
    expect(encoding.tokens).toEqual([...'我们在学习', 'be', '##rt', ...'语言模型。', '[UNK]'])
    expect(encoding.words).toEqual([0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11])
    // 我们|在|学习|BERT|语言|模型|。|x
    expect(grouped.words).toEqual([0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7])
    expect({ ...grouped, words: encoding.words }).toEqual(encoding)
  })

  it('keeps the words of the tokenizer together, and added tokens apart', async () => {
    const bert = createTokenizer(JSON.stringify(json))
    const text = 'abbb. ab'
    expect((await bert.encode(text)).words).toEqual([-1, 0, 0, 1, 2, -1])
    expect(segmentWords(text, await bert.encode(text), 'en').words).toEqual([-1, 0, 0, 1, 2, -1])
    expect(segmentWords('', await bert.encode('')).words).toEqual([-1, -1])
  })
})
