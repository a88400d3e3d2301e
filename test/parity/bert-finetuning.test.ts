import { describe, expect, it } from 'vitest'
import { loadModel } from '../../src/hub/checkpoint.js'
import {
  BertForQuestionAnswering,
  BertForSequenceClassification,
  BertForTokenClassification,
} from '../../src/models/index.js'
import type { Module } from '../../src/nn/index.js'
import { type AnsweredWindow, Answering } from '../../src/training/objectives/answering.js'
import { Classification } from '../../src/training/objectives/classification.js'
import type { ExampleTask } from '../../src/training/objectives/examples.js'
import { Tagging } from '../../src/training/objectives/tagging.js'
import { Trainer } from '../../src/training/trainer.js'
import { fixturePath, largestDifference, readFixture } from './fixtures.js'

interface Sequence {
  ids: number[]
  target: number
  labels: number[]
  start: number
  end: number
}

interface Expected {
  training: { learningRate: number; betas: [number, number]; weightDecay: number; clip: number }
  losses: Record<string, number[]>
  batches: { sequences: Sequence[] }[]
}

const expected = readFixture<Expected>('bert-finetuning/expected.json')

const segments = ({ ids }: Sequence) => new Uint8Array(ids.length)

/** What each task makes of a model and of a fixture's sequences. */
const tasks: Record<string, (model: Module) => ReturnType<typeof tasked>> = {
  classification: (model) =>
    tasked(new Classification(expectType(model, BertForSequenceClassification)), (each) => each),
  tagging: (model) =>
    tasked(new Tagging(expectType(model, BertForTokenClassification), []), (each) => ({
      ids: Int32Array.from(each.ids),
      segments: segments(each),
      sentence: 0,
      words: Int32Array.from(each.labels.keys()),
      places: Int32Array.from(each.labels.keys(), (word) => word + 1),
      labels: Int32Array.from(each.labels),
    })),
  answering: (model) =>
    tasked(
      new Answering(expectType(model, BertForQuestionAnswering)),
      (each) => ({ ...each, segments: segments(each) }) as unknown as AnsweredWindow,
    ),
}

function tasked<Example>(task: ExampleTask<Example>, exampleOf: (sequence: Sequence) => Example) {
  return {
    loss: () => task.graph(),
    trainingBatch(index: number) {
      const examples = expected.batches[index].sequences.map(exampleOf)
      const feeds = task.feeds(examples, { split: 'train', index })
      const predictions = task.predictions?.(examples, feeds) ?? examples.length
      return { shape: ['batch', 'sequence'], feeds, examples: examples.length, predictions }
    },
    evaluationBatches: () => [],
  }
}

function expectType<M extends Module>(model: Module, type: new (...args: never[]) => M): M {
  if (model instanceof type) return model
  throw new TypeError(`expected a ${type.name}, got a ${model.constructor.name}`)
}

async function train(task: string, change: (model: Module) => void = () => {}, steps = expected.batches.length) {
  const { model, unused } = loadModel(fixturePath(`bert-finetuning/${task}`))
  expect(unused).toEqual([])
  change(model)
  const { learningRate, ...options } = expected.training
  const trainer = new Trainer(model.parameters(), tasks[task](model), { ...options, accumulate: 1, seed: 1 })
  const losses: number[] = []
  while (losses.length < steps) losses.push((await trainer.step(learningRate)).loss)
  trainer.dispose()
  return losses
}

describe.each(Object.keys(tasks))('fine-tuning for %s', (task) => {
  it('has the losses of PyTorch on the same batches', async () => {
    expect(largestDifference(await train(task), expected.losses[task])).toBeLessThan(1e-4)
  })

  it('has others where two weights are exchanged', async () => {
    const exchange = (model: Module) => {
      const [a, b] = ['query', 'key'].map(
        (part) => model.parameters()[`bert.encoder.layer.1.attention.self.${part}.weight`],
      )
      const [c, d] = ['query', 'value'].map(
        (part) => model.parameters()[`bert.encoder.layer.0.attention.self.${part}.weight`],
      )
      ;[a.data, b.data, c.data, d.data] = [b.data, a.data, d.data, c.data]
    }
    const found = await train(task, exchange, 5)
    expect(largestDifference(found, expected.losses[task].slice(0, 5))).toBeGreaterThan(1e-2)
  })
})
