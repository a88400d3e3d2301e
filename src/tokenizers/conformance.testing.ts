import fc from 'fast-check'
import { expect } from 'vitest'
import type { Encoding, Tokenizer } from './tokenizer.js'

/** Parts of texts that tokenizers treat in different ways. */
const parts = [
  ...[
    'a',
    'B',
    'the ',
    'Hello',
    " don't",
    "'ll",
    'ing',
    'ab',
    '12',
    '3.14',
    '½',
    '٣',
    '-',
    '…',
    '!?',
    '_',
    '"',
    '“',
    '#',
  ],
  ...[
    ' ',
    '  ',
    '\n',
    '\r\n',
    '\n\n',
    '\t',
    '\u00a0',
    '\u3000',
    '\u0085',
    '\u2028',
    '\ufeff',
    '\u200b',
    '\0',
    '\u0007',
  ],
  ...['中', '文字', '日本語', '한국', '각', '\u1100\u1161\u11a8', '𠀀', '〇', '，', '。', 'ｶﾞ', 'ﬁ', '㎏', '㋿', 'Ⅷ'],
  ...['é', 'e\u0301', 'a\u0327\u0301', 'b\u0301\u0327', 'Å', 'Ω', 'İ', 'ẞ', 'ΣΑΣ', 'ñ', 'ậ', '\u0301', 'अनुच्छेद', 'ไทย'],
  ...[
    '😀',
    '👍🏽',
    '👩‍👩‍👧',
    '🇩🇪',
    '☎️',
    '𝔘',
    '\ud83d',
    '\ude00',
    '\ufffd',
    '▁',
    '<unk>',
    '[MASK]',
    '[mask]',
    '<|endoftext|>',
    '</s>',
  ],
]

const joinedParts = fc.array(fc.constantFrom(...parts), { maxLength: 14 }).map((some) => some.join(''))
const anyText = fc.oneof(
  { weight: 5, arbitrary: joinedParts },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
)

/** What {@link expectSameTokens} tries. */
export interface Trial {
  /** Texts besides random ones. */
  readonly texts?: readonly string[]

  /** Whether random texts may have any character of Unicode; true where absent. */
  readonly anyCharacter?: boolean

  /** Whether words are compared too; true where absent. */
  readonly words?: boolean
}

/**
 * Checks that a tokenizer does to texts what another one does: ids, tokens, offsets, words and decoding, with special
 * tokens and without.
 */
export async function expectSameTokens(
  actual: Tokenizer,
  expected: Tokenizer,
  { texts = [], anyCharacter = true, words = true }: Trial = {},
): Promise<void> {
  const compare = async (given: string, addSpecialTokens: boolean) => {
    const encoding = await expected.encode(given, { addSpecialTokens })
    const label = JSON.stringify(given)
    const found = await actual.encode(given, { addSpecialTokens })
    expect(words ? found : { ...found, words: encoding.words }, label).toEqual(encoding)
    expect([...(await actual.encodeToArray(given, { addSpecialTokens }))], label).toEqual(encoding.ids)
    for (const skipSpecialTokens of [true, false]) {
      const decoded = expected.decode(encoding.ids, { skipSpecialTokens })
      expect(actual.decode(encoding.ids, { skipSpecialTokens }), label).toBe(decoded)
    }
  }
  for (const given of texts) for (const addSpecialTokens of [true, false]) await compare(given, addSpecialTokens)
  await fc.assert(fc.asyncProperty(anyCharacter ? anyText : joinedParts, fc.boolean(), compare), { numRuns: 300 })
  expect([actual.vocabularySize, actual.eosTokenId]).toEqual([expected.vocabularySize, expected.eosTokenId])
  expect(actual.specialTokens).toEqual(expected.specialTokens)
  const ids = [0, 1, 7, 10 ** 6]
  expect(ids.map((id) => actual.idToToken(id))).toEqual(ids.map((id) => expected.idToToken(id)))
}

/** The parts of a text that the tokens come from. */
export function sources(given: string, { offsets }: Encoding): string[] {
  return offsets.map(([start, end]) => given.slice(start, end))
}
