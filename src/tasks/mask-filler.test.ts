import { describe, expect, it } from 'vitest'
import { CheckpointError, DataError, UsageError } from '../errors.js'
import { input } from '../graph/index.js'
import { encoderFeeds, encoderInputs } from '../models/index.js'
import { compile, float32 } from '../runtime/index.js'
import { maskedLogits } from '../training/objectives/masked-lm.js'
import { MaskFiller } from './mask-filler.js'
import { type RandomMaskedModel, saveRandomBert, saveRandomRoberta } from './mask-filler.testing.js'
import { saveRandomModel, temporaryFolder } from './saved-model.testing.js'

const at = temporaryFolder()

/** The probabilities of all tokens in a place of a text, by a batch of this text alone. */
async function probabilities({ model, tokenizer }: RandomMaskedModel, text: string, place: number): Promise<number[]> {
  const { ids } = await tokenizer.encode(text)
  const { inputs, input: tokens } = encoderInputs()
  const rows = input('rows', 'int64', ['masked'])
  const program = await compile({ inputs: { ...inputs, rows }, outputs: { logits: maskedLogits(model, tokens, rows) } })
  const { logits } = await program.run({
    ...encoderFeeds([{ ids }]),
    rows: { data: BigInt64Array.of(BigInt(place)), shape: [1] },
  })
  await program.dispose()
  const weights = Array.from(float32(logits), Math.exp)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

describe.each([
  ['BERT', false],
  ['BERT with both heads of its pretraining', true],
])('MaskFiller with %s', (name, isPretraining) => {
  const directory = at(name)
  const saved = saveRandomBert(directory, isPretraining)

  it('gives the likeliest tokens of every mask with their probabilities', async () => {
    const filler = await MaskFiller.load(directory)
    const texts = ['The [MASK] sang.', 'A [MASK], a [MASK].']
    const found = await filler.fill(texts, { topK: 4 })
    await filler.dispose()
    expect(found.map((masks) => masks.length)).toEqual([1, 2])
    for (const [text, mask, place] of [
      [0, 0, 2],
      [1, 0, 2],
      [1, 1, 5],
    ]) {
      const expected = await probabilities(saved, texts[text], place)
      const order = [...expected.keys()].sort((a, b) => expected[b] - expected[a]).slice(0, 4)
      expect(found[text][mask].map(({ id }) => id)).toEqual(order)
      for (const { id, score, token } of found[text][mask]) {
        expect(score).toBeCloseTo(expected[id], 5)
        expect(token).toBe(saved.tokenizer.idToToken(id))
      }
    }
  })

  it('puts tokens into the text as it is, pieces behind the word before', async () => {
    const filler = await MaskFiller.load(directory)
    const [[first, second]] = await filler.fill(['The Ship [MASK] sang [MASK]'], { topK: 100 })
    expect(first.length).toBe(saved.tokenizer.vocabularySize)
    expect(first.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5)
    const fill = (masks: typeof first, token: string) => masks.find((one) => one.token === token)?.text
    expect(fill(first, 'far')).toBe('The Ship far sang [MASK]')
    expect(fill(first, '##s')).toBe('The Ships sang [MASK]')
    expect(fill(second, '.')).toBe('The Ship [MASK] sang .')
    await filler.dispose()
  })

  it('fills more texts than fit into a batch as it fills each', async () => {
    const filler = await MaskFiller.load(directory)
    const texts = Array.from(
      { length: 40 },
      (_, i) => `${'the sea '.repeat(i % 7)}[MASK]${' sang [MASK]'.repeat(i % 3)}`,
    )
    const together = await filler.fill(texts, { topK: 1 })
    for (const [i, text] of texts.entries()) {
      const [alone] = await filler.fill([text], { topK: 1 })
      expect(together[i].map(([{ id, text }]) => [id, text])).toEqual(alone.map(([{ id, text }]) => [id, text]))
    }
    await filler.dispose()
  })

  it('refuses a text without a mask, and one that is too long', async () => {
    const filler = await MaskFiller.load(directory)
    await expect(filler.fill(['[MASK]', 'The sea.'])).rejects.toThrow(UsageError)
    await expect(filler.fill(['The sea.'])).rejects.toThrow(/no \[MASK\] in "The sea\."/)
    await expect(filler.fill([`${'sea '.repeat(30)}[MASK]`])).rejects.toThrow(DataError)
    await expect(filler.fill([`${'sea '.repeat(30)}[MASK]`])).rejects.toThrow(/reads 24 tokens, .* has 33/)
    await filler.dispose()
  })
})

describe('MaskFiller with RoBERTa', () => {
  it('takes its own mask and [MASK], and knows blanks from pieces', async () => {
    const directory = at('roberta')
    const saved = await saveRandomRoberta(directory)
    const filler = await MaskFiller.load(directory)
    const [[own], [usual]] = await filler.fill(['the sea <mask>.', 'the sea [MASK].'], { topK: 1000 })
    expect(usual).toEqual(own)
    const fill = (spelled: string) => own.find(({ id }) => id === saved.tokenizer.tokenToId(spelled))
    expect(fill('Ġsang')).toMatchObject({ token: ' sang', text: 'the sea sang.' })
    expect(fill('s')).toMatchObject({ token: 's', text: 'the seas.' })
    await expect(filler.fill(['the sea'])).rejects.toThrow(/no \[MASK\] or <mask> in/)
    await filler.dispose()
  })
})

describe('MaskFiller', () => {
  it('opens no other model', async () => {
    saveRandomModel(at('gpt'), 'abc')
    await expect(MaskFiller.load(at('gpt'))).rejects.toThrow(CheckpointError)
    await expect(MaskFiller.load(at('gpt'))).rejects.toThrow(/masked language model, this is a GPT/)
  })
})
