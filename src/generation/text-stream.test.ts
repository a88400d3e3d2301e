import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { createTokenizer, loadTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { byteLevelBpe } from '../tokenizers/tokenizer-json.js'
import { TextStream, type TextStreamOptions } from './text-stream.js'

/** Byte-level BPE without merges: token b is byte b, so that every character beyond ASCII comes in parts. */
const bytes = createTokenizer(byteLevelBpe(JSON.stringify(byteVocabulary()), '', 'bytes'))

/** GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and on, in order. */
function byteVocabulary(): Record<string, number> {
  const vocabulary: Record<string, number> = {}
  let next = 0x100
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    vocabulary[String.fromCodePoint(printable ? byte : next++)] = byte
  }
  return vocabulary
}

function pieces(tokenizer: Pick<Tokenizer, 'decode'>, ids: readonly number[], options?: TextStreamOptions): string[] {
  const stream = new TextStream(tokenizer, options)
  return [...ids.map((id) => stream.push(id)), stream.finish()]
}

const utf8 = (text: string) => [...new TextEncoder().encode(text)]
const nonEmpty = (list: string[]) => list.filter((piece) => piece !== '')

describe('TextStream', () => {
  it('gives out characters when they are complete', () => {
    expect(pieces(bytes, utf8('aé中!'))).toEqual(['a', '', 'é', '', '', '中', '!', ''])
  })

  it('keeps emoji sequences whole, one token late at most', () => {
    for (const cluster of ['😀', '👍🏽', '👨‍👩‍👧‍👦', '🇨🇳', '❤️']) {
      expect(nonEmpty(pieces(bytes, utf8(`a${cluster}b`)))).toEqual(['a', `${cluster}b`])
      expect(nonEmpty(pieces(bytes, utf8(cluster)))).toEqual([cluster])
    }
    expect(nonEmpty(pieces(bytes, utf8('🇨🇳🇩🇪x')))).toEqual(['🇨🇳', '🇩🇪x'])
    expect(nonEmpty(pieces(bytes, utf8('🏴󠁧󠁢󠁥󠁮󠁧󠁿x')))).toEqual(['🏴󠁧󠁢󠁥󠁮󠁧󠁿', 'x'])
  })

  it('does not hold an endless emoji sequence back for ever', () => {
    const endless = '👩\u200d'.repeat(100)
    const stream = new TextStream(bytes)
    const before = utf8(endless).map((id) => stream.push(id))
    expect(before.join('').length).toBeGreaterThan(200)
    expect(before.join('') + stream.finish()).toBe(endless)
  })

  it('concatenates to decode(all ids) for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        const given = pieces(bytes, utf8(text))
        expect(given.join('')).toBe(text)
        for (const piece of given) expect(piece).not.toMatch(/^\p{Surrogate}|\p{Surrogate}$/u)
      }),
    )
  })

  it('concatenates to decode(all ids) for any bytes, valid or not', () => {
    const byte = fc.oneof(fc.nat(255), fc.constantFrom(0x61, 0xe4, 0xb8, 0xad, 0xf0, 0x9f, 0x98, 0x80, 0xff))
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), (ids) => {
        expect(pieces(bytes, ids).join('')).toBe(bytes.decode(ids))
      }),
      { numRuns: 2000 },
    )
  })

  it('streams on through bytes that never become a character', () => {
    const stream = new TextStream(bytes)
    const given = Array.from({ length: 100 }, () => stream.push(0xff)).join('')
    expect(given.length).toBeGreaterThan(90)
    expect(given + stream.finish()).toBe('\uFFFD'.repeat(100))
  })

  it.each([
    ['text', utf8('Heddle 织机 😀 '.repeat(100))],
    ['invalid bytes', Array(2000).fill(0xff)],
    ['characters cut short', Array(700).fill([0x61, 0xe4, 0xb8]).flat()],
  ])('decodes a bounded number of tokens for each one: %s', (_name, ids) => {
    let decoded = 0
    const counting = {
      decode(window: readonly number[]) {
        decoded += window.length
        return bytes.decode(window)
      },
    }
    expect(pieces(counting, ids).join('')).toBe(bytes.decode(ids))
    expect(decoded).toBeLessThan(ids.length * 60)
  })

  it('leaves special tokens out where asked, however many there are', () => {
    const vocabulary = { ...byteVocabulary(), '<|endoftext|>': 256 }
    const tokenizer = createTokenizer(byteLevelBpe(JSON.stringify(vocabulary), '', 'bytes'))
    const ids = [256, 97, ...Array(50).fill(256), 98, 256]
    expect(pieces(tokenizer, ids, { skipSpecialTokens: true }).join('')).toBe('ab')
    expect(pieces(tokenizer, ids).join('')).toBe(tokenizer.decode(ids))
  })

  // WordPiece writes a space before a word unless it is the first, Metaspace drops the first space.
  it.each([
    [
      { type: 'WordPiece', prefix: '##', cleanup: true },
      ['he', '##ddle', 'weaves', ',', 'he', '.'],
      'heddle weaves, he.',
    ],
    [
      { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
      ['▁he', 'ddle', '▁', '▁weaves'],
      'heddle  weaves',
    ],
  ])('works for decoders that look at the left neighbour: %j', (decoder, tokens, text) => {
    const vocab = Object.fromEntries([...new Set(['[UNK]', ...tokens])].map((token, id) => [token, id]))
    const model = { type: 'WordLevel', vocab, unk_token: '[UNK]' }
    const json = { version: '1.0', added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null }
    const tokenizer = createTokenizer(JSON.stringify({ ...json, decoder, model }))
    const ids = tokens.map((token) => vocab[token])
    expect(tokenizer.decode(ids)).toBe(text)
    expect(pieces(tokenizer, ids).join('')).toBe(text)
  })
})

