import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TokenizerError, UsageError } from '../errors.js'
import { JavaScriptTokenizer } from './javascript.js'
import { encodePairs } from './pairs.js'
import { bertTemplate, fromNative, letters, type NativeEncoding, nativeLibrary } from './sequences.testing.js'
import { type TruncationStrategy, truncate, windows } from './truncation.js'

const json = letters({ post_processor: bertTemplate })
const tokenizer = new JavaScriptTokenizer(JSON.stringify(json))
const { template } = tokenizer
const library = nativeLibrary(json)
const strategies: TruncationStrategy[] = ['longest_first', 'only_first', 'only_second']

/** A text of as many tokens. */
const textOf = (length: number) =>
  Array.from({ length }, (_, i) => ['a', 'b', '.', '中', '[MASK]', '😀'][(i * 7) % 6]).join(' ')

/** The native library's encoding of a text, shortened by it to windows. */
async function nativeParts(text: string, length: number, { side = 'right', stride = 0 } = {}) {
  const encoding = await library.encode(text, null, { addSpecialTokens: false })
  encoding.truncate(length, stride, side)
  return [encoding, ...encoding.getOverflowing()]
}

/** A sequence of two encodings that the native library joined, for which it does not know any more whose tokens they are. */
function native(encoding: NativeEncoding, first: string, second: string) {
  const segments = encoding.getTypeIds()
  const { sequences: _, ...sequence } = fromNative(encoding, (_text, _word, i) => (segments[i] === 0 ? first : second))
  return sequence
}

/** What is left of two texts when tokens are taken away one by one; undefined where the strategy does not allow it. */
function naiveLengths(lengths: [number, number], strategy: TruncationStrategy, room: number) {
  let [first, second] = lengths
  const isFirstLonger = first > second
  while (first + second > room) {
    const fromFirst = first === second ? !isFirstLonger : first > second
    if (strategy === 'only_first' || (strategy === 'longest_first' && fromFirst)) first--
    else second--
  }
  const least = strategy === 'longest_first' ? 0 : 1
  const isCut = [first < lengths[0], second < lengths[1]]
  return (isCut[0] && first < least) || (isCut[1] && second < least) ? undefined : [first, second]
}

describe('truncate', () => {
  it.each(strategies)('leaves what taking tokens away one by one leaves: %s', async (strategy) => {
    const compare = async (
      firstLength: number,
      secondLength: number | undefined,
      [maxLength, side]: [number, 'left' | 'right'],
    ) => {
      const [first, second] = [textOf(firstLength), textOf(secondLength ?? 0)]
      const pair = secondLength === undefined ? ([first] as const) : ([first, second] as const)
      const room = maxLength - (secondLength === undefined ? 2 : 3)
      const expected = naiveLengths([firstLength, secondLength ?? 0], strategy, room)
      const attempt = encodePairs(tokenizer, [pair], { maxLength, strategy, side })
      if (expected === undefined) {
        await expect(attempt).rejects.toThrow(TokenizerError)
        return
      }
      const [one] = await nativeParts(first, expected[0], { side })
      const [other] = await nativeParts(second, expected[1], { side })
      const joined = library.postProcess(one, secondLength === undefined ? null : other)
      const [{ removed, sequences, ...sequence }] = await attempt
      expect(sequence).toEqual(native(joined, first, second))
      const kept = [0, 1].map((text) => sequences.filter((id) => id === text).length)
      expect(kept).toEqual(expected)
      expect(removed).toEqual({ first: firstLength - expected[0], second: (secondLength ?? 0) - expected[1] })
    }
    const length = fc.integer({ min: 0, max: 12 })
    const room = fc.tuple(fc.integer({ min: 3, max: 24 }), fc.constantFrom<'left' | 'right'>('left', 'right'))
    await fc.assert(fc.asyncProperty(length, fc.option(length, { nil: undefined }), room, compare), { numRuns: 200 })
  })

  it('returns texts that fit as they are', async () => {
    const [first, second] = await tokenizer.encodeBatch([textOf(3), textOf(4)], { addSpecialTokens: false })
    const cut = truncate(template, first, second, { maxLength: 10 })
    expect(cut).toEqual({ first, second, removed: { first: 0, second: 0 } })
    expect([cut.first, cut.second]).toEqual([first, second])
    expect(truncate(template, first, second, { maxLength: 9 }).removed).toEqual({ first: 0, second: 1 })
  })

  it('says what does not fit', async () => {
    const [first, second] = await tokenizer.encodeBatch([textOf(9), textOf(2)], { addSpecialTokens: false })
    expect(() => truncate(template, first, second, { maxLength: 12, strategy: 'only_second' })).toThrow(
      /2 of 11 tokens do not fit, and the second text.*\(only_second\), has 2; take another strategy/,
    )
    for (const maxLength of [2, -1, 4.5, Number.NaN]) {
      expect(() => truncate(template, first, second, { maxLength })).toThrow(UsageError)
      expect(() => truncate(template, first, second, { maxLength })).toThrow(
        `maxLength: expected a whole number of tokens of 3 or more, since so many are special, got ${maxLength}`,
      )
    }
  })
})

