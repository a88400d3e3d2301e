import { describe, expect, it } from 'vitest'
import { gradients, RowGradient, toDense } from '../autodiff/index.js'
import { DataError } from '../errors.js'
import { findTensor, input, reachable } from '../graph/index.js'
import { crossEntropy, gather } from '../graph/operations/index.js'
import { forTraining, initialize, type Module } from '../nn/index.js'
import { compile, type Feed, float32, type TensorValue } from '../runtime/index.js'
import {
  type BertConfig,
  BertForMultipleChoice,
  BertForQuestionAnswering,
  BertForTokenClassification,
  BertModel,
  DistilBertModel,
  encoderFeeds,
  encoderInputs,
  paddedInputs,
  RobertaModel,
  type TextEncoder,
  type TokenSequence,
  tokenScores,
} from './index.js'

const config: BertConfig = { vocabularySize: 20, contextLength: 9, layers: 2, heads: 2, width: 8, innerWidth: 12 }

const made = <M extends Module>(model: M): M => {
  initialize(model.parameters(), 5)
  return model
}

const rowsFeed = (rows: readonly number[]): Feed => ({ data: BigInt64Array.from(rows, BigInt), shape: [rows.length] })

const shapeOf = (feed: Feed) => ('shape' in feed ? feed.shape : undefined)
const numbers = (feed: Feed) => Array.from('shape' in feed ? feed.data : feed, Number)

describe('the arrays of a ragged batch', () => {
  it('say of each token what and where it is', () => {
    const { tokens, grid } = encoderFeeds([{ ids: [7, 8, 9], segments: [0, 1, 1] }, { ids: [5] }])
    expect(shapeOf(tokens)).toEqual([4, 4])
    expect(numbers(tokens)).toEqual([...[7, 8, 9, 5], ...[0, 1, 2, 0], ...[0, 1, 1, 0], ...[0, 1, 2, 3]])
    expect(shapeOf(grid)).toEqual([2, 3])
    expect(numbers(grid)).toEqual([0, 1, 2, 3, -1, -1])
  })

  it('keep the choices of an example together', () => {
    const sequences = [{ ids: [1] }, { ids: [2, 3] }, { ids: [4, 5] }, { ids: [6] }]
    const { grid } = encoderFeeds(sequences, { choices: 2 })
    expect(shapeOf(grid)).toEqual([2, 2, 2])
    expect(numbers(grid)).toEqual([0, -1, 1, 2, 3, 4, 5, -1])
  })

  it.each<[TokenSequence[], number, RegExp]>([
    [[], 1, /at least one sequence/],
    [[{ ids: [1] }, { ids: [] }], 1, /sequence 1 of a batch is empty/],
    [[{ ids: [1] }, { ids: [2] }, { ids: [3] }], 2, /3 sequences are not examples of 2 choices each/],
  ])('must be of sequences with tokens', (sequences, choices, message) => {
    expect(() => encoderFeeds(sequences, { choices })).toThrow(DataError)
    expect(() => encoderFeeds(sequences, { choices })).toThrow(message)
  })
})

const families: [string, (dropout: number) => TextEncoder][] = [
  ['BERT', (dropout) => new BertModel({ ...config, dropout })],
  [
    'BERT with distances',
    (dropout) => new BertModel({ ...config, dropout, relativePositions: { buckets: 8, maxDistance: 6 } }),
  ],
  ['RoBERTa', (dropout) => new RobertaModel({ ...config, dropout, contextLength: 7 })],
  ['DistilBERT', (dropout) => new DistilBertModel({ ...config, dropout })],
]

