import { describe, expect, it } from 'vitest'
import { input } from '../graph/index.js'
import { type CausalLanguageModel, GPT, Llama, Qwen3 } from '../models/index.js'
import { initialize } from '../nn/index.js'
import { evaluate, float32 } from '../runtime/index.js'
import { CausalDecoder } from './decoder.js'
import { generateBatch } from './generate.js'
import { beamSearch } from './strategies.js'

const config = { vocabularySize: 23, contextLength: 12, layers: 2, heads: 2, width: 8, deviation: 0.5 }

/** Stretches what no text here is long enough for, so that it changes nothing while a text grows. */
const dynamic = { type: 'dynamic', factor: 2, originalContextLength: 12 } as const

function tinyModel(): GPT {
  const model = new GPT(config)
  initialize(model.parameters(), 7)
  return model
}

/** The logits of the last position without a cache. */
async function uncached(model: CausalLanguageModel, ids: readonly number[]): Promise<number[]> {
  const sequence = input('ids', 'int64', [1, ids.length])
  const logits = float32(await evaluate(model.forward(sequence), { ids: BigInt64Array.from(ids, BigInt) }))
  return [...logits.subarray(-config.vocabularySize)]
}

function expectClose(found: Float32Array, expected: readonly number[]): void {
  for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 4)
}

describe('CausalDecoder', () => {
  it('gives what the model gives without a cache, for ragged rows that are reordered on the way', async () => {
    const model = tinyModel()
    const decoder = await CausalDecoder.create(model)
    const rows = [[1, 2, 3, 4, 5], [6], [7, 8, 9]]
    const first = await decoder.start(rows)
    for (const [row, ids] of rows.entries()) expectClose(first[row], await uncached(model, ids))
    decoder.reorder([2, 0, 0, 1])
    const reordered = [
      [7, 8, 9, 10],
      [1, 2, 3, 4, 5, 11],
      [1, 2, 3, 4, 5, 12],
      [6, 13],
    ]
    const second = await decoder.step([10, 11, 12, 13])
    for (const [row, ids] of reordered.entries()) expectClose(second[row], await uncached(model, ids))
    await decoder.dispose()
  })

  it('lets beam search find for several ragged prompts what it finds for each alone', async () => {
    const decoder = await CausalDecoder.create(tinyModel())
    const options = { strategy: beamSearch({ beams: 3, returnSequences: 3 }), eosTokenIds: [0, 7], maxNewTokens: 6 }
    const prompts = [[1, 2, 3, 4, 5], [6], [8, 9, 10]]
    const together = await generateBatch(decoder, prompts, options)
    for (const [row, prompt] of prompts.entries()) {
      const alone = await generateBatch(decoder, [prompt], options)
      const own = together.slice(3 * row, 3 * row + 3)
      expect(own.map(({ ids }) => ids)).toEqual(alone.map(({ ids }) => ids))
      for (const [i, { score = 0 }] of alone.entries()) expect(own[i].score).toBeCloseTo(score, 4)
    }
    await decoder.dispose()
  })

  it('goes on from the later half of a full context', async () => {
    const model = tinyModel()
    const decoder = await CausalDecoder.create(model)
    const ids = Array.from({ length: config.contextLength }, (_, i) => (5 * i) % config.vocabularySize)
    const full = await decoder.start([ids, [3]])
    expectClose(full[0], await uncached(model, ids))
    const [overflowing, other] = await decoder.step([22, 4])
    expectClose(overflowing, await uncached(model, [...ids.slice(6), 22]))
    expectClose(other, await uncached(model, [3, 4]))
    const [next] = await decoder.step([21, 5])
    expectClose(next, await uncached(model, [...ids.slice(6), 22, 21]))
    await decoder.dispose()
  })

  it.each([
    ['dynamic positions', new Llama({ ...config, rotary: { theta: 50, scaling: dynamic } })],
    ['shared keys and a window', new Qwen3({ ...config, heads: 4, keyValueHeads: 2, headWidth: 6, slidingWindow: 4 })],
  ])(
    'gives what a model with %s gives without a cache, ragged, reordered and beyond the context',
    async (_name, model) => {
      initialize(model.parameters(), 7)
      const decoder = await CausalDecoder.create(model)
      const texts = [[1, 2, 3, 4, 5], [6], [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]]
      const first = await decoder.start(texts)
      for (const [row, ids] of texts.entries()) expectClose(first[row], await uncached(model, ids))
      decoder.reorder([2, 0, 1])
      const [overflowing, second, third] = await decoder.step([19, 20, 21])
      expectClose(overflowing, await uncached(model, [13, 14, 15, 16, 17, 18, 19]))
      expectClose(second, await uncached(model, [1, 2, 3, 4, 5, 20]))
      expectClose(third, await uncached(model, [6, 21]))
      await decoder.dispose()
    },
  )
})
