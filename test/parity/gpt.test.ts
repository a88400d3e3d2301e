import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../../src/autodiff/index.js'
import { findTensor, input } from '../../src/graph/index.js'
import { crossEntropy } from '../../src/graph/operations/index.js'
import { GPT, type GPTConfig } from '../../src/models/index.js'
import { compile, float32 } from '../../src/runtime/index.js'
import { distance, largestDifference, norm, readFixture, readTensors } from './fixtures.js'

interface Expected {
  config: {
    vocabularySize: number
    contextLength: number
    layers: number
    heads: number
    width: number
    bias: boolean
    activation: string
  }
  loss: number
}

function loadModel(variant: string, dropout = 0): GPT {
  const { config } = readFixture<Expected>(`gpt/${variant}/expected.json`)
  const activation: GPTConfig['activation'] = config.activation === 'gelu' ? 'gelu' : 'gelu_new'
  const model = new GPT({ ...config, activation, dropout })
  const weights = readTensors(`gpt/${variant}/model.safetensors`)
  for (const [path, parameter] of Object.entries(model.parameters())) parameter.data = float32(weights.get(path))
  return model
}

describe.each(['bias-tanh', 'plain-erf'])('GPT against PyTorch (%s)', (variant) => {
  it('gives the same logits, attention weights, loss and gradients, with numbers and with names as dimensions', async () => {
    const expected = readFixture<Expected>(`gpt/${variant}/expected.json`)
    const batch = readTensors(`gpt/${variant}/batch.safetensors`)
    const expectedGradients = readTensors(`gpt/${variant}/gradients.safetensors`)
    const model = loadModel(variant)
    for (const shape of [
      [3, 12],
      ['batch', 'sequence'],
    ]) {
      const ids = input('ids', 'int64', shape)
      const targets = input('targets', 'int64', shape)
      const logits = model.forward(ids)
      const loss = crossEntropy(logits, targets)
      const weights = findTensor([logits], 'h.1.attn.weights')
      const parameters = gradients(loss, model.parameters())
      const dense = Object.fromEntries(Object.entries(parameters).map(([path, gradient]) => [path, toDense(gradient)]))
      const program = await compile({ inputs: { ids, targets }, outputs: { logits, loss, weights, ...dense } })
      const result: Record<string, ReturnType<typeof batch.get>> = await program.run({
        ids: batch.get('ids')!,
        targets: batch.get('targets')!,
      })
      expect(largestDifference(float32(result.logits), float32(batch.get('logits')))).toBeLessThan(1e-5)
      expect(
        largestDifference(float32(result.weights), float32(batch.get('transformer.h.1.attn.weights'))),
      ).toBeLessThan(1e-6)
      expect(Math.abs(float32(result.loss)[0] - expected.loss)).toBeLessThan(1e-5)
      const globalNorm = Math.hypot(...[...expectedGradients.values()].map((value) => norm(float32(value))))
      for (const [path, value] of expectedGradients) {
        const reference = float32(value)
        const error = distance(float32(result[path]), reference)
        expect(error / (norm(reference) + 1e-3 * globalNorm), path).toBeLessThan(1e-5)
      }
      await program.dispose()
    }
  })
})