describe.each(families)('the body of a %s', (_name, make) => {
  const model = made(make(0))

  it('serves batches of all sizes with one program, whose feeds always fit', async () => {
    const { inputs, input } = encoderInputs()
    const program = await compile({ inputs, outputs: { hidden: model.forward(input) } })
    expect([...program.inputs.keys()]).toEqual(['tokens', 'grid'])
    const alone = new Map<string, Float32Array>()
    const sequences = [[3, 4, 5], [6], [7, 8, 9, 10, 11]]
    for (const ids of sequences) alone.set(String(ids), float32((await program.run(encoderFeeds([{ ids }]))).hidden))
    const { hidden } = await program.run(encoderFeeds(sequences.map((ids) => ({ ids }))))
    await program.dispose()
    expect(hidden.shape).toEqual([9, 8])
    let row = 0
    for (const ids of sequences) {
      const own = float32(hidden).subarray(8 * row, 8 * (row + ids.length))
      for (const [i, value] of alone.get(String(ids))!.entries()) expect(own[i]).toBeCloseTo(value, 5)
      row += ids.length
    }
  })

  it('computes its last layer for the tokens alone that are asked for, with equal outputs and gradients', async () => {
    const { inputs, input: tokens } = encoderInputs()
    const rows = input('rows', 'int64', ['rows'])
    const [some, all] = [model.forward(tokens, rows), gather(model.forward(tokens), rows)] // 2 × [M, C]
    const outputs = [some, all].map((hidden) => {
      const found = gradients(hidden.mul(hidden).sum(), model.parameters())
      const dense = Object.entries(found).map(([name, gradient]) => [name, toDense(gradient)] as const)
      return { hidden, ...Object.fromEntries(dense) }
    })
    const feeds = { ...encoderFeeds([{ ids: [3, 4, 5] }, { ids: [6, 7] }]), rows: rowsFeed([4, 1, 4]) }
    const [found, expected] = await Promise.all(
      outputs.map(async (each) => {
        const program = await compile({ inputs: { ...inputs, rows }, outputs: each })
        const result: Record<string, TensorValue> = await program.run(feeds)
        await program.dispose()
        return result
      }),
    )
    expect(found.hidden.shape).toEqual([3, 8])
    expect(Object.keys(found)).toEqual(Object.keys(expected))
    for (const [name, value] of Object.entries(expected)) {
      const [a, b] = [float32(found[name]), float32(value)]
      for (let i = 0; i < b.length; i++) expect(Math.abs(a[i] - b[i]), name).toBeLessThan(1e-5 * (1 + Math.abs(b[i])))
    }
    const widths = reachable([some]).filter(({ name }) => name.endsWith('activation') && !name.includes('layer.0'))
    expect(widths.map(({ shape }) => shape[0])).toEqual(['rows'])
  })

  it('moves no rows by scatters, and gives all tables of embeddings one array of gradients', () => {
    const { input } = encoderInputs()
    const found = Object.values(gradients(model.forward(input), model.parameters()))
    const sparse = found.filter((gradient) => gradient instanceof RowGradient)
    expect(sparse.length).toBeGreaterThan(1)
    expect(new Set(sparse.flatMap(({ parts }) => parts.map(({ rows }) => rows))).size).toBe(1)
    const tensors = found.flatMap((gradient) =>
      gradient instanceof RowGradient ? gradient.parts.map(({ rows }) => rows) : [gradient],
    )
    const operations = new Set(reachable(tensors).map(({ application }) => application?.operation.name))
    expect(operations).toContain('CollectRows')
    expect([...operations].filter((name) => name?.startsWith('Scatter'))).toEqual([])
  })

  it('drops the same elements for the same seed and step only', async () => {
    const { inputs, input } = encoderInputs()
    const program = await compile({ inputs, outputs: { hidden: forTraining(() => made(make(0.4)).forward(input)) } })
    const feeds = encoderFeeds([{ ids: [3, 4, 5] }, { ids: [6] }])
    const run = async (seed: number, step: number) => [
      ...float32((await program.run(feeds, { random: { seed, step } })).hidden),
    ]
    const first = await run(1, 1)
    expect(await run(1, 1)).toEqual(first)
    expect(await run(1, 2)).not.toEqual(first)
    expect(await run(2, 1)).not.toEqual(first)
    await program.dispose()
  })
})

