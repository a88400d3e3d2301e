import { afterAll, describe, expect, it } from 'vitest'
import { CheckpointError, TokenizerError, UsageError } from '../errors.js'
import { saveModel } from '../hub/checkpoint.js'
import { type Classifier, classifierFeeds, classifierGraph } from '../models/classifier.js'
import {
  BertForSequenceClassification,
  BertModel,
  GPTForSequenceClassification,
  type TokenSequence,
} from '../models/index.js'
import { initialize } from '../nn/index.js'
import { compile, float32 } from '../runtime/index.js'
import { trainCharacterTokenizer } from '../tokenizers/characters.js'
import { createTokenizer } from '../tokenizers/node.js'
import { saveTokenizer } from '../tokenizers/save.js'
import { saveRandomModel, temporaryFolder } from './saved-model.testing.js'
import type { CutText } from './text-batches.js'
import { TextClassifier } from './text-classifier.js'
import { saveEncoder, sequenceOf, texts, tinyEncoder } from './text-classifier.testing.js'

const at = temporaryFolder()
const labels = ['bad', 'good', 'so-so']
const opened: TextClassifier[] = []
afterAll(() => Promise.all(opened.map((classifier) => classifier.dispose())))

async function load(...input: Parameters<typeof TextClassifier.load>): Promise<TextClassifier> {
  const classifier = await TextClassifier.load(...input)
  opened.push(classifier)
  return classifier
}

/** The logits of sequences that are run one by one. */
async function logitsOf(model: Classifier, sequences: readonly TokenSequence[]): Promise<number[][]> {
  const { inputs, logits } = classifierGraph(model)
  const program = await compile({ inputs, outputs: { logits } })
  const rows: number[][] = []
  for (const one of sequences) rows.push([...float32((await program.run(classifierFeeds(model, [one]))).logits)])
  await program.dispose()
  return rows
}

const softmax = (logits: readonly number[]) => {
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
  return logits.map((logit) => Math.exp(logit) / total)
}
const close = (value: number) => expect.closeTo(value, 5)

