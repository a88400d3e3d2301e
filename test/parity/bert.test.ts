import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../../src/autodiff/index.js'
import { input, type Tensor } from '../../src/graph/index.js'
import { crossEntropy } from '../../src/graph/operations/index.js'
import { loadModel } from '../../src/hub/checkpoint.js'
import {
  BertForMaskedLM,
  BertForMultipleChoice,
  BertForPreTraining,
  BertForQuestionAnswering,
  BertForRelationClassification,
  BertForSequenceClassification,
  BertForTokenClassification,
  BertModel,
  type ChoiceModel,
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  DistilBertModel,
  type EncoderInput,
  encoderFeeds,
  encoderInputs,
  paddedInputs,
  type QuestionAnswerer,
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
} from '../../src/models/index.js'
import { type Module, relativePositionBucket } from '../../src/nn/index.js'
import { compile, type Feed, float32, type TensorValue } from '../../src/runtime/index.js'
import { distance, fixturePath, largestDifference, norm, readFixture, readTensors } from './fixtures.js'

interface Sequence {
  ids: number[]
  segments: number[]
}

interface Expected {
  sequences: Sequence[]
  outputs: Record<string, number[]>
  /** Of the relation model: two tokens of each sequence. */
  spans?: number[][]
  targets?: Record<string, number[]>
  loss?: number
}

type Outputs = Record<string, Tensor>
type Plain = Module & { forward(tokens: EncoderInput): Tensor }

/** Where the relation's spans start. */
const spans = { first: input('first', 'int64', ['batch']), second: input('second', 'int64', ['batch']) }

/** What a fixture's model computes, once it is known to be of the right class. */
function of<M extends Module>(type: new (...args: never[]) => M, outputs: (model: M, tokens: EncoderInput) => Outputs) {
  return (model: Module, tokens: EncoderInput): Outputs => {
    if (model instanceof type) return outputs(model, tokens)
    throw new TypeError(`expected a ${type.name}, got a ${model.constructor.name}`)
  }
}

const pooled = (model: BertModel | RobertaModel, tokens: EncoderInput): Outputs => {
  const hidden = model.forward(tokens)
  return { hidden, pooled: model.pooler.forward(hidden, tokens.layout) }
}
const logits = (model: Plain, tokens: EncoderInput): Outputs => ({ logits: model.forward(tokens) })
const answer = (model: QuestionAnswerer, tokens: EncoderInput): Outputs => ({ ...model.forward(tokens) })
const choice = (model: ChoiceModel, tokens: EncoderInput): Outputs => ({ logits: model.forward(tokens, 2) })

const variants: Readonly<Record<string, (model: Module, tokens: EncoderInput) => Outputs>> = {
  'bert-model': of(BertModel, pooled),
  'bert-masked-lm': of(BertForMaskedLM, logits),
  'bert-pretraining': of(BertForPreTraining, (model, tokens) => ({ ...model.forward(tokens) })),
  'bert-sequence': of(BertForSequenceClassification, logits),
  'bert-token': of(BertForTokenClassification, logits),
  'bert-answer': of(BertForQuestionAnswering, answer),
  'bert-choice': of(BertForMultipleChoice, choice),
  'bert-relation': of(BertForRelationClassification, (model, tokens) => ({ logits: model.forward(tokens, spans) })),
  'bert-relative': of(BertForSequenceClassification, logits),
  'roberta-model': of(RobertaModel, pooled),
  'roberta-masked-lm': of(RobertaForMaskedLM, logits),
  'roberta-sequence': of(RobertaForSequenceClassification, logits),
  'roberta-token': of(RobertaForTokenClassification, logits),
  'roberta-answer': of(RobertaForQuestionAnswering, answer),
  'roberta-choice': of(RobertaForMultipleChoice, choice),
  'distilbert-model': of(DistilBertModel, logits),
  'distilbert-masked-lm': of(DistilBertForMaskedLM, logits),
  'distilbert-sequence': of(DistilBertForSequenceClassification, logits),
  'distilbert-token': of(DistilBertForTokenClassification, logits),
  'distilbert-answer': of(DistilBertForQuestionAnswering, answer),
  'distilbert-choice': of(DistilBertForMultipleChoice, choice),
}

/** Outputs with a row per token rather than per sequence. */
const perToken = (name: string) => /-(masked-lm|token|answer)$/.test(name)

function load(name: string): Module {
  const { model, unused } = loadModel(fixturePath(`bert/${name}`))
  expect(unused).toEqual([])
  return model
}

