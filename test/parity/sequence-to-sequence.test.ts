import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { gradients, toDense } from '../../src/autodiff/index.js'
import {
  beamSearch,
  type GenerationOptions,
  generateBatch,
  SequenceToSequenceDecoder,
} from '../../src/generation/index.js'
import { input } from '../../src/graph/index.js'
import { crossEntropy } from '../../src/graph/operations/index.js'
import { loadModel, saveModel } from '../../src/hub/checkpoint.js'
import { readJson } from '../../src/hub/files.js'
import {
  EncoderDecoder,
  pairFeeds,
  pairInputs,
  type SequencePair,
  type SequenceToSequenceModel,
  T5,
} from '../../src/models/index.js'
import { PaddedLayout } from '../../src/nn/index.js'
import { compile, type Feed, float32, type TensorValue } from '../../src/runtime/index.js'
import { distance, fixturePath, largestDifference, norm, readFixture, readTensors } from './fixtures.js'

interface Expected {
  sources: number[][]
  /** Behind the start token. */
  targets: number[][]
  /** One for each token of the targets. */
  labels: number[]
  /** Of each token of the targets. */
  logits: number[]
  loss: number
  generation: {
    maxNewTokens: number
    startTokenId: number
    eosTokenId: number
    lengthPenalty: number
    noRepeatNgramSize: number
    greedy: number[][]
    beams: number[][][]
    scores: number[]
  }
}

const variants = [
  't5/relu',
  't5/gated',
  't5/unscaled',
  't5/mt5',
  'bert2bert/bert2bert',
  'bert2bert/bert2bert-narrow',
  'bert2bert/bert2gpt',
  'bert2bert/roberta2roberta',
]

/** Two weights of one shape whose swap has to show. */
const swaps: Readonly<Record<string, readonly [RegExp, RegExp]>> = {
  t5: [
    /decoder\.block\.0\.layer\.1\.EncDecAttention\.q\.weight$/,
    /decoder\.block\.0\.layer\.1\.EncDecAttention\.k\.weight$/,
  ],
  bert2bert: [
    /decoder\..*\.1\.crossattention\.(self\.query|q_attn)\.weight$/,
    /decoder\..*\.0\.crossattention\.(self\.query|q_attn)\.weight$/,
  ],
}

const folder = mkdtempSync(join(tmpdir(), 'heddle-sequence-to-sequence-'))
afterAll(() => rmSync(folder, { recursive: true }))

function load(path: string): T5 | EncoderDecoder {
  const { model, unused } = loadModel(path)
  expect(unused).toEqual([])
  if (model instanceof T5 || model instanceof EncoderDecoder) return model
  throw new TypeError(`expected a T5 or an EncoderDecoder, got a ${model.constructor.name}`)
}

const pairsOf = ({ sources, targets }: Expected): SequencePair[] =>
  sources.map((ids, i) => ({ source: { ids }, target: { ids: targets[i] } }))

async function logitsOf(model: SequenceToSequenceModel, batches: readonly SequencePair[][]): Promise<number[]> {
  const { inputs, source, target } = pairInputs()
  const program = await compile({ inputs, outputs: { logits: model.forward(source, target) } })
  const found: number[] = []
  for (const pairs of batches) found.push(...float32((await program.run(pairFeeds(pairs))).logits))
  await program.dispose()
  return found
}

const int64 = (values: readonly number[], shape = [values.length]): Feed => ({
  data: BigInt64Array.from(values, BigInt),
  shape,
})

/** Logits of a batch with three places more than it needs, which hold an id that means something. */
async function paddedLogitsOf(model: SequenceToSequenceModel, pairs: readonly SequencePair[]): Promise<number[]> {
  const sides = ['source', 'target'] as const
  const [source, target] = sides.map((side) => {
    const flat = (name: string) => input(`${side}.${name}`, 'int64', ['batch', side]).reshape([-1])
    const keep = input(`${side}.keep`, 'bool', ['batch', side])
    const layout = new PaddedLayout(keep)
    return { ids: flat('ids'), positions: flat('positions'), segments: flat('segments'), layout }
  })
  const feeds: Record<string, Feed> = {}
  const keeps = sides.map((side) => {
    const width = 3 + Math.max(...pairs.map((pair) => pair[side].ids.length))
    const places = pairs.flatMap(({ [side]: { ids } }) => Array.from({ length: width }, (_, t) => [ids[t] ?? 5, t]))
    const keep = pairs.flatMap(({ [side]: { ids } }) => Array.from({ length: width }, (_, t) => t < ids.length))
    const shape = [pairs.length, width]
    feeds[`${side}.ids`] = int64(
      places.map(([id]) => id),
      shape,
    )
    feeds[`${side}.positions`] = int64(
      places.map(([, t]) => t),
      shape,
    )
    feeds[`${side}.segments`] = int64(
      places.map(() => 0),
      shape,
    )
    feeds[`${side}.keep`] = { data: Uint8Array.from(keep, Number), shape }
    return keep
  })
  const program = await compile({ outputs: { logits: model.forward(source, target) } })
  const known = Object.entries(feeds).filter(([name]) => program.inputs.has(name))
  const { logits } = await program.run(Object.fromEntries(known))
  await program.dispose()
  return [...float32(logits)].filter((_, i) => keeps[1][Math.floor(i / model.config.vocabularySize)])
}

