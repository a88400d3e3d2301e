import { describe, expect, it } from 'vitest'
import { CharacterTokenizer, trainCharacterTokenizer } from './characters.js'
import { createTokenizer } from './node.js'
import { letters } from './sequences.testing.js'
import type { Tokenizer } from './tokenizer.js'
import { sample } from './training/texts.testing.js'
import { trainTokenizer } from './training/train.js'
import { wordContinuations } from './word-continuations.js'

describe('wordContinuations', () => {
  /** The tokens that go on with a word. */
  const inside = (tokenizer: Tokenizer) =>
    [...wordContinuations(tokenizer)].flatMap((flag, id) => (flag ? [tokenizer.idToToken(id)] : []))

  it('are the ## tokens of WordPiece, and agree with words', async () => {
    expect(inside(createTokenizer(JSON.stringify(letters())))).toEqual(['##a', '##b', '##bb'])
    const tokenizer = createTokenizer(await trainTokenizer([sample], { type: 'wordpiece', vocabularySize: 150 }))
    const { ids, words } = await tokenizer.encode(sample)
    const flags = wordContinuations(tokenizer)
    expect(ids.map((id) => flags[id])).toEqual(words.map((word, i) => Number(word >= 0 && word === words[i - 1])))
    expect(flags).toHaveLength(150)
  })

  it('are the tokens without the mark of a blank in others', async () => {
    const bytes = createTokenizer(await trainTokenizer([sample], { type: 'bpe', vocabularySize: 300 }))
    const flags = wordContinuations(bytes)
    const flag = (token: string) => flags[bytes.tokenToId(token) ?? -1]
    expect(['<|endoftext|>', 'Ġ', 'Ġthe', 'Ġb', 'at', 'nd'].map(flag)).toEqual([0, 0, 0, 0, 1, 1])
    const unigram = createTokenizer(await trainTokenizer([sample], { type: 'unigram', vocabularySize: 160 }))
    expect(inside(unigram).every((token) => !token?.startsWith('▁') && !token?.startsWith('<'))).toBe(true)
    expect(inside(unigram)).toContain('a')
    expect(inside(new CharacterTokenizer(trainCharacterTokenizer('ab▁Ġ')))).toEqual([])
  })
})
