import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { DocumentOptions } from './documents.js'
import { readSentences, splitSentences } from './sentences.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-sentences-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** The sentences of each document. */
async function documents(files: string | string[], options?: DocumentOptions): Promise<string[][]> {
  const found: string[][] = [[]]
  for await (const { sentences, ends } of readSentences(files, options)) {
    expect(sentences.length).toBeGreaterThan(0)
    found[found.length - 1].push(...sentences)
    if (ends) found.push([])
  }
  expect(found.pop()).toEqual([])
  return found
}

describe('readSentences', () => {
  it('ends documents at blank lines and sentences at line ends and marks', async () => {
    const text = '\n\nOne. Two? "Three!" four.\n  Five\n \t\n\n一。二！三\r\n\r\n“四。”五…'
    expect(await documents(write('a.txt', text))).toEqual([
      ['One.', 'Two?', '"Three!"', 'four.', 'Five'],
      ['一。', '二！', '三'],
      ['“四。”', '五…'],
    ])
  })

  it('keeps lines as they are where each is a sentence', async () => {
    const path = write('b.txt', 'Dr. No met M. Why?\n Because. \n\nEnd.\n')
    expect(await documents(path, { format: 'lines' })).toEqual([['Dr. No met M. Why?', 'Because.'], ['End.']])
    expect(await documents(path)).toEqual([['Dr.', 'No met M.', 'Why?', 'Because.'], ['End.']])
  })

  it('makes a document of each record, of its lists and lines too', async () => {
    const rows = [{ text: 'One. Two.\n\nThree.' }, { text: ' ' }, { text: ['四。五。', '六'] }]
    const path = write('c.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'))
    expect(await documents(path)).toEqual([
      ['One.', 'Two.', 'Three.'],
      ['四。', '五。', '六'],
    ])
    const table = write('c.csv', 'id,body\n1,One. Two.\n')
    expect(await documents([path, table], { column: 'body' }).catch(String)).toContain("there is no column 'body'")
    expect(await documents(table, { column: 'body' })).toEqual([['One.', 'Two.']])
  })

  it('ends documents with their files', async () => {
    expect(await documents([write('d0.txt', 'One.'), write('d1.txt', ''), write('d2.txt', 'Two.')])).toEqual([
      ['One.'],
      ['Two.'],
    ])
  })

  it('gives long documents in parts, without reading far ahead', async () => {
    for (const count of [1024, 1025, 20_000]) {
      const lines = Array.from({ length: count }, (_, i) => `Sentence ${i}. And another.\n`)
      const path = write('long.txt', lines.join(''))
      let [read, position, sentencesSeen, ended] = [0, 0, 0, 0]
      const onBytes = (bytes: number) => {
        read += bytes
      }
      for await (const { sentences, ends } of readSentences(path, { onBytes })) {
        expect(sentences.length).toBeLessThanOrEqual(1024)
        for (const sentence of sentences) {
          const n = sentencesSeen++
          const wanted = n % 2 === 0 ? `Sentence ${n / 2}.` : 'And another.'
          if (sentence !== wanted) expect(sentence).toBe(wanted)
          if (n % 2 === 1) position += lines[(n - 1) / 2].length
        }
        expect(read - position).toBeLessThan(2 ** 20)
        if (ends) ended = sentencesSeen
      }
      expect([sentencesSeen, ended, read]).toEqual([2 * count, 2 * count, position])
    }
  })

  it('says where bytes are not UTF-8', async () => {
    const path = write('e.txt', Buffer.from('One.\n\xff', 'latin1'))
    await expect(documents(path)).rejects.toThrow('e.txt: expected UTF-8 text, got the byte 0xff at offset 5 (line 2)')
  })
})

describe('splitSentences', () => {
  const plain = (text: string) =>
    [...new Intl.Segmenter('en', { granularity: 'sentence' }).segment(text)]
      .map(({ segment }) => segment.trim())
      .filter((segment) => segment !== '')

  it('finds in a long line the sentences that the segmenter finds in the whole', () => {
    const part = fc.constantFrom(
      'One two. ',
      'Is it? ',
      '一二三。',
      '“Yes!” ',
      'etc. and so on ',
      'Mr. X ',
      '… ',
      '🧵 ',
      '3.14 ',
    )
    fc.assert(
      fc.property(fc.array(part, { minLength: 900, maxLength: 1500 }), (parts) => {
        const text = parts.join('')
        expect([...splitSentences(text)]).toEqual(plain(text))
      }),
      { numRuns: 10 },
    )
  })

  it('cuts what has no end, between words and never within a character', () => {
    const words = `${'word '.repeat(2000)}end.`
    const sentences = [...splitSentences(words)]
    expect(sentences.join(' ')).toBe(words)
    expect(sentences.map(({ length }) => length)).toEqual([3839, 3839, 2324])
    const wide = [...splitSentences(`a${'🧵'.repeat(4000)}`)]
    expect(wide.join('')).toBe(`a${'🧵'.repeat(4000)}`)
    expect(wide.map(({ length }) => length)).toEqual([3839, 3840, 322])
  })

  it('reads a line of a million characters', () => {
    const line = 'All of this is one line. It goes on and on. '.repeat(25_000)
    let count = 0
    for (const sentence of splitSentences(line)) {
      const wanted = count++ % 2 === 0 ? 'All of this is one line.' : 'It goes on and on.'
      if (sentence !== wanted) expect(sentence).toBe(wanted)
    }
    expect(count).toBe(50_000)
  })
})
