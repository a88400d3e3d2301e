import { describe, expect, it } from 'vitest'
import { SentencePairs } from '../../data/sentence-pairs.js'
import { numberedDocuments, storeOf } from '../../data/sentence-store.testing.js'
import { SentenceWindows, type TextSequences } from '../../data/sentence-windows.js'
import { DataError } from '../../errors.js'
import type { Tensor } from '../../graph/index.js'
import { type BertConfig, BertForMaskedLM, BertForPreTraining, encoderInputs } from '../../models/index.js'
import { initialize } from '../../nn/index.js'
import { compile, type Feed, float32, ProgramCache } from '../../runtime/index.js'
import { createTokenizer } from '../../tokenizers/node.js'
import { wordPieceJson } from '../../tokenizers/tokenizer-json.js'
import { evaluateObjective } from '../trainer.js'
import { MaskedLanguageModelling, type MaskedModel, maskedBatch } from './masked-lm.js'

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
const tokens = [...special, ...Array.from({ length: 45 }, (_, i) => `w${i}`)]
const tokenizer = createTokenizer(wordPieceJson({ tokens, special, normalization: { lowercase: true } }))
const vocabularySize = tokens.length
const config: BertConfig = { vocabularySize, contextLength: 24, layers: 1, heads: 2, width: 8, deviation: 0.3 }

/** Documents of sentences of 1 to 9 tokens that are not special. */
const documents = numberedDocuments(
  Array.from({ length: 9 }, (_, i) => Array.from({ length: 3 + (i % 4) }, (_, j) => 1 + ((i * 5 + j * 7) % 9))),
).map((sentences) => sentences.map((sentence) => sentence.map((id) => special.length + ((id * 13) % 45))))
const train = storeOf(documents.slice(0, 6))
const held = storeOf(documents.slice(6))

const pairModel = new BertForPreTraining(config)
const windowModel = new BertForMaskedLM(config)
for (const model of [pairModel, windowModel]) initialize(model.parameters(), 3)

const inPairs = (store: typeof train): TextSequences => new SentencePairs(store, { length: 21, seed: 2 })
const inWindows = (store: typeof train): TextSequences => new SentenceWindows(store, { length: 22 })

function objectiveOf(model: MaskedModel, sequences: typeof inPairs, seed = 4): MaskedLanguageModelling {
  const masking = { share: 0.3, wholeWords: false }
  const data = { train: sequences(train), validation: sequences(held) }
  return new MaskedLanguageModelling({ model, tokenizer, masking, ...data, batchSize: 3, seed })
}

const numbers = (feed: Feed) => Array.from('shape' in feed ? feed.data : feed, Number)

const cases: [string, MaskedModel, typeof inPairs][] = [
  ['pairs', pairModel, inPairs],
  ['windows', windowModel, inWindows],
]

describe.each(cases)('masked language modelling of %s', (name, model, sequences) => {
  it('makes a batch from its number alone, so that a run resumes', () => {
    const first = objectiveOf(model, sequences)
    const batches = Array.from({ length: 3 * Math.ceil(first.batchesPerEpoch) + 2 }, (_, i) => first.trainingBatch(i))
    for (const [index, batch] of batches.entries()) {
      expect(objectiveOf(model, sequences).trainingBatch(index)).toEqual(batch)
    }
    expect(new Set(batches.map(({ feeds }) => String(numbers(feeds.tokens)))).size).toBe(batches.length)
    expect(objectiveOf(model, sequences, 5).trainingBatch(0)).not.toEqual(batches[0])
  })

  it('puts the hidden tokens back where they were', () => {
    const objective = objectiveOf(model, sequences)
    const text = new Set(documents.flat().flatMap((sentence) => sentence.map((id, i) => `${sentence[i - 1]} ${id}`)))
    for (let index = 0; index < 10; index++) {
      const { feeds, predictions } = objective.trainingBatch(index)
      const count = numbers(feeds.tokens).length / 4
      const ids = numbers(feeds.tokens).slice(0, count)
      const [rows, targets] = [numbers(feeds.rows), numbers(feeds.targets)]
      expect(rows.length).toBe(predictions)
      for (const [i, row] of rows.entries()) ids[row] = targets[i]
      // Inside of sentences each two tokens that follow each other do so in the text.
      const known = ids.filter((id, i) => id >= special.length && ids[i - 1] >= special.length)
      const inText = ids.filter((id, i) => text.has(`${ids[i - 1]} ${id}`))
      expect(known.length).toBeGreaterThan(0)
      expect(inText.length).toBeGreaterThan(0.5 * known.length)
      expect(rows.every((row) => ids[row] >= special.length)).toBe(true)
    }
  })

  it('validates on the same every time, every sequence once', () => {
    const objective = objectiveOf(model, sequences)
    const batches = [...objective.evaluationBatches()]
    expect([...objective.evaluationBatches()]).toEqual(batches)
    expect([...objectiveOf(model, sequences).evaluationBatches()]).toEqual(batches)
    expect(batches.reduce((sum, { examples }) => sum + examples, 0)).toBe(sequences(held).count)
  })

  it('has the loss and the metrics of the formulas, by one program', async () => {
    const objective = objectiveOf(model, sequences)
    const programs = new ProgramCache<Record<string, Tensor>>(3)
    const { metrics } = await evaluateObjective(objective, programs)
    programs.dispose()
    const expected = await measured(objective, model)
    expect(Object.keys(metrics ?? {}).sort()).toEqual(Object.keys(expected).sort())
    for (const [key, value] of Object.entries(expected)) expect(metrics?.[key]).toBeCloseTo(value, 4)
    expect(new Set([...objective.evaluationBatches()].map(({ shape }) => String(shape))).size).toBe(1)
    expect('nextSentenceLoss' in expected).toBe(name === 'pairs')
  })
})

