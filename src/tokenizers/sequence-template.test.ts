import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenizerError } from '../errors.js'
import { CharacterTokenizer, trainCharacterTokenizer } from './characters.js'
import { JavaScriptTokenizer } from './javascript.js'
import { NativeTokenizer } from './native.js'
import { SequenceTemplate } from './sequence-template.js'
import { bertTemplate, fromNative, type Json, letters, nativeLibrary, special, text } from './sequences.testing.js'
import type { Tokenizer } from './tokenizer.js'

const bertProcessing = { type: 'BertProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] }
const robertaProcessing = { ...bertProcessing, type: 'RobertaProcessing', trim_offsets: true, add_prefix_space: false }
const byteLevel = { type: 'ByteLevel', trim_offsets: true, add_prefix_space: false, use_regex: true }

const postProcessors: [name: string, part: Json | null, added: [single: number, pair: number]][] = [
  ['none', null, [0, 0]],
  ['ByteLevel', byteLevel, [0, 0]],
  ['BertProcessing', bertProcessing, [2, 3]],
  ['RobertaProcessing', robertaProcessing, [2, 4]],
  ["BERT's template", bertTemplate, [2, 3]],
  [
    'a template with several ids for a name, the second text first and segments of its own',
    {
      ...bertTemplate,
      single: [special('[CLS]', 3), text('A', 4), special('[CLS]', 5)],
      pair: [text('B', 1), special('[CLS]', 2), text('A', 0)],
      special_tokens: { '[CLS]': { id: '[CLS]', ids: [4, 0], tokens: ['[MASK]', '[PAD]'] } },
    },
    [4, 2],
  ],
  ['a sequence of ByteLevel and a template', { type: 'Sequence', processors: [byteLevel, bertTemplate] }, [2, 3]],
]

const someText = fc.array(fc.constantFrom('a', 'ab', 'abbb', 'AB', 'c', '.', '中', '😀', '[MASK]', ' '), {
  maxLength: 6,
})
const words = someText.map((parts) => parts.join(' '))

describe.each(postProcessors)('SequenceTemplate: %s', (_name, part, [single, pair]) => {
  const json = letters({ post_processor: part })
  const library = nativeLibrary(json)
  it.each<[string, Tokenizer]>([
    ['JavaScript', new JavaScriptTokenizer(JSON.stringify(json))],
    ['native', new NativeTokenizer(JSON.stringify(json))],
  ])('joins texts as the native library does: %s tokenizer', async (_name, tokenizer) => {
    const { template } = tokenizer
    expect([template.addedTokens(false), template.addedTokens(true)]).toEqual([single, pair])
    const compare = async (first: string, second: string | undefined) => {
      const [one, other] = await tokenizer.encodeBatch([first, second ?? ''], { addSpecialTokens: false })
      const expected = fromNative(await library.encode(first, second ?? null), (sequence) =>
        sequence === 0 ? first : (second ?? ''),
      )
      expect(template.join(one, second === undefined ? undefined : other)).toEqual(expected)
    }
    await fc.assert(fc.asyncProperty(words, fc.option(words, { nil: undefined }), compare), { numRuns: 100 })
  })
})

describe('SequenceTemplate', () => {
  it('puts nothing between texts of a character tokenizer', async () => {
    const json = trainCharacterTokenizer('abc😀')
    const tokenizer = new CharacterTokenizer(json)
    const library = nativeLibrary(JSON.parse(json))
    const [first, second] = await tokenizer.encodeBatch(['a😀b', 'cx'])
    const expected = fromNative(await library.encode('a😀b', 'cx'), (sequence) => (sequence === 0 ? 'a😀b' : 'cx'))
    expect(tokenizer.template.join(first, second)).toEqual(expected)
    expect(expected.segments).toEqual([0, 0, 0, 1, 1])
  })

  it('leaves the encodings that it joins as they are', () => {
    const template = new SequenceTemplate(bertTemplate)
    const encoding = { ids: [5], tokens: ['a'], offsets: [[0, 1]] as [number, number][], words: [0] }
    const before = structuredClone(encoding)
    template.join(encoding, encoding).ids.push(9)
    template.join(encoding).segments.push(9)
    expect(encoding).toEqual(before)
    expect(template.join(encoding).ids).toEqual([2, 5, 3])
  })

  it.each<[string, Json & { type: string }, RegExp]>([
    ['an unknown type', { type: 'Nope' }, /post-processor Nope is not available; expected BertProcessing/],
    [
      'an unknown type in a sequence',
      { type: 'Sequence', processors: [byteLevel, { type: 'Nope' }] },
      /post-processor Nope/,
    ],
    [
      'two that add tokens',
      { type: 'Sequence', processors: [bertTemplate, robertaProcessing] },
      /one post-processor that adds tokens, got TemplateProcessing and RobertaProcessing/,
    ],
    ['a token without id', { ...bertProcessing, cls: ['[CLS]'] }, /post_processor \(BertProcessing\): cls/],
    ['a template without a pair', { ...bertTemplate, pair: undefined }, /post_processor \(TemplateProcessing\): pair/],
    [
      'a template with an unknown token',
      { ...bertTemplate, special_tokens: {} },
      /expected \[CLS\] among its special_tokens, it is missing/,
    ],
  ])('refuses %s', (_name, part, message) => {
    expect(() => new SequenceTemplate(part)).toThrow(TokenizerError)
    expect(() => new SequenceTemplate(part)).toThrow(message)
  })
})
