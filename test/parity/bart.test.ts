import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { SequenceToSequenceDecoder } from '../../src/generation/sequence-to-sequence-decoder.js'
import { generateFromSources } from '../../src/generation/sources.js'
import { beamSearch } from '../../src/generation/strategies.js'
import { loadModel, saveModel } from '../../src/hub/checkpoint.js'
import { readSafetensors } from '../../src/hub/files.js'
import { Bart, pairFeeds, pairInputs, type SequencePair, Transformer } from '../../src/models/index.js'
import { compile, float32 } from '../../src/runtime/index.js'
import { distance, fixturePath, largestDifference, norm, readFixture } from './fixtures.js'

interface Expected {
  sources: number[][]
  targets: number[][]
  logits: number[]
  greedy: number[][]
  beam: number[][]
}

const variants = { marian: Transformer, 'marian-two-vocabularies': Transformer, bart: Bart }

const folder = mkdtempSync(join(tmpdir(), 'heddle-bart-'))
afterAll(() => rmSync(folder, { recursive: true }))

function load(path: string): Transformer {
  const { model, unused } = loadModel(path)
  expect(unused).toEqual([])
  if (model instanceof Transformer) return model
  throw new TypeError(`expected a Transformer, got a ${model.constructor.name}`)
}

async function logitsOf(model: Transformer, { sources, targets }: Expected): Promise<Float32Array> {
  const { source, target } = pairInputs()
  const program = await compile({ outputs: { logits: model.forward(source, target) } })
  const pairs = sources.map((ids, i): SequencePair => ({ source: { ids }, target: { ids: targets[i] } }))
  return float32((await program.run(pairFeeds(pairs))).logits)
}

describe.each(Object.entries(variants))('%s', (name, type) => {
  const expected = readFixture<Expected>(`bart/${name}/expected.json`)

  it('computes what Python does', async () => {
    const model = load(fixturePath(`bart/${name}`))
    expect(model.constructor).toBe(type)
    expect(largestDifference(await logitsOf(model, expected), expected.logits)).toBeLessThan(1e-4)
  })

  it('computes something else where two weights are swapped', async () => {
    const model = load(fixturePath(`bart/${name}`))
    const parameters = model.parameters()
    const [a, b] = ['q', 'out'].map((part) => parameters[`model.decoder.layers.0.encoder_attn.${part}_proj.weight`])
    ;[a.data, b.data] = [b.data, a.data]
    expect(distance(await logitsOf(model, expected), expected.logits)).toBeGreaterThan(1e-2 * norm(expected.logits))
  })

  it('generates what Python does, greedily and by beam search', async () => {
    const decoder = new SequenceToSequenceDecoder(load(fixturePath(`bart/${name}`)))
    const sources = expected.sources.map((ids) => ({ ids }))
    const options = { maxNewTokens: 10, eosTokenIds: [2], noRepeatNgramSize: 2 }
    const greedily = await generateFromSources(decoder, sources, options)
    expect(greedily.flat().map(({ ids }) => ids)).toEqual(expected.greedy)
    const strategy = beamSearch({ beams: 4, returnSequences: 2, lengthPenalty: 0.6 })
    const searched = await generateFromSources(decoder, sources, { ...options, strategy })
    expect(searched.flat().map(({ ids }) => ids)).toEqual(expected.beam)
    await decoder.dispose()
  })

  it('is saved as it was', async () => {
    const saved = join(folder, name)
    saveModel(saved, load(fixturePath(`bart/${name}`)))
    const [before, after] = [fixturePath(`bart/${name}`), saved].map((path) =>
      readSafetensors(join(path, 'model.safetensors')),
    )
    expect(after).toEqual(before)
    expect(largestDifference(await logitsOf(load(saved), expected), expected.logits)).toBeLessThan(1e-4)
  })
})
