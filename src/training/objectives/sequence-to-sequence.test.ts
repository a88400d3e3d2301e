import { describe, expect, it } from 'vitest'
import { distance, norm } from '../../../test/parity/fixtures.js'
import { pairInputs, Transformer, type TransformerConfig } from '../../models/index.js'
import { forTraining, initialize } from '../../nn/index.js'
import { compile, type Feed, float32 } from '../../runtime/index.js'
import { Trainer } from '../trainer.js'
import { ExampleObjective } from './examples.js'
import type { LossGraph, Objective } from './objective.js'
import { pairBatch, SequenceToSequence, type TokenPair, teacherForcing } from './sequence-to-sequence.js'

const [pad, end] = [0, 1]
const config: TransformerConfig = {
  vocabularySize: 12,
  contextLength: 12,
  encoderLayers: 1,
  decoderLayers: 1,
  heads: 2,
  width: 16,
  innerWidth: 32,
  decoderStartTokenId: pad,
}

function tinyTransformer(changes: Partial<TransformerConfig> = {}): Transformer {
  const model = new Transformer({ ...config, ...changes })
  initialize(model.parameters(), 3)
  return model
}

/** Sequences of digits 2 … 11 to be written backwards, each of another length than the one before. */
function reversals(count: number, first = 0): TokenPair[] {
  return Array.from({ length: count }, (_, i) => {
    const number = first + i
    const digits = Array.from({ length: 1 + (number % 5) }, (_, j) => 2 + ((number * 7 + j * (3 + (number % 4))) % 10))
    return { source: [...digits, end], target: [...digits.reverse(), end] }
  })
}

const numbers = (feed: Feed) => Array.from('shape' in feed ? feed.data : feed, Number)

/** The loss of pairs from the model's logits, in double precision, as the papers define it. */
async function definedLoss(model: Transformer, pairs: readonly TokenPair[], smoothing: number): Promise<number> {
  const { inputs, source, target } = pairInputs()
  const program = await compile({ inputs, outputs: { logits: model.forward(source, target) } })
  const losses: number[] = []
  // Each pair by itself: nothing of a batch may change it.
  for (const pair of pairs) {
    const { targets: _targets, ...feeds } = teacherForcing([pair], pad)
    const logits = float32((await program.run(feeds)).logits)
    for (const [t, token] of Array.from(pair.target).entries()) {
      const row = [...logits.subarray(t * 12, (t + 1) * 12)]
      const normalizer = Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0))
      const minusLog = row.map((value) => normalizer - value)
      const mean = minusLog.reduce((sum, loss) => sum + loss, 0) / 12
      losses.push((1 - smoothing) * minusLog[token] + smoothing * mean)
    }
  }
  await program.dispose()
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
}

/** The loss that a graph gives for one batch of pairs. */
async function lossOf({ inputs, loss }: LossGraph, pairs: readonly TokenPair[]): Promise<number> {
  const program = await compile({ inputs, outputs: { loss } })
  const result = await program.run(teacherForcing(pairs, pad))
  await program.dispose()
  return float32(result.loss)[0]
}

const options = { betas: [0.9, 0.98], weightDecay: 0, clip: 1, accumulate: 1, seed: 0 } as const

describe('teacherForcing', () => {
  it('lets the decoder read each target shifted right behind the start token', () => {
    const pairs = [
      { source: [5, 6, 7, end], target: [7, 6, 5, end] },
      { source: [3, end], target: [3, end] },
    ]
    const feeds = teacherForcing(pairs, 9)
    expect(numbers(feeds.tokens).slice(0, 6)).toEqual([5, 6, 7, end, 3, end])
    expect(numbers(feeds.targetTokens).slice(0, 6)).toEqual([9, 7, 6, 5, 9, 3])
    expect(numbers(feeds.targetTokens).slice(6, 12)).toEqual([0, 1, 2, 3, 0, 1])
    expect(numbers(feeds.targets)).toEqual([7, 6, 5, end, 3, end])
  })
})

describe('SequenceToSequence', () => {
  const pairs = reversals(7)

  it.each([0, 0.1, 0.5])('smooths labels by %d in training, and not in validation', async (labelSmoothing) => {
    const model = tinyTransformer()
    const task = new SequenceToSequence(model, { labelSmoothing })
    const training = await lossOf(
      forTraining(() => task.graph()),
      pairs,
    )
    expect(training).toBeCloseTo(await definedLoss(model, pairs, labelSmoothing), 5)
    const validation = await lossOf(task.graph(), pairs)
    expect(validation).toBeCloseTo(await definedLoss(model, pairs, 0), 5)
  })

  it('counts tokens: of both sides for the length, of targets for the mean', () => {
    const task = new SequenceToSequence(tinyTransformer())
    expect(task.length({ source: [4, 5, end], target: [4, end] })).toBe(5)
    expect(task.predictions(pairs)).toBe(pairs.reduce((sum, { target }) => sum + target.length, 0))
  })

  it('makes the same update of one batch or of its parts, however long these are', async () => {
    const updated = async (batches: readonly (readonly TokenPair[])[]) => {
      const model = tinyTransformer()
      const task = new SequenceToSequence(model, { labelSmoothing: 0.1 })
      const objective: Objective = {
        loss: () => task.graph(),
        trainingBatch: (index) => pairBatch(batches[index % batches.length], pad),
        evaluationBatches: () => [],
      }
      const trainer = new Trainer(model.parameters(), objective, { ...options, clip: 0, accumulate: batches.length })
      const { loss, predictions } = await trainer.step(1e-3)
      const values = Object.entries(model.parameters()).flatMap(([name, { data }]) =>
        // The gradient of keys' biases is 0, of whose rounding noise Adam makes steps.
        name.endsWith('k_proj.bias') ? [] : Array.from(data!),
      )
      trainer.dispose()
      return { loss, predictions, values }
    }
    const whole = await updated([pairs])
    const parts = await updated([pairs.slice(0, 1), pairs.slice(1, 5), pairs.slice(5)])
    expect(parts.predictions).toBe(whole.predictions)
    expect(parts.loss).toBeCloseTo(whole.loss, 5)
    expect(distance(parts.values, whole.values) / norm(whole.values)).toBeLessThan(1e-5)
  })

  it('learns to write sequences backwards, and measures that it does', async () => {
    const model = tinyTransformer({ width: 32, innerWidth: 64 })
    const task = new SequenceToSequence(model, { labelSmoothing: 0.1 })
    const data = { train: reversals(400), validation: reversals(40, 1000) }
    const objective = new ExampleObjective(task, { ...data, batchSize: 1, batchTokens: 160, seed: 1 })
    const trainer = new Trainer(model.parameters(), objective, options)
    const before = await trainer.evaluate()
    expect(before?.metrics?.tokenAccuracy).toBeLessThan(0.4)
    for (let step = 0; step < 250; step++) await trainer.step(3e-3 * Math.min(1, (step + 1) / 30))
    const after = await trainer.evaluate()
    expect(after?.metrics?.tokenAccuracy).toBeGreaterThan(0.99)
    expect(after?.metrics?.perplexity).toBeCloseTo(Math.exp(after?.loss ?? 0), 4)
    expect(after?.predictions).toBe(task.predictions(data.validation))
    trainer.dispose()
  })
})
