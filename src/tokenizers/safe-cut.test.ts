import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NativeTokenizer } from './native.js'
import { safeParts, safePlace } from './safe-cut.js'
import { parseTokenizer } from './tokenizer-json.js'
import { sample } from './training/texts.testing.js'
import { trainTokenizer } from './training/train.js'

type Json = Record<string, unknown>

const unit = fc.constantFrom('a', 'the', ' ', '  ', '\n', '\t', '\u3000', '.', '1', '中', 'e\u0301', '▁', "'s")
const text = fc.array(unit, { maxLength: 30 }).map((units) => units.join(''))

describe('safeParts', () => {
  it('are all of a text, of the size at least', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 6 }), (given, size) => {
        for (const place of ['blank', 'blankOrLineFeed', 'blankOrLine'] as const) {
          const parts = [...safeParts(given, size, place)]
          expect(parts.join('')).toBe(given)
          expect(parts.slice(0, -1).every((part) => part.length >= size)).toBe(true)
        }
      }),
    )
  })

  it('begin where words do', () => {
    expect([...safeParts('ab cd\nef  gh i', 1, 'blank')]).toEqual(['ab', ' cd\nef', '  gh', ' i'])
    expect([...safeParts('ab cd\nef\n\ngh', 1, 'blankOrLineFeed')]).toEqual(['ab', ' cd', '\nef', '\n\ngh'])
    expect([...safeParts('ab cd\nef\n\ngh', 1, 'blankOrLine')]).toEqual(['ab', ' cd\n', 'ef\n', '\n', 'gh'])
  })
})

describe('safePlace', () => {
  const split = (regex: string) => ({ type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false })
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }
  const kinds: [name: string, type: 'bpe' | 'unigram' | 'wordpiece', change: Json][] = [
    ['GPT-2', 'bpe', {}],
    [
      'GPT-2 with a blank in front',
      'bpe',
      { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true } },
    ],
    [
      'GPT-4',
      'bpe',
      {
        pre_tokenizer: {
          type: 'Sequence',
          pretokenizers: [split(' ?\\p{L}+| ?[^\\s\\p{L}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'), bytes],
        },
      },
    ],
    ['BERT', 'wordpiece', {}],
    ['unigram', 'unigram', {}],
    [
      'unigram behind NFD',
      'unigram',
      { normalizer: { type: 'NFD' }, pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' } },
    ],
  ]

  it.each(kinds)('is where cutting changes no token: %s', async (_name, type, change) => {
    const trained = JSON.parse(await trainTokenizer([sample], { type, vocabularySize: 300 }))
    const json = JSON.stringify({ ...trained, ...change })
    const place = safePlace(parseTokenizer(json, 'test'))
    expect(place).toBeDefined()
    const tokenizer = new NativeTokenizer(json)
    const encode = async (given: string) => [...(await tokenizer.encode(given, { addSpecialTokens: false })).ids]
    const property = fc.asyncProperty(text, fc.integer({ min: 1, max: 6 }), async (given, size) => {
      const parts = await Promise.all([...safeParts(given, size, place!)].map(encode))
      expect(parts.flat()).toEqual(await encode(given))
    })
    await fc.assert(property, { numRuns: 150 })
  })

  it.each<[string, Json]>([
    ['something is put in front of every text', { normalizer: { type: 'Prepend', prepend: '▁' } }],
    ['the ends of every text are cut off', { normalizer: { type: 'Strip', strip_left: true, strip_right: true } }],
    ['there are no words', { pre_tokenizer: null }],
    [
      'words run across blanks',
      { pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: false } },
    ],
    ['words are by a pattern that nobody knows', { pre_tokenizer: split('a b|.') }],
    ['tokens have blanks in them', { added_tokens: [{ id: 0, content: 'a b' }] }],
    ['tokens take white space', { added_tokens: [{ id: 0, content: '<a>', rstrip: true }] }],
  ])('is not known where %s', async (_name, change) => {
    const trained = JSON.parse(await trainTokenizer([sample], { type: 'bpe', vocabularySize: 300 }))
    expect(safePlace(parseTokenizer(JSON.stringify({ ...trained, ...change }), 'test'))).toBeUndefined()
  })
})
