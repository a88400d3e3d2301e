import { describe, expect, it } from 'vitest'
import { encoderInputs } from '../../models/encoder.js'
import { BertForRelationClassification } from '../../models/index.js'
import { initialize } from '../../nn/index.js'
import { compile, float32 } from '../../runtime/index.js'
import { Trainer } from '../trainer.js'
import { ExampleObjective } from './examples.js'
import { type MarkedSequence, RelationClassification } from './relation.js'

const labels = ['first is larger', 'second is larger']

function makeModel(): BertForRelationClassification {
  const sizes = { vocabularySize: 16, contextLength: 20, layers: 1, heads: 2, width: 16, dropout: 0, deviation: 0.3 }
  const model = new BertForRelationClassification(sizes, labels)
  initialize(model.parameters(), 1)
  return model
}

/** Two marked tokens among others, of which one is the larger number; markers are 2, 3, 4 and 5. */
function example(i: number): MarkedSequence {
  const numbers = [6 + (i % 10), 6 + ((i * 3 + 4) % 10)]
  if (numbers[0] === numbers[1]) numbers[1] = numbers[0] === 6 ? 7 : 6
  const marked = [
    [2, numbers[0], 3],
    [4, numbers[1], 5],
  ]
  const [before, between] = [Array(i % 3).fill(6 + (i % 7)), Array((i * 5) % 4).fill(9)]
  // Every second text has the second span in front.
  const order = i % 2 === 0 ? marked : [marked[1], marked[0]]
  const ids = [1, ...before, ...order[0], ...between, ...order[1], 1]
  return { ids, head: ids.indexOf(2), tail: ids.indexOf(4), target: numbers[0] > numbers[1] ? 0 : 1 }
}

describe('RelationClassification', () => {
  it('reads the outputs of the markers of each text, whatever is beside it in the batch', async () => {
    const model = makeModel()
    const task = new RelationClassification(model)
    const { inputs, loss, outputs = {} } = task.graph()
    const program = await compile({ inputs, outputs: { loss, logits: outputs.logits } })
    const examples = [example(0), example(1), example(5)]
    const together = await program.run(task.feeds(examples))
    let total = 0
    for (const [row, each] of examples.entries()) {
      const logits = [...float32((await program.run(task.feeds([each]))).logits)]
      for (const i of [0, 1]) expect(float32(together.logits)[row * 2 + i]).toBeCloseTo(logits[i], 5)
      total += Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[each.target]
    }
    expect(float32(together.loss)[0]).toBeCloseTo(total / 3, 5)
    await program.dispose()
  })

  it('computes what the model does for rows that are counted by hand', async () => {
    const model = makeModel()
    const task = new RelationClassification(model)
    const { heads, tails } = task.feeds([example(0), example(1)])
    // Texts of 8 tokens, [1 2 … ], and of 10, [1 7 4 …].
    expect([example(0).ids, example(1).ids]).toEqual([
      [1, 2, 6, 3, 4, 10, 5, 1],
      [1, 7, 4, 13, 5, 9, 2, 7, 3, 1],
    ])
    expect([heads, tails]).toEqual([
      { data: BigInt64Array.of(1n, 14n), shape: [2] },
      { data: BigInt64Array.of(4n, 10n), shape: [2] },
    ])
    expect(Object.keys(encoderInputs().inputs).every((name) => name in task.feeds([example(0)]))).toBe(true)
  })

  it('learns which of two marked numbers is larger', async () => {
    const model = makeModel()
    const objective = new ExampleObjective(new RelationClassification(model), {
      train: Array.from({ length: 60 }, (_, i) => example(i)),
      validation: Array.from({ length: 30 }, (_, i) => example(i)),
      batchSize: 10,
      seed: 1,
    })
    const options = { betas: [0.9, 0.99], weightDecay: 0, clip: 1, accumulate: 1, seed: 0 } as const
    const trainer = new Trainer(model.parameters(), objective, options)
    const before = await trainer.evaluate()
    for (let step = 0; step < 150; step++) await trainer.step(3e-3)
    const after = await trainer.evaluate()
    trainer.dispose()
    expect(before?.metrics?.accuracy).toBeLessThan(0.8)
    expect(after?.metrics).toMatchObject({ accuracy: 1, f1: 1 })
  })
})