describe('stop strings', () => {
  const stopped = (text: string, stop: string[]) => {
    const stream = new TextStream(bytes, { stop })
    const given: string[] = []
    for (const id of utf8(text)) given.push(stream.push(id))
    return { given: nonEmpty([...given, stream.finish()]), stopped: stream.stopped }
  }

  it('holds back what may become one, and gives it out when it does not', () => {
    expect(stopped('one\nUser', ['\nUser:'])).toEqual({ given: ['o', 'n', 'e', '\nUser'], stopped: false })
    expect(stopped('a\n\nb', ['\nUser:'])).toEqual({ given: ['a', '\n', '\nb'], stopped: false })
    expect(stopped('one\nUser: x', ['\nUser:'])).toEqual({ given: ['o', 'n', 'e'], stopped: true })
  })

  it('stops at the one that begins first', () => {
    expect(stopped('abcdef', ['ef', 'cd'])).toEqual({ given: ['a', 'b'], stopped: true })
    expect(stopped('aab', ['ab'])).toEqual({ given: ['a'], stopped: true })
    expect(stopped('你好吗', ['好'])).toEqual({ given: ['你'], stopped: true })
  })

  it('finds one that is complete only at the end, and inside of one token', () => {
    const whole = { decode: (ids: readonly number[]) => ids.map((id) => ['one STOP two', 'x'][id]).join('') }
    const stream = new TextStream(whole, { stop: ['STOP'] })
    expect(stream.push(0)).toBe('one ')
    expect([stream.stopped, stream.push(1), stream.finish()]).toEqual([true, '', ''])
    expect(stopped('a\u{1F44D}', ['\u{1F44D}'])).toEqual({ given: ['a'], stopped: true })
  })

  it('agrees with cutting the whole text, for any text and stop strings', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '中', '😀'), maxLength: 30 })
    const stop = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '中', '😀'), minLength: 1, maxLength: 4 }), {
      maxLength: 3,
    })
    fc.assert(
      fc.property(letters, stop, (text, stop) => {
        // A stream stops at the token that completes a stop string, and cuts before the one that begins first.
        const end = [...text].findIndex((_, i) =>
          stop.some((each) =>
            [...text]
              .slice(0, i + 1)
              .join('')
              .includes(each),
          ),
        )
        const seen = end < 0 ? text : [...text].slice(0, end + 1).join('')
        const cut = Math.min(...stop.map((each) => seen.indexOf(each)).filter((at) => at >= 0), seen.length)
        const result = stopped(text, stop)
        expect(result.given.join('')).toBe(text.slice(0, cut))
        expect(result.stopped).toBe(end >= 0)
      }),
      { numRuns: 500 },
    )
  })

  it('refuses an empty one', () => {
    expect(() => new TextStream(bytes, { stop: ['a', ''] })).toThrow(UsageError)
  })
})

const gpt2Directory = join(process.env.HEDDLE_DATA ?? '', 'tokenizers/gpt2')
const hasGpt2 = process.env.HEDDLE_DATA !== undefined && existsSync(gpt2Directory)

describe.skipIf(!hasGpt2)('TextStream over GPT-2 (needs HEDDLE_DATA with tokenizers/gpt2)', () => {
  let gpt2: Tokenizer
  beforeAll(async () => {
    gpt2 = await loadTokenizer(gpt2Directory)
  })

  it('streams text of several scripts', async () => {
    const text = 'The weaver 织布机 said: “Ça va?” 👩‍🚀🧵 नमस्ते 🇫🇷.\n\n  done'
    const { ids } = await gpt2.encode(text)
    const given = pieces(gpt2, ids)
    expect(given.join('')).toBe(text)
    for (const piece of given) expect(piece).not.toContain('\uFFFD')
    expect(given.some((piece) => piece.includes('👩‍🚀'))).toBe(true)
  })

  it('concatenates to decode(all ids) for any ids', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50256), { maxLength: 40 }), (ids) => {
        expect(pieces(gpt2, ids).join('')).toBe(gpt2.decode(ids))
      }),
      { numRuns: 300 },
    )
  })
})
