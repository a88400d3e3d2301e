import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../errors.js'
import { RandomStream } from '../../runtime/random.js'
import { trainCharacterTokenizer } from '../../tokenizers/characters.js'
import { createTokenizer } from '../../tokenizers/node.js'
import { wordPieceJson } from '../../tokenizers/tokenizer-json.js'
import { Masker } from './masking.js'

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
const [pad, unknown, cls, sep, mask] = special.keys()
const ordinary = 50
const tokens = [...special, ...Array.from({ length: ordinary }, (_, i) => `w${i}`)]
const tokenizer = createTokenizer(wordPieceJson({ tokens, special, normalization: { lowercase: true } }))

const masker = (rules: { share?: number; wholeWords?: boolean } = {}) =>
  new Masker(tokenizer, { share: 0.15, wholeWords: false, ...rules })

const stream = (step: number) => new RandomStream(7, 'test', step)

/** [CLS], 40 tokens, [SEP], 20 tokens with two unknown ones among them, [SEP]. */
const sequence = [
  cls,
  ...Array.from({ length: 40 }, (_, i) => special.length + ((i * 7) % ordinary)),
  sep,
  ...Array.from({ length: 20 }, (_, i) => (i % 10 === 3 ? unknown : special.length + ((i * 11) % ordinary))),
  sep,
]
const hideable = sequence.filter((id) => id >= special.length).length

/** Whether a count is what one expects of as many tries, within five standard deviations. */
function expectCount(count: number, tries: number, probability: number) {
  const deviation = Math.sqrt(tries * probability * (1 - probability))
  expect(Math.abs(count - tries * probability)).toBeLessThan(5 * deviation)
}

describe('hiding tokens', () => {
  const draws = 3000
  const hidden = Array.from({ length: draws }, (_, step) => masker().hide({ ids: sequence }, stream(step)))

  it('takes 15 % of the tokens that are not special', () => {
    expect(hideable).toBe(58)
    for (const { places, ids, targets } of hidden) {
      expect(places.length).toBe(Math.round(0.15 * hideable))
      expect(places).toEqual([...new Set(places)].sort((a, b) => a - b))
      expect(targets).toEqual(places.map((place) => sequence[place]))
      expect(ids.filter((_, place) => !places.includes(place))).toEqual(
        sequence.filter((_, place) => !places.includes(place)),
      )
    }
  })

  it('takes every token equally often, and special ones never', () => {
    const share = Math.round(0.15 * hideable) / hideable
    for (const [place, id] of sequence.entries()) {
      const count = hidden.filter(({ places }) => places.includes(place)).length
      if (id < special.length) expect(count).toBe(0)
      else expectCount(count, draws, share)
    }
  })

  it('makes 80 % of them [MASK], 10 % another token, 10 % what they were', () => {
    const found = hidden.flatMap(({ ids, places, targets }) =>
      places.map((place, i) => (ids[place] === mask ? 'mask' : ids[place] === targets[i] ? 'same' : 'other')),
    )
    const count = (kind: string) => found.filter((one) => one === kind).length
    // Of the random tokens one in 50 is by chance what was there.
    expectCount(count('mask'), found.length, 0.8)
    expectCount(count('other'), found.length, 0.1 * (1 - 1 / ordinary))
    expectCount(count('same'), found.length, 0.1 * (1 + 1 / ordinary))
  })

  it('draws the other tokens evenly from those that are not special', () => {
    const others = hidden.flatMap(({ ids, places, targets }) =>
      places.flatMap((place, i) => (ids[place] === mask || ids[place] === targets[i] ? [] : [ids[place]])),
    )
    expect(others.every((id) => id >= special.length && id < tokens.length)).toBe(true)
    for (let id = special.length; id < tokens.length; id++) {
      expectCount(others.filter((other) => other === id).length, others.length, 1 / ordinary)
    }
  })

  it('is a pure function of the stream', () => {
    expect(masker().hide({ ids: sequence }, stream(5))).toEqual(hidden[5])
    expect(hidden[6]).not.toEqual(hidden[5])
  })

  it.each([
    ['rounds', 0.3, 5, 2],
    ['takes at least one', 0.15, 2, 1],
    ['takes a larger share', 0.5, 20, 10],
  ])('%s: a share of %d of %d tokens is %d', (_what, share, length, count) => {
    const ids = [cls, ...Array.from({ length }, () => 9), sep]
    expect(masker({ share }).hide({ ids }, stream(0)).places.length).toBe(count)
  })

  it('hides nothing where all is special', () => {
    expect(masker().hide({ ids: [cls, unknown, pad, sep] }, stream(0))).toEqual({
      ids: [cls, unknown, pad, sep],
      places: [],
      targets: [],
    })
  })

  it('needs a mask token', () => {
    const without = createTokenizer(trainCharacterTokenizer('abc'))
    expect(() => new Masker(without, { share: 0.15, wholeWords: false })).toThrow(ConfigError)
  })
})

describe('hiding whole words', () => {
  // Words of 1, 2, 3, 1, 2, 3, … tokens; the special tokens between count as going on, which must make no difference.
  const lengths = Array.from({ length: 20 }, (_, i) => 1 + (i % 3))
  const goesOn = [-1, ...lengths.flatMap((length) => Array.from({ length }, (_, i) => Number(i > 0))), -1]
  const words = [-1, ...lengths.flatMap((length, word) => Array.from({ length }, () => word)), -1]
  const ids = goesOn.map((flag, i) => (flag < 0 ? (i === 0 ? cls : sep) : special.length + (i % ordinary)))
  const count = ids.length - 2

  it('takes all tokens of a word or none, 15 % in all', () => {
    let hidden = 0
    for (let step = 0; step < 500; step++) {
      const { places } = masker({ wholeWords: true }).hide({ ids, goesOn }, stream(step))
      const taken = new Set(places.map((place) => words[place]))
      expect(places).toEqual(words.flatMap((word, place) => (word >= 0 && taken.has(word) ? [place] : [])))
      expect(places.length).toBeLessThanOrEqual(Math.round(0.15 * count))
      hidden += places.length
    }
    expect(hidden / (500 * count)).toBeGreaterThan(0.145)
  })

  it('takes parts of words where they are not asked for', () => {
    const cut = Array.from({ length: 50 }, (_, step) => masker().hide({ ids, goesOn }, stream(step))).filter(
      ({ places }) => places.some((place) => goesOn[place] === 1 && !places.includes(place - 1)),
    )
    expect(cut.length).toBeGreaterThan(40)
  })

  it('takes a word that is longer than the share where there is no other', () => {
    const { places } = masker({ wholeWords: true }).hide(
      { ids: [cls, 9, 9, 9, 9, sep], goesOn: [-1, 0, 1, 1, 1, -1] },
      stream(0),
    )
    expect(places).toEqual([1, 2, 3, 4])
  })

  it('does not join what stands on both sides of a special token', () => {
    const parted = masker({ wholeWords: true, share: 0.5 })
    const sequences = Array.from({ length: 20 }, (_, step) =>
      parted.hide({ ids: [cls, 9, unknown, 9, sep], goesOn: [-1, 0, 1, 1, -1] }, stream(step)),
    )
    expect(new Set(sequences.map(({ places }) => String(places)))).toEqual(new Set(['1', '3']))
  })
})
