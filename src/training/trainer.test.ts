import { describe, expect, it } from 'vitest'
import { distance, largestDifference, norm } from '../../test/parity/fixtures.js'
import { TrainingError, UsageError } from '../errors.js'
import { input } from '../graph/index.js'
import { GPT } from '../models/index.js'
import { evaluate, float32 } from '../runtime/index.js'
import type { Batch } from './objectives/objective.js'
import { tinyBatch, tinyLength, tinyModel, tinyObjective, tinyOptions } from './tiny.testing.js'
import { Trainer, type TrainerOptions } from './trainer.js'

interface Training {
  batchSize?: number
  options?: Partial<TrainerOptions>
  model?: GPT
}

function makeTrainer({ batchSize = 4, options = {}, model = tinyModel() }: Training = {}) {
  const trainer = new Trainer(model.parameters(), tinyObjective(model, batchSize), { ...tinyOptions, ...options })
  return { model, trainer }
}

/** Losses of some steps and the weights after them. */
async function train(steps: number, training: Training) {
  const { model, trainer } = makeTrainer(training)
  const reports = []
  for (let step = 0; step < steps; step++) reports.push(await trainer.step(0.01))
  const weights = new Map(Object.entries(model.parameters()).map(([name, { data }]) => [name, [...data!]]))
  trainer.dispose()
  return { reports, losses: reports.map(({ loss }) => loss), weights }
}

/** The mean cross-entropy of a batch in double precision, from the logits of the model as it is. */
async function meanLoss(model: GPT, { feeds, shape }: Batch): Promise<number> {
  const ids = input('ids', 'int64', shape)
  const logits = float32(await evaluate(model.forward(ids), { ids: feeds.ids }))
  const { vocabularySize } = model.config
  const targets = feeds.targets instanceof BigInt64Array ? [...feeds.targets].map(Number) : []
  const losses = targets.map((target, i) => {
    const row = [...logits.subarray(i * vocabularySize, (i + 1) * vocabularySize)]
    return Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)) - row[target]
  })
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
}

/** ‖a − b‖ / ‖b‖ */
function relativeDistance(a: readonly number[], b: readonly number[]): number {
  return distance(a, b) / norm(b)
}

/** The values of all parameters but the biases of keys, of whose rounding noise (the gradient is 0) Adam makes steps. */
function flat(weights: ReadonlyMap<string, readonly number[]>): number[] {
  return [...weights].flatMap(([name, values]) => (name.endsWith('c_attn.bias') ? [] : values))
}

