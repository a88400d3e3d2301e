import { describe, expect, it } from 'vitest'
import { GPT, type GPTConfig } from '../../src/models/index.js'
import { float32 } from '../../src/runtime/index.js'
import { causalLoss } from '../../src/training/objectives/causal-lm.js'
import type { Batch } from '../../src/training/objectives/objective.js'
import { Trainer } from '../../src/training/trainer.js'
import { largestDifference, readFixture, readTensors } from './fixtures.js'

interface Expected {
  config: Omit<GPTConfig, 'activation' | 'dropout'> & { activation: 'gelu' | 'gelu_new' }
  learningRates: number[]
  trace: { dropout: number; losses: number[] }
  traceWithDropout: { dropout: number; losses: number[] }
}

/** The batches of the fixture: 100 of [3, 13] tokens, of which 12 are read and 12 predicted. */
function fixtureBatch(index: number): Batch {
  const windows = readTensors('gpt/windows.safetensors').get('windows')!
  const [, rows, length] = windows.shape
  const ids: bigint[] = []
  const targets: bigint[] = []
  for (let row = 0; row < rows; row++) {
    const start = (index * rows + row) * length
    const tokens = Array.from({ length }, (_, i) => BigInt(windows.data[start + i]))
    ids.push(...tokens.slice(0, -1))
    targets.push(...tokens.slice(1))
  }
  const feeds = { ids: BigInt64Array.from(ids), targets: BigInt64Array.from(targets) }
  return { shape: [rows, length - 1], feeds, examples: rows, predictions: ids.length }
}

describe.each(['bias-tanh', 'plain-erf'])('100 training steps against PyTorch (%s)', (variant) => {
  it.each(['trace', 'traceWithDropout'] as const)('has the same losses (%s)', async (name) => {
    const expected = readFixture<Expected>(`gpt/${variant}/expected.json`)
    const { dropout, losses } = expected[name]
    const model = new GPT({ ...expected.config, dropout })
    const weights = readTensors(`gpt/${variant}/model.safetensors`)
    const parameters = model.parameters()
    for (const [path, parameter] of Object.entries(parameters)) parameter.data = float32(weights.get(path))
    const objective = {
      loss: (shape: readonly number[]) => causalLoss(model, shape),
      trainingBatch: fixtureBatch,
      evaluationBatches: () => [],
    }
    const options = { betas: [0.9, 0.99], weightDecay: 0.1, clip: 1, accumulate: 1, seed: 1337 } as const
    const trainer = new Trainer(parameters, objective, options)
    const found: number[] = []
    for (const learningRate of expected.learningRates) found.push((await trainer.step(learningRate)).loss)
    expect(largestDifference(found, losses)).toBeLessThan(1e-4)
    trainer.dispose()
  })
})
