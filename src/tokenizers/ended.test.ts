import { describe, expect, it } from 'vitest'
import { TokenizerError } from '../errors.js'
import { trainCharacterTokenizer } from './characters.js'
import { encodeEnded, endedIds, endToken } from './ended.js'
import { createTokenizer } from './node.js'
import { wordPieceFromVocabulary } from './tokenizer-json.js'

const characters = createTokenizer(trainCharacterTokenizer('abc', ['<pad>', '</s>']))
const bert = createTokenizer(wordPieceFromVocabulary('[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb', { where: 'vocab.txt' }))

describe('encodeEnded', () => {
  it('puts the end behind texts where the tokenizer does not, also behind empty ones', async () => {
    const end = characters.tokenToId('</s>')!
    const [a, b] = ['a', 'b'].map((token) => characters.tokenToId(token)!)
    expect(await encodeEnded(characters, ['ab', '', 'b</s>'])).toEqual([[a, b, end], [end], [b, end, end]])
    expect(endToken(characters)).toEqual({ id: end, token: '</s>' })
  })

  it('takes what stands around texts as the tokenizer has it', async () => {
    expect(await encodeEnded(bert, ['a b', ''])).toEqual([
      [2, 4, 5, 3],
      [2, 3],
    ])
    expect(endedIds(bert, [5])).toEqual([2, 5, 3])
    expect(endToken(bert).token).toBe('[SEP]')
  })

  it('needs a token that ends a text', async () => {
    const plain = createTokenizer(trainCharacterTokenizer('abc'))
    await expect(encodeEnded(plain, ['a'])).rejects.toThrow(TokenizerError)
  })
})
