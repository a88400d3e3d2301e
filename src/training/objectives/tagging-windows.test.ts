import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { trainCharacterTokenizer } from '../../tokenizers/characters.js'
import { createTokenizer } from '../../tokenizers/node.js'
import { bertTemplate, letters } from '../../tokenizers/sequences.testing.js'
import { windows } from '../../tokenizers/truncation.js'
import { encodeWords } from '../../tokenizers/words.js'
import { wordWindows } from './tagging-windows.js'

const bert = createTokenizer(JSON.stringify(letters({ post_processor: bertTemplate })))
const characters = createTokenizer(trainCharacterTokenizer('ab中'))

/** Words of one token, of several, of none, and unknown ones. */
const word = fc.constantFrom('a', 'ab', 'abbb', 'aaaa', '中', 'a.b', '\u200b', 'zz', '😀')

describe('windows of words', () => {
  it('are the whole sentence where it fits, with the place of the first token of each word', async () => {
    const [window] = await wordWindows([['aa', '\u200b', 'b', 'a.b']], { tokenizer: bert, maxLength: 8 })
    // [CLS] a ##a b a . b [SEP]
    expect(window).toEqual({
      ids: Int32Array.of(2, 5, 8, 6, 5, 11, 6, 3),
      segments: new Uint8Array(8),
      sentence: 0,
      words: Int32Array.of(0, 2, 3),
      places: Int32Array.of(1, 3, 4),
    })
  })

  it('tag every word that has a token once, where least of what is around it is hidden', async () => {
    const check = async (words: string[], maxLength: number, share: number) => {
      const room = maxLength - 2
      const stride = Math.floor(share * room)
      const found = await wordWindows([['a'], words], { tokenizer: bert, maxLength, stride })
      const encoding = await encodeWords(bert, words, { addSpecialTokens: false })
      const parts = windows(bert.template, undefined, encoding, { maxLength, stride })
      const length = encoding.ids.length
      /** How many tokens of the sentence a part hides on the side of a token where it is cut closer. */
      const shown = (part: { start: number; end: number }, token: number) => {
        const before = part.start === 0 ? length : token - part.start
        const behind = part.end === length ? length : part.end - 1 - token
        return Math.min(before, behind)
      }
      const seen: number[] = []
      for (const { ids, sentence, words: tagged, places } of found.slice(1)) {
        expect(sentence).toBe(1)
        expect(ids.length).toBeLessThanOrEqual(maxLength)
        // Parts of a sentence that repeats itself can have equal ids: where the part begins tells which one this is.
        const start = encoding.words.indexOf(tagged[0]) - places[0] + 1
        const part = parts.find((each) => each.start === start)!
        expect([...ids]).toEqual([...part.ids])
        for (const [i, index] of tagged.entries()) {
          const token = encoding.words.indexOf(index)
          seen.push(index)
          expect(places[i]).toBe(token - part.start + 1)
          expect(ids[places[i]]).toBe(encoding.ids[token])
          const best = Math.max(...parts.filter((each) => contains(each, token)).map((each) => shown(each, token)))
          expect(shown(part, token)).toBe(best)
        }
      }
      expect(seen).toEqual([...new Set(encoding.words)])
    }
    const sentence = fc.array(word, { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(sentence, fc.integer({ min: 3, max: 12 }), fc.double({ min: 0, max: 0.9, noNaN: true }), check),
      { numRuns: 200 },
    )
  })

  it('overlap by a quarter where nothing else is said, and lose nothing of a long sentence', async () => {
    const words = Array.from({ length: 50 }, (_, i) => (i % 3 === 0 ? '中' : 'a'))
    const found = await wordWindows([words], { tokenizer: characters, maxLength: 20 })
    // Windows begin at 0, 15, 30; where two show a token, the one with more around it has it.
    expect(found.map(({ ids }) => ids.length)).toEqual([20, 20, 20])
    expect(found.map((window) => window.words[0])).toEqual([0, 18, 33])
    expect(found.flatMap((window) => [...window.words])).toEqual(words.map((_, i) => i))
  })

  it('are none for a sentence without tokens', async () => {
    const found = await wordWindows([['\u200b'], ['a'], []], { tokenizer: bert, maxLength: 8 })
    expect(found.map(({ sentence }) => sentence)).toEqual([1])
  })
})

type Part = { readonly start: number; readonly end: number }

function contains({ start, end }: Part, token: number): boolean {
  return start <= token && token < end
}