const int64 = (values: readonly number[], shape: readonly number[]): Feed => ({
  data: BigInt64Array.from(values, BigInt),
  shape,
})

/** The rows among all tokens at which the relation's spans start. */
function spanFeeds(name: string, sequences: readonly Sequence[], width?: number): Record<string, Feed> {
  if (name !== 'bert-relation') return {}
  const { spans = [], sequences: all } = readFixture<Expected>(`bert/${name}/expected.json`)
  let start = 0
  const rows = sequences.map((sequence) => {
    const own = spans[all.findIndex(({ ids }) => String(ids) === String(sequence.ids))].map((token) => start + token)
    start += width ?? sequence.ids.length
    return own
  })
  return Object.fromEntries(
    ['first', 'second'].map((key, i) => [
      key,
      int64(
        rows.map((row) => row[i]),
        [rows.length],
      ),
    ]),
  )
}

type Values = Record<string, Float32Array>

/** What a model computes of ragged batches, each a list of sequences, one after another by one program. */
async function runRagged(name: string, model: Module, batches: readonly Sequence[][]): Promise<Values[]> {
  const choices = name.endsWith('-choice') ? 2 : 1
  const { inputs, input: tokens } = encoderInputs({ choices })
  const program = await compile({ inputs: { ...inputs, ...spans }, outputs: variants[name](model, tokens) })
  const found: Values[] = []
  for (const sequences of batches) {
    const result = await program.run({ ...encoderFeeds(sequences, { choices }), ...spanFeeds(name, sequences) })
    found.push(valuesOf(result))
  }
  await program.dispose()
  return found
}

/** The same of one padded batch, whose padding is filled with an id that means something; rows of padding left out. */
async function runPadded(name: string, model: Module, sequences: readonly Sequence[]): Promise<Values> {
  const choices = name.endsWith('-choice') ? 2 : 1
  const { inputs, input: tokens } = paddedInputs({ choices })
  const outputs = variants[name](model, tokens)
  const program = await compile({ inputs: { ...inputs, ...spans }, outputs })
  const width = 2 + Math.max(...sequences.map(({ ids }) => ids.length))
  const shape = choices === 1 ? [sequences.length, width] : [sequences.length / choices, choices, width]
  const grid = (row: (sequence: Sequence) => number[], padding: number) =>
    int64(
      sequences.flatMap((sequence) => [...row(sequence), ...Array(width - sequence.ids.length).fill(padding)]),
      shape,
    )
  const feeds: Record<string, Feed> = {
    input_ids: grid(({ ids }) => ids, 7),
    attention_mask: grid(({ ids }) => ids.map(() => 1), 0),
    token_type_ids: grid(({ segments }) => segments, 0),
    ...spanFeeds(name, sequences, width),
  }
  const known = Object.entries(feeds).filter(([key]) => program.inputs.has(key))
  const result = valuesOf(await program.run(Object.fromEntries(known)))
  await program.dispose()
  const keep = sequences.flatMap(({ ids }) => Array.from({ length: width }, (_, t) => t < ids.length))
  const isPerToken = (key: string) =>
    perToken(name) || ['hidden', 'tokens'].includes(key) || name === 'distilbert-model'
  return Object.fromEntries(
    Object.entries(result).map(([key, data]) => [key, isPerToken(key) ? keptRows(data, keep) : data]),
  )
}

function valuesOf(result: Readonly<Record<string, TensorValue>>): Values {
  return Object.fromEntries(Object.entries(result).map(([key, value]) => [key, float32(value)]))
}

function keptRows(data: Float32Array, keep: readonly boolean[]): Float32Array {
  const width = data.length / keep.length
  return data.filter((_, i) => keep[Math.floor(i / width)])
}

/** The largest difference of any output. */
function worst(actual: Values, expected: Readonly<Record<string, ArrayLike<number>>>): number {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort())
  return Math.max(...Object.entries(expected).map(([key, values]) => largestDifference(actual[key], values)))
}

function expectedOutputs(name: string): Record<string, number[]> {
  const { outputs } = readFixture<Expected>(`bert/${name}/expected.json`)
  return name === 'distilbert-model' ? { logits: outputs.hidden } : outputs
}

