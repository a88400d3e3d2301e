import { describe, expect, it } from 'vitest'
import type { DocumentPiece } from '../../data/documents.js'
import { makeTokenizer } from './tokenizer.js'

function documents(...texts: (string | string[])[]): () => AsyncIterable<DocumentPiece> {
  return async function* () {
    for (const text of texts) {
      const pieces = typeof text === 'string' ? [text] : text
      for (const [i, piece] of pieces.entries()) yield { text: piece, ends: i === pieces.length - 1 }
    }
  }
}

const tokens = async (...input: Parameters<typeof makeTokenizer>) => {
  const tokenizer = await makeTokenizer(...input)
  return Array.from({ length: tokenizer.vocabularySize }, (_, id) => tokenizer.idToToken(id))
}

describe('makeTokenizer', () => {
  const bpe = { type: 'bpe', vocabularySize: 300 } as const

  it('trains a tokenizer of the type and size that the recipe asks for', async () => {
    const text = 'the old ship, the old sea. '.repeat(3)
    for (const [type, vocabularySize] of [
      ['bpe', 260],
      ['unigram', 18],
      ['wordpiece', 27],
    ] as const) {
      const tokenizer = await makeTokenizer({ type, vocabularySize }, documents(text))
      expect(tokenizer.vocabularySize).toBe(vocabularySize)
      expect(JSON.parse(tokenizer.toJSON()).model.type.toLowerCase()).toBe(type)
    }
    const tokenizer = await makeTokenizer({ type: 'characters' }, documents('ab'))
    expect(tokenizer.vocabularySize).toBe(3)
  })

  it('learns from whole texts, across line ends', async () => {
    expect(await tokens(bpe, documents(['a\n', '\n\nb\n\n\nc']))).toContain('ĊĊ')
  })

  it('does not look at the end of a single text that is held back', async () => {
    const text = `${'aa '.repeat(30)}${'zz '.repeat(3)}`
    expect(await tokens(bpe, documents([text.slice(0, 50), text.slice(50)]), 0.1)).not.toContain('zz')
    expect(await tokens(bpe, documents(text), 0.1)).toContain('aa')
    expect(await tokens(bpe, documents(text))).toContain('zz')
    // Single characters must all be known.
    expect(await tokens({ type: 'characters' }, documents(text), 0.1)).toContain('z')
  })

  it('does not look at the last documents where they are held back', async () => {
    const texts = ['aa', 'bb', 'cc', 'dd', 'zz']
    expect(await tokens(bpe, documents(...texts), 0.1)).toEqual(expect.arrayContaining(['aa', 'dd']))
    expect(await tokens(bpe, documents(...texts), 0.1)).not.toContain('zz')
    expect(await tokens(bpe, documents(...texts, 'yy'), 0.5)).not.toContain('dd')
    expect(await tokens(bpe, documents(...texts))).toContain('zz')
  })
})
