import { describe, expect, it } from 'vitest'
import { classifierFeeds, classifierGraph } from '../../models/classifier.js'
import { GPTForSequenceClassification } from '../../models/index.js'
import { initialize } from '../../nn/index.js'
import { compile, float32 } from '../../runtime/index.js'
import { Trainer } from '../trainer.js'
import { Classification } from './classification.js'
import { ExampleObjective } from './examples.js'

const config = { vocabularySize: 12, contextLength: 8, layers: 1, heads: 2, width: 8, deviation: 0.3 }

/** Sequences of random tokens whose label is whether token 3 comes before token 4. */
function examples(count: number) {
  return Array.from({ length: count }, (_, i) => {
    const rest = Array.from({ length: i % 5 }, (_, j) => 5 + ((i * 7 + j * 3) % 7))
    const label = i % 2
    return { ids: label === 1 ? [3, ...rest, 4] : [4, ...rest, 3], target: label }
  })
}

describe('Classification', () => {
  it('computes each row as if it were alone, whatever is padded behind it', async () => {
    const model = new GPTForSequenceClassification(config, ['a', 'b', 'c'])
    initialize(model.parameters(), 1)
    const { inputs, logits } = classifierGraph(model)
    const program = await compile({ inputs, outputs: { logits } })
    const sequences = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10]].map((ids) => ({ ids }))
    const together = float32((await program.run(classifierFeeds(model, sequences))).logits)
    for (const [row, sequence] of sequences.entries()) {
      const alone = float32((await program.run(classifierFeeds(model, [sequence]))).logits)
      for (let i = 0; i < 3; i++) expect(together[row * 3 + i]).toBeCloseTo(alone[i], 5)
    }
    await program.dispose()
  })

  it('learns the order of two tokens', async () => {
    const model = new GPTForSequenceClassification(config, ['no', 'yes'])
    initialize(model.parameters(), 1)
    const objective = new ExampleObjective(new Classification(model), {
      train: examples(64),
      validation: examples(17),
      batchSize: 8,
      seed: 2,
    })
    const options = { betas: [0.9, 0.99], weightDecay: 0, clip: 1, accumulate: 1, seed: 0 } as const
    const trainer = new Trainer(model.parameters(), objective, options)
    expect((await trainer.evaluate())?.loss).toBeGreaterThan(0.5)
    for (let step = 0; step < 60; step++) await trainer.step(1e-2)
    expect((await trainer.evaluate())?.loss).toBeLessThan(0.05)
    trainer.dispose()
  })

  it('shows every example once an epoch, in batches of similar length', () => {
    const train = examples(23)
    const model = new GPTForSequenceClassification(config, ['no', 'yes'])
    const objective = new ExampleObjective(new Classification(model), {
      train,
      validation: [],
      batchSize: 4,
      seed: 2,
    })
    const batches = Array.from({ length: objective.batchesPerEpoch }, (_, i) => objective.trainingBatch(i))
    expect(batches.reduce((sum, batch) => sum + batch.predictions, 0)).toBe(23)
    const tokens = batches.flatMap(({ feeds }) => [...('data' in feeds.ids ? feeds.ids.data : feeds.ids)])
    const real = train.reduce((sum, { ids }) => sum + ids.length, 0)
    expect(tokens.length - real).toBeLessThan(real / 4)
  })
})