describe('Trainer', () => {
  it('reports the loss before the update, the predictions, and learns', async () => {
    const untrained = await meanLoss(tinyModel(), tinyBatch(0, 4))
    const { reports } = await train(60, {})
    expect(reports[0].loss).toBeCloseTo(untrained, 5)
    expect(reports[0].predictions).toBe(4 * tinyLength)
    expect(reports[59].loss).toBeLessThan(Math.log(11) - 0.3)
  })

  it('makes of two accumulated batches what it makes of one twice as big', async () => {
    const whole = await train(3, { batchSize: 8 })
    const halves = await train(3, { batchSize: 4, options: { accumulate: 2 } })
    expect(relativeDistance(halves.losses, whole.losses)).toBeLessThan(1e-6)
    expect(relativeDistance(flat(halves.weights), flat(whole.weights))).toBeLessThan(1e-6)
    const norms = [halves, whole].map(({ reports }) => reports.map(({ gradientNorm }) => gradientNorm))
    expect(relativeDistance(norms[0], norms[1])).toBeLessThan(1e-6)
    expect(halves.reports[0].predictions).toBe(8 * tinyLength)
    const first = await train(3, { batchSize: 4 })
    expect(relativeDistance(flat(first.weights), flat(whole.weights))).toBeGreaterThan(1e-3)
  })

  it('does so for an untied head and with biases too, and for four batches', async () => {
    const model = () => tinyModel({ tiedHead: false, bias: true })
    const whole = await train(3, { batchSize: 8, model: model() })
    const quarters = await train(3, { batchSize: 2, options: { accumulate: 4 }, model: model() })
    expect(relativeDistance(quarters.losses, whole.losses)).toBeLessThan(1e-6)
    expect(relativeDistance(flat(quarters.weights), flat(whole.weights))).toBeLessThan(1e-6)
  })

  it('repeats itself to the bit, dropout included; other seeds drop other elements', async () => {
    const dropout = (seed: number) => train(3, { model: tinyModel({ dropout: 0.3 }), options: { seed, accumulate: 2 } })
    const [first, again, other] = [await dropout(7), await dropout(7), await dropout(8)]
    expect(again).toEqual(first)
    expect(other.losses[0]).not.toBe(first.losses[0])
    const without = await train(1, { options: { accumulate: 2 } })
    expect(first.losses[0]).not.toBeCloseTo(without.losses[0], 3)
  })

  it('evaluates without dropout, every prediction weighing the same', async () => {
    const { model, trainer } = makeTrainer({ model: tinyModel({ dropout: 0.5 }) })
    const batches = [tinyBatch(1000, 3), tinyBatch(1003, 2)]
    const [three, two] = [await meanLoss(model, batches[0]), await meanLoss(model, batches[1])]
    expect(Math.abs(three - two)).toBeGreaterThan(1e-3)
    expect((await trainer.evaluate())?.loss).toBeCloseTo((3 * three + 2 * two) / 5, 5)
    trainer.dispose()
  })

  it('has no validation loss without validation data', async () => {
    const model = tinyModel()
    const objective = { ...tinyObjective(model, 2), evaluationBatches: () => [] }
    const trainer = new Trainer(model.parameters(), objective, tinyOptions)
    expect(await trainer.evaluate()).toBeUndefined()
  })

  it('changes the arrays of the model in place', async () => {
    const { model, trainer } = makeTrainer()
    const arrays = Object.values(model.parameters()).map(({ data }) => data!)
    const before = arrays.map((values) => [...values])
    await trainer.step(0)
    expect(arrays.map((values) => [...values])).toEqual(before)
    await trainer.step(0.01)
    for (const [i, values] of arrays.entries()) expect([...values]).not.toEqual(before[i])
    trainer.dispose()
  })

  it('decays matrices, and neither norms nor biases', async () => {
    const step = async (weightDecay: number) => {
      const training = { model: tinyModel({ bias: true }), options: { weightDecay, clip: 0 } }
      return (await train(1, training)).weights
    }
    const [plain, decayed, start] = [await step(0), await step(0.5), tinyModel({ bias: true }).parameters()]
    for (const [name, values] of plain) {
      const { shape, data } = start[name]
      // The decay takes learningRate · 0.5 of the value before the step.
      const taken = shape.length > 1 ? 0.01 * 0.5 : 0
      const expected = values.map((value, i) => value - taken * data![i])
      expect(largestDifference(decayed.get(name)!, expected), name).toBeLessThan(taken === 0 ? 1e-12 : 1e-7)
    }
  })

  it('leaves everything as it is where the loss is not a number', async () => {
    const { model, trainer } = makeTrainer()
    await trainer.step(0.01)
    const { weight } = model.transformer.wte
    weight.data![3] = Number.NaN
    const before = Object.values(model.parameters()).map(({ data }) => [...data!])
    await expect(trainer.step(0.01)).rejects.toThrow(TrainingError)
    await expect(trainer.step(0.01)).rejects.toThrow(
      /the loss is NaN at step 2; lower train\.learningRate \(now 0\.01\), lengthen train\.warmup or set train\.clip/,
    )
    expect(trainer.steps).toBe(1)
    expect(Object.values(model.parameters()).map(({ data }) => [...data!])).toEqual(before)
    trainer.dispose()
  })

  it('refuses a model without values', () => {
    const model = new GPT(tinyModel().config)
    const make = () => new Trainer(model.parameters(), tinyObjective(model, 2), tinyOptions)
    expect(make).toThrow(UsageError)
    expect(make).toThrow(/'transformer\.wte\.weight' has no values yet: initialize the model or load a checkpoint/)
  })

  it('hands ε to Adam: where it is far larger than all gradients, a first step is lr · gradient / ε', async () => {
    const before = Object.values(tinyModel().parameters()).flatMap(({ data }) => [...data!])
    const moved = async (epsilon: number) => {
      const { weights } = await train(1, { options: { epsilon, clip: 0, weightDecay: 0 } })
      return [...weights.values()].flat().map((value, i) => value - before[i])
    }
    const [small, large] = [await moved(1e3), await moved(2e3)]
    expect(norm(small)).toBeGreaterThan(0)
    expect(norm(small) / norm(large)).toBeCloseTo(2, 1)
    expect(norm(small)).toBeLessThan(1e-3 * norm(await moved(1e-8)))
  })
})
