import { describe, expect, it } from 'vitest'
import { CausalDecoder } from '../../src/generation/decoder.js'
import { generateBatch } from '../../src/generation/generate.js'
import { beamSearch } from '../../src/generation/strategies.js'
import { input } from '../../src/graph/index.js'
import { loadModel } from '../../src/hub/checkpoint.js'
import { GPT } from '../../src/models/index.js'
import { evaluate, float32 } from '../../src/runtime/index.js'
import { fixturePath, largestDifference, readFixture } from './fixtures.js'

interface Expected {
  ids: number[]
  logits: number[][]
  prompt: number[]
  maxNewTokens: number
  greedy: number[]
  greedyRepetitionPenalty: { repetitionPenalty: number; newIds: number[] }
  greedyEnding: { endOfSequenceId: number; newIds: number[] }
  beamSearches: {
    beams: number
    lengthPenalty: number
    endOfSequenceId: number | null
    sequences: { newIds: number[]; score: number }[]
  }[]
  ragged: { prompts: number[][]; newIds: number[][] }
}

function load(variant: string): GPT {
  const { model, unused } = loadModel(fixturePath(`gpt2/${variant}`))
  expect(unused).toEqual([])
  if (!(model instanceof GPT)) throw new TypeError(`expected a GPT, got a ${model.constructor.name}`)
  return model
}

async function logitsOf(model: GPT, ids: readonly number[]): Promise<Float32Array> {
  const tensor = input('ids', 'int64', [1, ids.length])
  return float32(await evaluate(model.forward(tensor), { ids: BigInt64Array.from(ids, BigInt) }))
}

describe.each(['tied', 'bare', 'buffers', 'untied'])("transformers' GPT-2, %s", (variant) => {
  const expected = readFixture<Expected>(`gpt2/${variant}/expected.json`)

  it('has equal logits, and other ones when two weights are swapped', async () => {
    const model = load(variant)
    const reference = expected.logits.flat()
    expect(largestDifference(await logitsOf(model, expected.ids), reference)).toBeLessThan(1e-4)
    const [first, second] = model.transformer.h
    const swapped = first.attn.c_proj.weight.data
    first.attn.c_proj.weight.data = second.attn.c_proj.weight.data
    second.attn.c_proj.weight.data = swapped
    expect(largestDifference(await logitsOf(model, expected.ids), reference)).toBeGreaterThan(1e-2)
  })

  it('generates the same ids: greedy, with a repetition penalty, up to an end token, ragged batches', async () => {
    const decoder = await CausalDecoder.create(load(variant))
    const { prompt, maxNewTokens, greedyRepetitionPenalty, greedyEnding, ragged } = expected
    const ids = async (prompts: number[][], options = {}) =>
      (await generateBatch(decoder, prompts, { maxNewTokens, ...options })).map((result) => result.ids)
    expect(await ids([prompt])).toEqual([expected.greedy])
    const { repetitionPenalty } = greedyRepetitionPenalty
    expect(await ids([prompt], { repetitionPenalty })).toEqual([greedyRepetitionPenalty.newIds])
    expect(await ids([prompt], { eosTokenIds: [greedyEnding.endOfSequenceId] })).toEqual([greedyEnding.newIds])
    expect(await ids(ragged.prompts)).toEqual(ragged.newIds)
    await decoder.dispose()
  })

  it('finds the same beams with the same scores', async () => {
    const decoder = await CausalDecoder.create(load(variant))
    for (const { beams, lengthPenalty, endOfSequenceId, sequences } of expected.beamSearches) {
      const results = await generateBatch(decoder, [expected.prompt], {
        strategy: beamSearch({ beams, lengthPenalty, returnSequences: sequences.length }),
        maxNewTokens: expected.maxNewTokens,
        eosTokenIds: endOfSequenceId === null ? [] : [endOfSequenceId],
      })
      expect(results.map((result) => result.ids)).toEqual(sequences.map((sequence) => sequence.newIds))
      const scores = results.map((result) => result.score ?? Number.NaN)
      expect(
        largestDifference(
          scores,
          sequences.map((sequence) => sequence.score),
        ),
      ).toBeLessThan(1e-4)
    }
    await decoder.dispose()
  })
})