async function generate(
  model: SequenceToSequenceModel,
  { sources, generation }: Expected,
  options: GenerationOptions = {},
) {
  const { maxNewTokens, startTokenId, eosTokenId, noRepeatNgramSize } = generation
  const decoder = new SequenceToSequenceDecoder(model)
  expect(decoder.startTokenId).toBe(startTokenId)
  await decoder.read(sources.map((ids) => ({ ids })))
  const prompts = sources.map(() => [startTokenId])
  const found = await generateBatch(decoder, prompts, {
    maxNewTokens,
    noRepeatNgramSize,
    eosTokenIds: [eosTokenId],
    ...options,
  })
  await decoder.dispose()
  return found
}

describe.each(variants)("transformers' %s", (name) => {
  const expected = readFixture<Expected>(`${name}/expected.json`)
  const pairs = pairsOf(expected)

  it('computes the same: of a ragged batch, of pairs apart, and of a padded batch', async () => {
    const model = load(fixturePath(name))
    expect(largestDifference(await logitsOf(model, [pairs]), expected.logits)).toBeLessThan(3e-5)
    const apart = pairs.map((pair) => [pair])
    expect(largestDifference(await logitsOf(model, apart), expected.logits)).toBeLessThan(3e-5)
    expect(largestDifference(await paddedLogitsOf(model, pairs), expected.logits)).toBeLessThan(3e-5)
  })

  it('has the same loss and gradients', async () => {
    const model = load(fixturePath(name))
    const { inputs, source, target } = pairInputs()
    const labels = input('labels', 'int64', ['targetTokens'])
    const loss = crossEntropy(model.forward(source, target), labels)
    const reference = readTensors(`${name}/gradients.safetensors`)
    expect(reference.size).toBeGreaterThan(5)
    const found = gradients(loss, model.parameters())
    const dense = Object.fromEntries(Object.entries(found).map(([path, gradient]) => [path, toDense(gradient)]))
    const program = await compile({ inputs: { ...inputs, labels }, outputs: { loss, ...dense } })
    const feeds = { ...pairFeeds(pairs), labels: int64(expected.labels) }
    const result: Record<string, TensorValue> = await program.run(feeds)
    await program.dispose()
    expect(Math.abs(float32(result.loss)[0] / expected.loss - 1)).toBeLessThan(1e-5)
    for (const [path, value] of reference) {
      const gradient = float32(result[path]).slice()
      // There the head is the embeddings, here it only starts as them.
      if (name === 't5/unscaled' && path === 'shared.weight') addTo(gradient, float32(result['lm_head.weight']))
      expect(distance(gradient, float32(value)) / norm(float32(value)), path).toBeLessThan(1e-5)
    }
  })

  it('computes something else when two weights are swapped', async () => {
    const model = load(fixturePath(name))
    const parameters = Object.entries(model.parameters())
    const [a, b] = swaps[name.split('/')[0]].map((path) => parameters.find(([key]) => path.test(key))![1])
    ;[a.data, b.data] = [b.data, a.data]
    expect(distance(await logitsOf(model, [pairs]), expected.logits)).toBeGreaterThan(1e-2 * norm(expected.logits))
  })

  it('generates the same, greedily and with four beams', async () => {
    const model = load(fixturePath(name))
    const { greedy, beams, scores, lengthPenalty } = expected.generation
    const written = await generate(model, expected)
    expect(written.map(({ ids }) => ids)).toEqual(greedy)
    const strategy = beamSearch({ beams: 4, returnSequences: 4, lengthPenalty })
    const found = await generate(model, expected, { strategy })
    expect(found.map(({ ids }) => ids)).toEqual(beams.flat())
    expect(
      largestDifference(
        found.map(({ score = Number.NaN }) => score),
        scores,
      ),
    ).toBeLessThan(1e-4)
  })

  it('is the same once it is saved', async () => {
    const saved = join(folder, name)
    const model = load(fixturePath(name))
    saveModel(saved, model)
    const again = load(saved)
    expect(again.config).toEqual(model.config)
    expect(await logitsOf(again, [pairs])).toEqual(await logitsOf(model, [pairs]))
    const { startTokenId, eosTokenId } = expected.generation
    const ids = { decoder_start_token_id: startTokenId, eos_token_id: eosTokenId, pad_token_id: 0 }
    for (const file of ['config.json', 'generation_config.json']) expect(readJson(join(saved, file))).toMatchObject(ids)
  })
})

function addTo(sum: Float32Array, more: Float32Array): void {
  for (const [i, value] of more.entries()) sum[i] += value
}