describe.each(Object.keys(variants))("transformers' %s", (name) => {
  const { sequences } = readFixture<Expected>(`bert/${name}/expected.json`)
  const expected = expectedOutputs(name)

  it('has equal outputs: of a ragged batch, of the same sequences apart, and of a padded batch', async () => {
    const model = load(name)
    const apart = name.endsWith('-choice')
      ? [sequences.slice(0, 2), sequences.slice(2)]
      : sequences.map((sequence) => [sequence])
    const [together, ...parts] = await runRagged(name, model, [sequences, ...apart])
    expect(worst(together, expected)).toBeLessThan(1e-5)
    const joined = Object.keys(expected).map((key) => [key, parts.flatMap((part) => Array.from(part[key]))])
    expect(worst(together, Object.fromEntries(joined))).toBeLessThan(1e-5)
    expect(worst(await runPadded(name, model, sequences), expected)).toBeLessThan(1e-5)
  })

  it('has other outputs when two weights are swapped', async () => {
    const model = load(name)
    const values = Object.entries(model.parameters()).filter(([path]) => /(value|v_lin)\.weight$/.test(path))
    const [first, second] = values.map(([, parameter]) => parameter)
    ;[first.data, second.data] = [second.data, first.data]
    const [outputs] = await runRagged(name, model, [sequences])
    expect(worst(outputs, expected)).toBeGreaterThan(1e-2)
  })
})

interface Training {
  /** The targets, with the number that each has one of. */
  readonly targets: Readonly<Record<string, string>>
  loss(outputs: Outputs, targets: Readonly<Record<string, Tensor>>): Tensor
}

const classified = (of: string): Training => ({
  targets: { targets: of },
  loss: ({ logits }, { targets }) => crossEntropy(logits, targets),
})

/** The losses that fixtures have gradients of. */
const trainings: Readonly<Record<string, Training>> = {
  'bert-pretraining': {
    targets: { rows: 'guesses', targets: 'guesses', next: 'batch' },
    loss: ({ tokens, next }, targets) => crossEntropy(tokens, targets.targets).add(crossEntropy(next, targets.next)),
  },
  'bert-relative': classified('batch'),
  'roberta-token': classified('tokens'),
  'distilbert-token': classified('tokens'),
}

describe.each(Object.entries(trainings))("transformers' %s in training", (name, training) => {
  const expected = readFixture<Expected>(`bert/${name}/expected.json`)

  it('has the same loss and gradients on a ragged batch', async () => {
    const model = load(name)
    const { inputs, input: tokens } = encoderInputs()
    const targets = Object.entries(training.targets).map(([key, count]) => [key, input(key, 'int64', [count])] as const)
    const given = Object.fromEntries(targets)
    // The model guesses some tokens only, as in training.
    const outputs =
      model instanceof BertForPreTraining ? { ...model.forward(tokens, given.rows) } : variants[name](model, tokens)
    const loss = training.loss(outputs, given)
    const found = Object.entries(gradients(loss, model.parameters()))
    const dense = Object.fromEntries(found.map(([path, gradient]) => [path, toDense(gradient)]))
    const program = await compile({ inputs: { ...inputs, ...given }, outputs: { loss, ...dense } })
    const result: Record<string, TensorValue> = await program.run({
      ...encoderFeeds(expected.sequences),
      ...Object.fromEntries(targets.map(([key]) => [key, targetFeed(expected, key)])),
    })
    await program.dispose()
    const reached = float32(result.loss)[0] / expected.loss!
    expect(Math.abs(reached - 1)).toBeLessThan(1e-5)
    const reference = readTensors(`bert/${name}/gradients.safetensors`)
    expect([...reference.keys()].sort()).toEqual(Object.keys(dense).sort())
    const globalNorm = Math.hypot(...[...reference.values()].map((value) => norm(float32(value))))
    for (const [path, value] of reference) {
      const error = distance(float32(result[path]), float32(value))
      expect(error / (norm(float32(value)) + 1e-3 * globalNorm), path).toBeLessThan(1e-5)
    }
  })
})

function targetFeed({ targets = {} }: Expected, key: string): Feed {
  return int64(targets[key], [targets[key].length])
}

describe("T5's groups of distances", () => {
  interface Case {
    bidirectional: boolean
    buckets: number
    maxDistance: number
    first: number
    groups: number[]
  }
  const { cases } = readFixture<{ cases: Case[] }>('bert/buckets.json')

  it.each(cases)('$buckets up to $maxDistance, bidirectional: $bidirectional', ({ first, groups, ...options }) => {
    expect(groups.map((_, i) => relativePositionBucket(first + i, options))).toEqual(groups)
  })
})
