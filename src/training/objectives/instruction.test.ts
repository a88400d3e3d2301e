import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../../autodiff/index.js'
import { input } from '../../graph/index.js'
import { crossEntropy } from '../../graph/operations/index.js'
import { GPT } from '../../models/index.js'
import { initialize } from '../../nn/index.js'
import { compile, float32 } from '../../runtime/index.js'
import { type AnsweredSequence, InstructionTuning } from './instruction.js'

const model = new GPT({ vocabularySize: 19, contextLength: 10, layers: 2, heads: 2, width: 8, deviation: 0.4 })
initialize(model.parameters(), 3)

const examples: AnsweredSequence[] = [
  { ids: [1, 2, 3, 4], isAnswer: [0, 0, 1, 1] },
  { ids: [5, 6, 7, 8, 9], isAnswer: [0, 0, 0, 0, 1] },
  { ids: [10, 11, 12], isAnswer: [0, 1, 1] },
  { ids: [13, 14, 15, 16, 17, 18, 1], isAnswer: [0, 0, 1, 1, 0, 0, 1] },
]

/** Loss and embedding gradient of each example by itself, summed over all answer tokens and divided by their number. */
async function separately(sequences: readonly AnsweredSequence[]) {
  let loss = 0
  let count = 0
  const gradient = new Float64Array(model.transformer.wte.weight.size)
  for (const { ids, isAnswer } of sequences) {
    const length = ids.length - 1
    const [sequence, targets] = [input('ids', 'int64', [1, length]), input('targets', 'int64', [1, length])]
    const answers = Array.from(isAnswer).slice(1).filter(Boolean).length
    const mean = crossEntropy(model.forward(sequence), targets)
    const [table] = gradients(mean, [model.transformer.wte.weight])
    const program = await compile({ inputs: { ids: sequence, targets }, outputs: { mean, table: toDense(table) } })
    const result = await program.run({
      ids: BigInt64Array.from({ length }, (_, i) => BigInt(ids[i])),
      targets: BigInt64Array.from({ length }, (_, i) => (isAnswer[i + 1] ? BigInt(ids[i + 1]) : -100n)),
    })
    loss += float32(result.mean)[0] * answers
    for (const [i, value] of float32(result.table).entries()) gradient[i] += value * answers
    count += answers
    await program.dispose()
  }
  return { loss: loss / count, gradient: gradient.map((value) => value / count), count }
}

function tuning(contextLength: number, sequences = examples, batchSize = 2) {
  return new InstructionTuning({ model, train: sequences, validation: sequences, contextLength, batchSize, seed: 5 })
}

describe('InstructionTuning', () => {
  it('has the loss and gradients of the examples by themselves, though they share windows', async () => {
    const objective = tuning(10)
    const [batch, ...others] = [...objective.evaluationBatches()]
    expect(others).toEqual([])
    expect(batch.examples).toBe(2)
    const { inputs, loss } = objective.loss(batch.shape)
    const [table] = gradients(loss, [model.transformer.wte.weight])
    const program = await compile({ inputs, outputs: { loss, table: toDense(table) } })
    const packed = await program.run(batch.feeds)
    const expected = await separately(examples)
    expect(batch.predictions).toBe(expected.count)
    expect(float32(packed.loss)[0]).toBeCloseTo(expected.loss, 5)
    for (const [i, value] of float32(packed.table).entries()) expect(value).toBeCloseTo(expected.gradient[i], 5)
    await program.dispose()
  })

  it('visits every answer once an epoch, in another order each time', () => {
    const objective = tuning(6, examples, 1)
    const targetsOf = (epoch: number) => {
      const batches = Array.from({ length: objective.batchesPerEpoch }, (_, i) =>
        objective.trainingBatch(epoch * objective.batchesPerEpoch + i),
      )
      return batches.flatMap(({ feeds }) => [...(feeds.targets as BigInt64Array)].map(Number)).filter((id) => id >= 0)
    }
    const answers = examples.flatMap(({ ids, isAnswer }) => Array.from(ids).filter((_, i) => isAnswer[i]))
    const epochs = [0, 1, 2, 3].map(targetsOf)
    for (const epoch of epochs) expect(epoch.toSorted()).toEqual(answers.toSorted())
    expect(new Set(epochs.map(String)).size).toBeGreaterThan(1)
    expect(targetsOf(2)).toEqual(epochs[2])
  })

  it('cuts the beginning of a question that is too long, and leaves out examples without an answer', () => {
    const long = { ids: [1, 2, 3, 4, 5, 6, 7, 8], isAnswer: [0, 0, 0, 0, 0, 0, 1, 1] }
    const silent = { ids: [9, 10, 11], isAnswer: [0, 0, 0] }
    const [batch] = [...tuning(4, [long, silent]).evaluationBatches()]
    expect([...(batch.feeds.ids as BigInt64Array)]).toEqual([4n, 5n, 6n, 7n])
    expect([...(batch.feeds.targets as BigInt64Array)]).toEqual([-100n, -100n, 7n, 8n])
    expect(() => tuning(4, [silent])).toThrow(/none of 1 examples has an answer/)
  })
})