describe('windows', () => {
  it.each([true, false])('are those of the native library, with a question: %s', async (hasQuestion) => {
    const compare = async (questionLength: number, contextLength: number, [room, stride]: [number, number]) => {
      const texts: [string, string] = [textOf(questionLength), textOf(contextLength)]
      const question = await library.encode(texts[0], null, { addSpecialTokens: false })
      const expected = (await nativeParts(texts[1], room, { stride })).map((part) =>
        hasQuestion
          ? native(library.postProcess(question, part), ...texts)
          : native(library.postProcess(part), texts[1], ''),
      )
      const [one, other] = await tokenizer.encodeBatch(texts, { addSpecialTokens: false })
      const maxLength = room + (hasQuestion ? questionLength + 3 : 2)
      const found = windows(template, hasQuestion ? one : undefined, other, { maxLength, stride })
      expect(found.map(({ start: _, end: __, sequences: ___, ...sequence }) => sequence)).toEqual(expected)
      for (const { ids, sequences, start, end } of found) {
        const ofContext = ids.filter((_, i) => sequences[i] === (hasQuestion ? 1 : 0))
        expect(ofContext).toEqual(other.ids.slice(start, end))
      }
    }
    const sizes = fc
      .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 11 }))
      .filter(([room, stride]) => stride < room)
    const lengths = [fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 40 })] as const
    await fc.assert(fc.asyncProperty(...lengths, sizes, compare), { numRuns: 200 })
  })

  it('overlap by the stride and leave no token of the context out', async () => {
    const [question, context] = await tokenizer.encodeBatch([textOf(2), textOf(11)], { addSpecialTokens: false })
    const found = windows(template, question, context, { maxLength: 10, stride: 2 })
    expect(found.map(({ start, end }) => [start, end])).toEqual([
      [0, 5],
      [3, 8],
      [6, 11],
    ])
  })

  it('refuses a question that leaves no room, and strides that are none', async () => {
    const [question, context] = await tokenizer.encodeBatch([textOf(5), textOf(6)], { addSpecialTokens: false })
    const attempt = (maxLength: number, stride: number) => () =>
      windows(template, question, context, { maxLength, stride })
    expect(attempt(10, 2)).toThrow(TokenizerError)
    expect(attempt(10, 2)).toThrow(
      /more than 2 tokens of room for the context, got 2 \(maxLength 10, a question of 5 tokens\)/,
    )
    expect(attempt(7, 0)).toThrow(/got -1/)
    expect(attempt(14, 20)()).toHaveLength(1)
    for (const stride of [-1, 1.5]) expect(attempt(10, stride)).toThrow(UsageError)
    expect(attempt(2, 0)).toThrow(UsageError)
  })
})