describe('a batch of masked sequences', () => {
  const example = { ids: [2, 4, 7, 3], segments: [0, 0, 0, 0], places: [1, 2], targets: [9, 7] }

  it('counts rows over all sequences, and says of pairs whether they follow', () => {
    const { feeds, predictions } = maskedBatch([
      { ...example, follows: true },
      { ...example, ids: [2, 8, 3], places: [1], targets: [6], follows: false },
    ])
    expect(numbers(feeds.rows)).toEqual([1, 2, 5])
    expect(numbers(feeds.targets)).toEqual([9, 7, 6])
    expect(numbers(feeds.next)).toEqual([0, 1])
    expect(predictions).toBe(3)
  })

  it('needs a token to guess', () => {
    expect(() => maskedBatch([{ ...example, places: [], targets: [] }])).toThrow(DataError)
  })

  it('needs sequences to learn from', () => {
    const lone = storeOf([[[10]], [[20]]])
    expect(() => objectiveOf(pairModel, () => new SentencePairs(lone, { length: 9, seed: 1 }))).toThrow(
      /two sentences or more/,
    )
  })
})

/** The metrics by their formulas, from the logits of all tokens of every sequence for itself. */
async function measured(objective: MaskedLanguageModelling, model: MaskedModel): Promise<Record<string, number>> {
  const { inputs, input } = encoderInputs()
  const output = model.forward(input)
  const graph: Record<string, Tensor> = 'tokens' in output ? { ...output } : { tokens: output }
  const program = await compile({ inputs, outputs: graph })
  const [losses, right, nextLosses, nextRight, hidden]: number[][] = [[], [], [], [], []]
  for (const { feeds } of objective.evaluationBatches()) {
    const { rows, targets, next, ...sequences } = feeds
    const outputs = await program.run(sequences)
    const logits = float32(outputs.tokens)
    for (const [i, row] of numbers(rows).entries()) {
      const target = numbers(targets)[i]
      const { loss, isRight } = judged(logits.subarray(row * vocabularySize, (row + 1) * vocabularySize), target)
      losses.push(loss)
      right.push(Number(isRight))
      hidden.push(target)
    }
    if (next === undefined) continue
    for (const [b, answer] of numbers(next).entries()) {
      const { loss, isRight } = judged(float32(outputs.next).subarray(2 * b, 2 * b + 2), answer)
      nextLosses.push(loss)
      nextRight.push(Number(isRight))
    }
  }
  await program.dispose()
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const frequency = (id: number) => hidden.filter((one) => one === id).length / hidden.length
  return {
    maskedLoss: mean(losses),
    maskedAccuracy: mean(right),
    perplexity: Math.exp(mean(losses)),
    ...(nextLosses.length > 0 && { nextSentenceLoss: mean(nextLosses), nextSentenceAccuracy: mean(nextRight) }),
    unigramLoss: mean(hidden.map((id) => -Math.log(frequency(id)))),
    unigramAccuracy: Math.max(...hidden.map(frequency)),
  }
}

function judged(logits: Float32Array, target: number) {
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
  return { loss: Math.log(total) - logits[target], isRight: logits[target] === Math.max(...logits) }
}
