import fc from 'fast-check'
import { Tokenizer as NativeTokenizer } from 'tokenizers'
import { describe, expect, it } from 'vitest'
import { TokenizerError } from '../errors.js'
import { CharacterTokenizer, trainCharacterTokenizer } from './characters.js'
import { createTokenizer } from './node.js'

const source = 'First Citizen:\r\n\tBefore we proceed 中文，😀👍🏽 e\u0301 3.14 "\\'
const json = trainCharacterTokenizer(source, ['<|endoftext|>'])
const tokenizer = new CharacterTokenizer(json)

// Python's tokenizers 0.23.3: Tokenizer.from_file(…).encode(text).ids, on the file that trainCharacterTokenizer wrote for
// `source`; its decode(ids, skip_special_tokens=False) gives the texts back (Z as <unk>), its vocabulary size is 36.
const golden: [text: string, ids: number[]][] = [
  ['Be\r\n fore\t中文，😀👍🏽e\u0301', [12, 18, 4, 3, 5, 19, 22, 24, 18, 2, 30, 31, 32, 35, 34, 33, 18, 29]],
  ['', []],
  [' \n\n ', [5, 3, 3, 5]],
  ['fooZ<unk>f<|endoftext|>o', [19, 22, 22, 0, 0, 19, 1, 22]],
  ['3.14\\"', [9, 7, 8, 10, 15, 6]],
]

describe('character tokenizer', () => {
  it.each(golden)("encodes %j like Python's tokenizers", async (text, ids) => {
    expect((await tokenizer.encode(text)).ids).toEqual(ids)
    expect([...(await tokenizer.encodeToArray(text))]).toEqual(ids)
    expect(tokenizer.decode(ids)).toBe(text.replace('Z', '<unk>'))
    expect(tokenizer.vocabularySize).toBe(36)
  })

  it('equals the native library in ids, tokens, offsets and decoding, for any text', async () => {
    const native = NativeTokenizer.fromString(json)
    const piece = fc.constantFrom(...source, 'Z', '文', '🧵', '<unk>', '<|endoftext|>', '<', '|>', '\u0301')
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), fc.boolean(), async (pieces, skipSpecialTokens) => {
        const text = pieces.join('')
        const expected = await native.encode(text)
        const { ids, tokens, offsets } = await tokenizer.encode(text)
        expect(ids).toEqual(expected.getIds())
        expect(tokens).toEqual(expected.getTokens())
        const characters = [...text]
        const sources = expected.getOffsets().map(([start, end]) => characters.slice(start, end).join(''))
        expect(offsets.map(([start, end]) => text.slice(start, end))).toEqual(sources)
        expect(tokenizer.decode(ids, { skipSpecialTokens })).toBe(await native.decode(ids, skipSpecialTokens))
      }),
    )
  })

  it('numbers <unk>, the special tokens and then the characters in code point order', () => {
    const small = new CharacterTokenizer(trainCharacterTokenizer('b😀a\uFF0C\na', ['</s>']))
    const tokens = [...Array(small.vocabularySize).keys()].map((id) => small.idToToken(id))
    expect(tokens).toEqual(['<unk>', '</s>', '\n', 'a', 'b', '\uFF0C', '😀'])
    expect(small.tokenToId('😀')).toBe(6)
    expect([small.tokenToId('c'), small.idToToken(7)]).toEqual([undefined, undefined])
    expect([small.eosTokenId, tokenizer.eosTokenId]).toEqual([1, 1])
    expect(new CharacterTokenizer(trainCharacterTokenizer('ab')).eosTokenId).toBeUndefined()
  })

  it('encodes each of several texts', async () => {
    const encodings = await tokenizer.encodeBatch(golden.map(([text]) => text))
    expect(encodings.map(({ ids }) => ids)).toEqual(golden.map(([, ids]) => ids))
  })

  it('is what tokenizer.json becomes when opened, and gives its text back', () => {
    expect(createTokenizer(json)).toBeInstanceOf(CharacterTokenizer)
    expect(createTokenizer(json).toJSON()).toBe(json)
  })

  it('names the first unknown character and its position where the unknown token is not wanted', async () => {
    const text = '😀 e <unk>🧵Z'
    const attempt = tokenizer.encodeToArray(text, { onUnknown: 'error' })
    await expect(attempt).rejects.toThrow(TokenizerError)
    await expect(attempt).rejects.toThrow(/"🧵" \(U\+1F9F5\) at position 10/)
    await expect(tokenizer.encode(text, { onUnknown: 'error' })).rejects.toThrow(/at position 10/)
    expect((await tokenizer.encode('😀 e <unk>', { onUnknown: 'error' })).ids).toHaveLength(5)
  })

  it.each([
    ['half a surrogate pair', () => trainCharacterTokenizer('ab\ud83dc'), /U\+D83D\) at position 2/],
    ['a special token twice', () => trainCharacterTokenizer('ab', ['<s>', '<s>']), /differ/],
    ['a special token that is a character', () => trainCharacterTokenizer('ab', ['a']), /differ/],
    [
      'another kind of tokenizer',
      () => new CharacterTokenizer(json.replace('"Isolated"', '"Removed"')),
      /one token a character/,
    ],
  ])('refuses %s', (_name, make, message) => {
    expect(make).toThrow(TokenizerError)
    expect(make).toThrow(message)
  })
})
