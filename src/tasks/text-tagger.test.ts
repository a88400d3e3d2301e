import { afterAll, describe, expect, it } from 'vitest'
import { followsScheme } from '../data/tag-scheme.js'
import { saveRandomModel, temporaryFolder } from './saved-model.testing.js'
import { TextTagger } from './text-tagger.js'
import { lookupScore, saveLookupTagger } from './text-tagger.testing.js'

const at = temporaryFolder()
saveLookupTagger(at('tagger'))
const tagger = await TextTagger.load(at('tagger'))
afterAll(() => tagger.dispose())

/** The entities of a text as `label text start`. */
async function entitiesOf(text: string): Promise<string[]> {
  const [{ entities }] = await tagger.tag([text])
  for (const { text: found, start, end } of entities) expect(text.slice(start, end)).toBe(found)
  return entities.map(({ label, text: found, start }) => `${label} ${found} ${start}`)
}

describe('TextTagger', () => {
  it.each([
    [
      'English, with words of several tokens',
      'Ada Lovelace lives in  San Francisco.',
      'PER Ada Lovelace 0',
      'LOC San Francisco 23',
    ],
    ['characters of two UTF-16 units', '😀 Ada in😀😀San😀', 'PER Ada 3', 'LOC San 13'],
    ['Chinese, where every character is a word', '我在北京市,Ada在北京.', 'LOC 北京市 2', 'PER Ada 6', 'LOC 北京 10'],
    ['accents and case that the tokenizer removes', 'ÁDA lives', 'PER ÁDA 0'],
    ['what has no token', '\u200bAda\u200b Love\u0000lace', 'PER Ada\u200b Love\u0000lace 1'],
    ['neighbours', 'Ada Ada San San', 'PER Ada 0', 'PER Ada 4', 'LOC San 8', 'LOC San 12'],
    ['nothing to find', 'in .'],
    ['no text', ''],
    ['blanks', ' \t\n'],
  ])('finds entities exactly where they are: %s', async (_what, text, ...expected) => {
    expect(await entitiesOf(text)).toEqual(expected)
  })

  it('gives the mean probability of the words', async () => {
    const [{ entities }] = await tagger.tag(['Ada Lovelace lives'])
    expect(entities[0].score).toBeCloseTo(lookupScore(), 5)
  })

  it('finds only what the scheme of the labels allows', async () => {
    // "Love" is within a name, but there is none before it.
    const words = ['lives', 'Love', 'Francisco', 'San', 'love', 'in']
    const [tags] = await tagger.tagWords([words])
    expect(
      followsScheme(
        tags.map(({ tag }) => tag),
        'BIO',
      ),
    ).toBe(true)
    expect(tags.map(({ tag }) => tag)).not.toContain('I-PER')
    expect(tagger.scheme).toBe('BIO')
  })

  it('reads long texts in windows, and many texts in batches', async () => {
    const sentence = 'Ada Lovelace lives in San Francisco. '
    const long = sentence.repeat(30)
    const expected = Array.from({ length: 30 }, (_, i) => [
      `PER Ada Lovelace ${i * 37}`,
      `LOC San Francisco ${22 + i * 37}`,
    ])
    expect(await entitiesOf(long)).toEqual(expected.flat())
    const texts = Array.from({ length: 50 }, (_, i) =>
      i % 7 === 0 ? 'Ada'.repeat(i % 2) : sentence.repeat((i % 4) + 1),
    )
    const together = await tagger.tag(texts)
    for (const [i, text] of texts.entries()) expect(together[i]).toEqual((await tagger.tag([text]))[0])
  })

  it('says that a model is no tagger', async () => {
    saveRandomModel(at('gpt'), 'abc')
    await expect(TextTagger.load(at('gpt'))).rejects.toThrow(
      `${at('gpt')}: tagging needs a model with a head for it, such as BertForTokenClassification, this is a GPT`,
    )
  })
})
