import { describe, expect, it } from 'vitest'
import { extractEntities } from '../../data/tag-scheme.js'
import { BertForTokenClassification, encoderFeeds, encoderInputs } from '../../models/index.js'
import { forTraining, initialize } from '../../nn/index.js'
import { compile, float32, ProgramCache } from '../../runtime/index.js'
import { createTokenizer } from '../../tokenizers/node.js'
import { bertTemplate, letters } from '../../tokenizers/sequences.testing.js'
import { evaluateObjective, Trainer } from '../trainer.js'
import { ExampleObjective } from './examples.js'
import { type TaggedWindow, Tagging } from './tagging.js'
import { wordWindows } from './tagging-windows.js'

const tokenizer = createTokenizer(JSON.stringify(letters({ post_processor: bertTemplate })))
const labels = ['O', 'B-X', 'I-X']
const config = { vocabularySize: 14, contextLength: 8, layers: 1, heads: 2, width: 8, deviation: 0.5 }

/** Sentences with words of several tokens and of none, two of them too long for the model. */
const sentences = [
  { words: ['aab', 'b', '\u200b', 'abab'], tags: ['B-X', 'I-X', 'O', 'O'] },
  { words: ['中', '.'], tags: ['B-X', 'O'] },
  { words: ['a', 'aa', 'b', '中', 'abb', '.', 'a', 'b', 'bb', 'a'], tags: Array(10).fill('O').fill('B-X', 2, 5) },
  { words: ['\u200b'], tags: ['O'] },
  { words: Array(13).fill('ab'), tags: Array(13).fill('I-X').fill('B-X', 0, 1) },
]

function makeModel(dropout = 0) {
  const model = new BertForTokenClassification({ ...config, dropout }, labels)
  initialize(model.parameters(), 3)
  return model
}

async function windowsOf(some: typeof sentences): Promise<TaggedWindow[]> {
  const windows = await wordWindows(
    some.map(({ words }) => words),
    { tokenizer, maxLength: 8, stride: 3 },
  )
  return windows.map((window) => ({
    ...window,
    labels: window.words.map((word) => labels.indexOf(some[window.sentence].tags[word])),
  }))
}

/** The logits of each token of windows, read one by one with all their tokens. */
async function logitsOfTokens(model: BertForTokenClassification, windows: readonly TaggedWindow[]) {
  const { inputs, input } = encoderInputs()
  const program = await compile({ inputs, outputs: { logits: model.forward(input) } })
  const rows: number[][][] = []
  for (const window of windows) {
    const values = float32((await program.run(encoderFeeds([window]))).logits)
    rows.push(Array.from(window.ids, (_, i) => [...values.subarray(i * 3, i * 3 + 3)]))
  }
  await program.dispose()
  return rows
}

function crossEntropy(logits: readonly number[], label: number): number {
  return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[label]
}