describe('padding', () => {
  it('changes no bit of what is computed of tokens, and gets gradients of exactly 0', async () => {
    const model = made(new BertForTokenClassification(config, ['O', 'B', 'I']))
    const { inputs, input: tokens } = paddedInputs()
    const labels = input('labels', 'int64', ['batch', 'sequence'])
    const logits = model.forward(tokens)
    const loss = crossEntropy(logits, labels.reshape([-1]))
    const words = gradients(loss, [model.bert.embeddings.word_embeddings.weight])[0]
    if (!(words instanceof RowGradient)) throw new TypeError('expected rows')
    const program = await compile({ inputs: { ...inputs, labels }, outputs: { logits, rows: words.parts[0].rows } })
    const shape = [2, 4]
    const keep = [1, 1, 1, 0, 1, 0, 0, 0]
    const feed = (values: readonly number[]) => ({ data: BigInt64Array.from(values, BigInt), shape })
    const run = (padding: number) =>
      program.run({
        input_ids: feed(keep.map((kept, i) => (kept ? 5 + i : padding))),
        attention_mask: feed(keep),
        token_type_ids: feed(keep.map(() => 0)),
        labels: feed(keep.map((kept, i) => (kept ? i % 3 : -100))),
      })
    const [zeros, others] = [await run(0), await run(17)]
    await program.dispose()
    for (const [i, kept] of keep.entries()) {
      const own = (value: TensorValue, width: number) => [...float32(value).subarray(width * i, width * (i + 1))]
      if (kept) expect(own(others.logits, 3)).toEqual(own(zeros.logits, 3))
      for (const value of own(others.rows, 8)) expect(value === 0).toBe(!kept)
    }
  })
})

describe('heads', () => {
  const sequences = [{ ids: [3, 4, 5] }, { ids: [6, 7] }]

  it('give the scores of tokens sequence by sequence, and none to places without a token', async () => {
    const model = made(new BertForQuestionAnswering(config))
    const { inputs, input } = encoderInputs()
    const { start } = model.forward(input)
    const program = await compile({ inputs, outputs: { start, scores: tokenScores(start, input.layout) } })
    const { start: flat, scores } = await program.run(encoderFeeds(sequences))
    await program.dispose()
    const [a, b, c, d, e] = float32(flat)
    expect(scores.shape).toEqual([2, 3])
    expect([...float32(scores)]).toEqual([a, b, c, d, e, -1e9])
  })

  it('score the choices of each example', async () => {
    const model = made(new BertForMultipleChoice(config))
    const run = async (choices: number): Promise<TensorValue> => {
      const { inputs, input } = encoderInputs({ choices })
      const program = await compile({ inputs, outputs: { logits: model.forward(input, choices) } })
      const { logits } = await program.run(encoderFeeds([...sequences, ...sequences, ...sequences], { choices }))
      await program.dispose()
      return logits
    }
    const [byTwo, byThree] = [await run(2), await run(3)]
    expect([byTwo.shape, byThree.shape]).toEqual([
      [3, 2],
      [2, 3],
    ])
    const [a, b] = float32(byTwo)
    expect(a).not.toBe(b)
    expect([...float32(byTwo), ...float32(byThree)].map((x) => x.toFixed(5))).toEqual(
      Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? a : b).toFixed(5)),
    )
  })

  it('name what they make, to be looked at', () => {
    const { input } = encoderInputs()
    const logits = new BertForTokenClassification(config, ['O', 'B']).forward(input)
    expect(logits.name).toBe('classifier.logits')
    expect(findTensor([logits], 'bert.encoder.layer.1.attention.self.weights').shape).toEqual([
      'batch',
      2,
      'sequence',
      'sequence',
    ])
  })
})
