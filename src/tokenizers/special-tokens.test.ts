import { describe, expect, it } from 'vitest'
import { CharacterTokenizer, trainCharacterTokenizer } from './characters.js'
import { JavaScriptTokenizer } from './javascript.js'
import { NativeTokenizer } from './native.js'
import { letters } from './sequences.testing.js'
import type { SpecialTokenNames } from './special-tokens.js'

/** The letters' tokenizer with other special tokens, added behind its vocabulary where they are not in it. */
function withTokens(...tokens: string[]): string {
  const options = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  return JSON.stringify(letters({ added_tokens: tokens.map((content, i) => ({ id: 14 + i, content, ...options })) }))
}

/** What both implementations take for special tokens. */
function rolesOf(json: string, specialTokens: SpecialTokenNames = {}) {
  const found = [JavaScriptTokenizer, NativeTokenizer].map((Kind) => new Kind(json, { specialTokens }))
  expect(found[0].specialTokens).toEqual(found[1].specialTokens)
  expect(found.map(({ eosTokenId }) => eosTokenId)).toEqual(found.map((one) => one.specialTokens.eos?.id))
  return Object.fromEntries(Object.entries(found[0].specialTokens).map(([role, { token, id }]) => [role, [token, id]]))
}

describe('special tokens', () => {
  it("are BERT's by their names", () => {
    expect(rolesOf(JSON.stringify(letters()))).toEqual({
      ...{ pad: ['[PAD]', 0], unknown: ['[UNK]', 1], cls: ['[CLS]', 2], sep: ['[SEP]', 3], mask: ['[MASK]', 4] },
    })
  })

  it("are RoBERTa's, where one token plays two parts", () => {
    expect(rolesOf(withTokens('<s>', '<pad>', '</s>', '<mask>'))).toEqual({
      ...{ bos: ['<s>', 14], cls: ['<s>', 14], pad: ['<pad>', 15], eos: ['</s>', 16], sep: ['</s>', 16] },
      ...{ mask: ['<mask>', 17], unknown: ['[UNK]', 1] },
    })
  })

  it('are those of models that write: <s> begins a text and is no [CLS]', () => {
    const unknown = ['[UNK]', 1]
    expect(rolesOf(withTokens('<s>', '</s>'))).toEqual({ bos: ['<s>', 14], eos: ['</s>', 15], unknown })
    expect(rolesOf(withTokens('<|endoftext|>'))).toEqual({ eos: ['<|endoftext|>', 14], unknown })
  })

  it('are those that were named, whatever their names', () => {
    const names = { eos: '[SEP]', pad: 'ab', cls: '<s>', mask: 'no such token' }
    expect(rolesOf(withTokens('<s>', '</s>', '[MASK]'), names)).toEqual({
      ...{ eos: ['[SEP]', 3], pad: ['ab', 7], cls: ['<s>', 14], bos: ['<s>', 14], unknown: ['[UNK]', 1] },
    })
  })

  it('are not tokens that text only happens to have', () => {
    expect(rolesOf(JSON.stringify(letters({ added_tokens: [] })))).toEqual({ unknown: ['[UNK]', 1] })
  })

  it('of a character tokenizer are named as those of others', () => {
    const json = trainCharacterTokenizer('ab', ['<end>', '<pad>'])
    const { specialTokens, eosTokenId } = new CharacterTokenizer(json, { specialTokens: { eos: '<end>' } })
    expect([specialTokens.eos, specialTokens.pad?.id, specialTokens.unknown?.id, eosTokenId]).toEqual([
      ...[{ token: '<end>', id: 1 }, 2, 0, 1],
    ])
  })
})