describe('TextClassifier', () => {
  it('gives the likeliest label and the probability of each, for texts of all lengths in their order', async () => {
    const model = saveEncoder(at('single'), new BertForSequenceClassification(tinyEncoder, labels))
    const classifier = await load(at('single'))
    expect(classifier.problem).toBe('single_label_classification')
    const given = texts(70)
    const results = await classifier.classify(given)
    const rows = (
      await logitsOf(
        model,
        given.map((text) => sequenceOf(text)),
      )
    ).map(softmax)
    for (const [i, row] of rows.entries()) {
      const best = row.indexOf(Math.max(...row))
      const scores = Object.fromEntries(labels.map((label, j) => [label, close(row[j])]))
      expect(results[i]).toEqual({ label: labels[best], score: close(row[best]), scores })
    }
    expect(new Set(results.map(({ label }) => label)).size).toBeGreaterThan(1)
    expect(await classifier.classify([])).toEqual([])
  })

  it('reads pairs as one sequence of two segments', async () => {
    const model = saveEncoder(at('pairs'), new BertForSequenceClassification(tinyEncoder, labels))
    const classifier = await load(at('pairs'))
    const [pair, swapped, alone] = await classifier.classify([
      { text: 'the room', pair: 'was clean' },
      { text: 'was clean', pair: 'the room' },
      { text: 'the room' },
    ])
    const rows = await logitsOf(model, [
      sequenceOf('the room', 'was clean'),
      sequenceOf('was clean', 'the room'),
      sequenceOf('the room'),
    ])
    for (const [i, { scores }] of [pair, swapped, alone].entries()) {
      expect(Object.values(scores ?? {})).toEqual(softmax(rows[i]).map(close))
    }
    expect(Math.abs((pair.scores?.good ?? 0) - (swapped.scores?.good ?? 0))).toBeGreaterThan(1e-3)
  })

  it('gives all labels above one half, the likeliest first, where several can apply', async () => {
    const problem = 'multi_label_classification'
    const model = saveEncoder(at('several'), new BertForSequenceClassification(tinyEncoder, labels, problem))
    const classifier = await load(at('several'))
    const given = texts(20)
    const results = await classifier.classify(given)
    const rows = await logitsOf(
      model,
      given.map((text) => sequenceOf(text)),
    )
    for (const [i, row] of rows.entries()) {
      const scored = row.map((logit, j) => ({ label: labels[j], score: 1 / (1 + Math.exp(-logit)) }))
      const above = scored.filter(({ score }) => score > 0.5).sort((a, b) => b.score - a.score)
      expect(results[i]).toEqual({
        labels: above.map(({ label, score }) => ({ label, score: close(score) })),
        scores: Object.fromEntries(scored.map(({ label, score }) => [label, close(score)])),
      })
    }
    expect(new Set(results.map((result) => result.labels?.length)).size).toBeGreaterThan(1)
  })

  it('gives the number of a regression', async () => {
    const model = saveEncoder(at('number'), new BertForSequenceClassification(tinyEncoder, ['LABEL_0'], 'regression'))
    const classifier = await load(at('number'))
    const given = texts(9)
    const rows = await logitsOf(
      model,
      given.map((text) => sequenceOf(text)),
    )
    expect(await classifier.classify(given)).toEqual(rows.map(([value]) => ({ value: close(value) })))
  })

  it('cuts what is too long, at the end, and says which text it was', async () => {
    saveEncoder(at('long'), new BertForSequenceClassification(tinyEncoder, labels))
    const classifier = await load(at('long'))
    const long = 'the room was clean . the room was small . the room'
    const cuts: CutText[] = []
    await classifier.classify(['the', long], { onCut: (cut) => cuts.push(cut) })
    // 12 tokens of context, of which [CLS] and [SEP] take two.
    expect(cuts).toEqual([{ index: 1, removed: 2 }])
    const goodness = async (text: string) => (await classifier.classify([text]))[0].scores?.good ?? 0
    const whole = await goodness(long)
    expect(whole).toBeCloseTo(await goodness(long.slice(0, -' the room'.length)), 6)
    expect(Math.abs(whole - (await goodness(long.slice('the room '.length))))).toBeGreaterThan(1e-3)
  })

  it('looks at as much of a text as in training, or as it is told, and never at more than the model can', async () => {
    saveEncoder(at('trained'), new BertForSequenceClassification(tinyEncoder, labels), { maxLength: 5 })
    const trained = await load(at('trained'))
    const [longer, endless] = [
      await load(at('trained'), { maxLength: 7 }),
      await load(at('trained'), { maxLength: 99 }),
    ]
    expect([trained, longer, endless].map(({ maxLength }) => maxLength)).toEqual([5, 7, 12])
    const text = 'the room was clean .'
    const goodness = async (by: TextClassifier, of: string) => (await by.classify([of]))[0].scores?.good ?? 0
    const seen = await goodness(trained, text)
    expect(seen).toBeCloseTo(await goodness(trained, 'the room was'), 6)
    expect(Math.abs(seen - (await goodness(longer, text)))).toBeGreaterThan(1e-3)
    const narrow = await load(at('trained'), { maxLength: 1 })
    await expect(narrow.classify([text])).rejects.toThrow(UsageError)
  })

  it('classifies with a GPT, which keeps the end of a long text and reads an empty one as the end of a text', async () => {
    const tokenizer = createTokenizer(trainCharacterTokenizer('abcd', ['<|endoftext|>']))
    const sizes = { vocabularySize: tokenizer.vocabularySize, contextLength: 4, layers: 1, heads: 2, width: 8 }
    const model = new GPTForSequenceClassification({ ...sizes, deviation: 0.5 }, labels)
    initialize(model.parameters(), 2)
    saveModel(at('gpt'), model)
    saveTokenizer(at('gpt'), tokenizer, sizes)
    const classifier = await load(at('gpt'))
    const idsOf = (text: string) => [...text].map((character) => tokenizer.tokenToId(character) ?? 0)
    const end = tokenizer.tokenToId('<|endoftext|>') ?? -1
    const rows = await logitsOf(model, [{ ids: idsOf('bcda') }, { ids: [end] }, { ids: idsOf('c') }])
    const cuts: CutText[] = []
    const results = await classifier.classify(['aabcda', '', 'c'], { onCut: (cut) => cuts.push(cut) })
    for (const [i, { scores }] of results.entries()) {
      expect(Object.values(scores ?? {})).toEqual(softmax(rows[i]).map(close))
    }
    expect(cuts).toEqual([{ index: 0, removed: 2 }])
  })

  it('refuses what is no classifier', async () => {
    saveEncoder(at('body'), new BertModel(tinyEncoder))
    await expect(TextClassifier.load(at('body'))).rejects.toThrow(/needs a classifier, this is a BertModel/)
    saveRandomModel(at('writer'), 'abc')
    await expect(TextClassifier.load(at('writer'))).rejects.toThrow(CheckpointError)
    saveEncoder(at('numbers'), new BertForSequenceClassification(tinyEncoder, ['x', 'y'], 'regression'))
    await expect(TextClassifier.load(at('numbers'))).rejects.toThrow(/one output, this one has 2/)
    const bare = new BertForSequenceClassification(tinyEncoder, labels)
    initialize(bare.parameters(), 1)
    saveModel(at('bare'), bare)
    await expect(TextClassifier.load(at('bare'))).rejects.toThrow(TokenizerError)
  })
})
