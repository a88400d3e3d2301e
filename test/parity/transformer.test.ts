import { describe, expect, it } from 'vitest'
import { gradients, toDense } from '../../src/autodiff/index.js'
import { constant, input, type Tensor } from '../../src/graph/index.js'
import { crossEntropy } from '../../src/graph/operations/index.js'
import {
  pairFeeds,
  pairInputs,
  type SequencePair,
  Transformer,
  type TransformerConfig,
} from '../../src/models/index.js'
import { PaddedLayout, sinusoidalPositions } from '../../src/nn/index.js'
import { compile, float32 } from '../../src/runtime/index.js'
import { distance, largestDifference, norm, readFixture, readTensors } from './fixtures.js'

interface Case {
  loss: number
  sources: number[][]
  targets: number[][]
  labels: number[]
}

type Expected = Record<'post-norm' | 'pre-norm', Case> & { sizes: TransformerConfig; positions: number[][] }

const expected = readFixture<Expected>('transformer/expected.json')

function load(norm: 'post' | 'pre') {
  const tensors = readTensors(`transformer/${norm}-norm.safetensors`)
  const model = new Transformer({ ...expected.sizes, decoderStartTokenId: 0, norm })
  const parameters = model.parameters()
  for (const [path, parameter] of Object.entries(parameters)) parameter.data = float32(tensors.get(path)!).slice()
  return { model, parameters, tensors, ...expected[`${norm}-norm`] }
}

function pairsOf({ sources, targets }: Case): SequencePair[] {
  return sources.map((ids, i) => ({ source: { ids }, target: { ids: targets[i] } }))
}

async function logitsOf(model: Transformer, pairs: readonly SequencePair[]): Promise<Float32Array> {
  const { source, target } = pairInputs()
  const program = await compile({ outputs: { logits: model.forward(source, target) } })
  return float32((await program.run(pairFeeds(pairs))).logits)
}

describe.each(['post', 'pre'] as const)('a Transformer with %s-norm', (place) => {
  it('computes what the layers of torch.nn.Transformer do, with all their gradients', async () => {
    const { model, parameters, tensors, labels, ...given } = load(place)
    const { source, target } = pairInputs()
    const targets = input('labels', 'int64', ['targetTokens'])
    const logits = model.forward(source, target)
    const loss = crossEntropy(logits, targets, { labelSmoothing: 0.1 })
    const found = gradients(loss, parameters)
    const dense = Object.fromEntries(Object.entries(found).map(([path, gradient]) => [path, toDense(gradient)]))
    const outputs: Record<string, Tensor> = { ...dense, logits, loss }
    const program = await compile({ outputs })
    const feeds = {
      ...pairFeeds(pairsOf({ labels, ...given })),
      labels: { data: BigInt64Array.from(labels, BigInt), shape: [labels.length] },
    }
    const results = await program.run(feeds)
    expect(float32(results.loss)[0]).toBeCloseTo(given.loss, 5)
    const reference = float32(tensors.get('logits')!)
    expect(distance(float32(results.logits), reference)).toBeLessThan(1e-5 * norm(reference))
    expect(Object.keys(parameters)).toHaveLength(tensors.size / 2 - 0.5)
    for (const path of Object.keys(parameters)) {
      const gradient = float32(tensors.get(`gradient.${path}`)!)
      // The true gradient of a key's bias is zero.
      const tolerance = path.endsWith('k_proj.bias') ? 1e-6 : 1e-5 * norm(gradient)
      expect(distance(float32(results[path]), gradient), path).toBeLessThan(tolerance)
    }
  })

  it('computes something else where two weights are swapped', async () => {
    const { model, parameters, tensors, ...given } = load(place)
    const reference = float32(tensors.get('logits')!)
    const layer = parameters['model.decoder.layers.1.encoder_attn.q_proj.weight']
    const other = parameters['model.decoder.layers.1.encoder_attn.v_proj.weight']
    ;[layer.data, other.data] = [other.data, layer.data]
    expect(distance(await logitsOf(model, pairsOf(given)), reference)).toBeGreaterThan(1e-2 * norm(reference))
  })

  it('computes the same for a pair alone, and where tokens that stand for none are added', async () => {
    const { model, tensors, ...given } = load(place)
    const reference = float32(tensors.get('logits')!)
    const [, second] = pairsOf(given)
    const start = given.targets[0].length * expected.sizes.vocabularySize
    const length = given.targets[1].length * expected.sizes.vocabularySize
    const own = reference.subarray(start, start + length)
    expect(largestDifference(await logitsOf(model, [second]), own)).toBeLessThan(2e-5)
    expect(largestDifference(await paddedLogits(model, second, 3), own)).toBeLessThan(2e-5)
  })
})

/** The logits of a pair as a batch of one, with other tokens behind both sides that the layouts say are none. */
async function paddedLogits(model: Transformer, { source, target }: SequencePair, more: number) {
  const padded = (ids: ArrayLike<number>) => {
    const length = ids.length + more
    const keep = Array.from({ length }, (_, i) => Number(i < ids.length))
    const all = [...Array.from(ids), ...Array(more).fill(5)]
    const positions = constant([...Array(length).keys()], [length], 'int64')
    const layout = new PaddedLayout(constant(keep, [1, length], 'bool'))
    return { ids: constant(all, [length], 'int64'), positions, segments: positions, layout }
  }
  const program = await compile({ outputs: { logits: model.forward(padded(source.ids), padded(target.ids)) } })
  return float32((await program.run({})).logits).subarray(0, target.ids.length * expected.sizes.vocabularySize)
}

describe('positions', () => {
  it('are the sines and cosines of the paper', () => {
    expect(largestDifference(sinusoidalPositions(4, 6).data as Float32Array, expected.positions.flat())).toBeLessThan(
      1e-7,
    )
  })
})