describe('Tagging', () => {
  it('is the mean cross-entropy of the first tokens of words, over all windows of a batch', async () => {
    const model = makeModel()
    const windows = await windowsOf(sentences)
    const rows = await logitsOfTokens(model, windows)
    const task = new Tagging(model, [])
    const { inputs, loss } = task.graph()
    const program = await compile({ inputs, outputs: { loss } })
    // Batches of other sizes and in another order: the program is the same.
    for (const batch of [windows.map((_, i) => i), [3, 0], [1]]) {
      const chosen = batch.map((i) => windows[i])
      const each = batch.flatMap((i) =>
        [...windows[i].places].map((place, word) => crossEntropy(rows[i][place], windows[i].labels[word])),
      )
      const feeds = task.feeds(chosen)
      expect(task.predictions(chosen)).toBe(each.length)
      const mean = each.reduce((a, b) => a + b) / each.length
      expect(float32((await program.run(feeds)).loss)[0]).toBeCloseTo(mean, 5)
    }
    await program.dispose()
  })

  it('learns from every word of every sentence once', async () => {
    const windows = await windowsOf(sentences)
    expect(windows.length).toBeGreaterThan(sentences.length)
    const seen = windows.flatMap(({ sentence, words, labels: found }) =>
      Array.from(words, (word, i) => `${sentence} ${word} ${labels[found[i]]}`),
    )
    const expected = sentences.flatMap(({ words, tags }, s) =>
      words.flatMap((word, i) => (word === '\u200b' ? [] : `${s} ${i} ${tags[i]}`)),
    )
    expect(seen.sort()).toEqual(expected.sort())
  })

  it('measures the entities of whole sentences, words without tokens included', async () => {
    const model = makeModel()
    const validation = await windowsOf(sentences)
    const task = new Tagging(
      model,
      sentences.map(({ tags }) => tags),
    )
    const objective = new ExampleObjective(task, { train: validation, validation, batchSize: 2, seed: 1 })
    const { loss, predictions, metrics } = await evaluateObjective(objective, new ProgramCache(1))
    const rows = await logitsOfTokens(model, validation)
    const all = validation.flatMap(({ places, labels: wanted }, i) =>
      Array.from(places, (place, word) => crossEntropy(rows[i][place], wanted[word])),
    )
    expect(predictions).toBe(all.length)
    expect(loss).toBeCloseTo(all.reduce((a, b) => a + b) / all.length, 5)
    // The best legal tags of each sentence by trying all: I-X only behind B-X or I-X.
    const predicted = sentences.map(({ words }, sentence) => {
      const logits: number[][] = words.map(() => [0, -2e-3, -1e-3])
      for (const [i, window] of validation.entries()) {
        if (window.sentence !== sentence) continue
        for (const [j, word] of window.words.entries()) {
          const row = rows[i][window.places[j]]
          logits[word] = row.map((_, label) => -crossEntropy(row, label))
        }
      }
      return bestLegal(logits)
    })
    const key = (sentence: number, tags: readonly string[]) =>
      extractEntities(tags, 'BIO').map(({ type, start, end }) => `${sentence} ${type} ${start} ${end}`)
    const wanted = sentences.flatMap(({ tags }, i) => key(i, tags))
    const found = predicted.flatMap((tags, i) => key(i, tags))
    const right = found.filter((entity) => wanted.includes(entity)).length
    expect(found.length).toBeGreaterThan(0)
    expect(metrics).toMatchObject({
      precision: right / found.length,
      recall: right / wanted.length,
      f1: (2 * right) / (found.length + wanted.length),
    })
    const tagsRight = predicted.flat().filter((tag, i) => tag === sentences.flatMap(({ tags }) => tags)[i]).length
    expect(metrics?.accuracy).toBeCloseTo(tagsRight / predicted.flat().length, 10)
  })

  it('learns to tag a word by the one before it', async () => {
    const model = makeModel(0.1)
    const taught = ['ab', '.'].flatMap((first) =>
      ['a', 'b', '中', 'aa'].map((second) => ({ words: [first, second], tags: ['O', first === '.' ? 'B-X' : 'O'] })),
    )
    const windows = await windowsOf(taught)
    const task = new Tagging(
      model,
      taught.map(({ tags }) => tags),
    )
    const objective = new ExampleObjective(task, { train: windows, validation: windows, batchSize: 4, seed: 2 })
    const options = { betas: [0.9, 0.99], weightDecay: 0, clip: 1, accumulate: 1, seed: 0 } as const
    const trainer = new Trainer(model.parameters(), objective, options)
    expect((await trainer.evaluate())?.metrics?.f1).toBeLessThan(0.9)
    for (let step = 0; step < 80; step++) await trainer.step(2e-2)
    expect((await trainer.evaluate())?.metrics).toMatchObject({ f1: 1, accuracy: 1 })
    trainer.dispose()
  })

  it('drops parts of what it reads in training only', async () => {
    const graph = (model: BertForTokenClassification) => new Tagging(model, []).graph().loss
    const windows = await windowsOf(sentences.slice(0, 2))
    const task = new Tagging(makeModel(0.5), [])
    const lossOf = async (loss: ReturnType<typeof graph>, inputs: ReturnType<typeof task.graph>['inputs']) => {
      const program = await compile({ inputs, outputs: { loss } })
      const values = []
      for (const step of [0, 1]) {
        values.push(float32((await program.run(task.feeds(windows), { random: { seed: 1, step } })).loss)[0])
      }
      await program.dispose()
      return values
    }
    const trained = forTraining(() => task.graph())
    const [one, other] = await lossOf(trained.loss, trained.inputs)
    expect(one).not.toBe(other)
    const measured = task.graph()
    const [first, second] = await lossOf(measured.loss, measured.inputs)
    expect(first).toBe(second)
  })
})

/** The sequence of labels with the highest sum of scores in which I-X stands behind B-X or I-X alone. */
function bestLegal(scores: readonly (readonly number[])[]): string[] {
  let best: { sum: number; tags: number[] } = { sum: Number.NEGATIVE_INFINITY, tags: [] }
  const extend = (tags: number[], sum: number) => {
    if (tags.length === scores.length) {
      if (sum > best.sum) best = { sum, tags }
      return
    }
    for (const tag of [0, 1, 2]) {
      if (tag === 2 && (tags.at(-1) ?? 0) === 0) continue
      extend([...tags, tag], sum + scores[tags.length][tag])
    }
  }
  extend([], 0)
  return best.tags.map((tag) => labels[tag])
}
