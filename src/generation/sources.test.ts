import { afterAll, describe, expect, it } from 'vitest'
import { DataError, UsageError } from '../errors.js'
import { tinyConfig as config, tinyTransformer } from './sequence-to-sequence.testing.js'
import { SequenceToSequenceDecoder } from './sequence-to-sequence-decoder.js'
import { generateFromSources, type SourceOptions, streamFromSources } from './sources.js'
import { beamSearch, sample } from './strategies.js'
import type { GenerationResult } from './types.js'

const model = tinyTransformer()
const decoder = new SequenceToSequenceDecoder(model)

afterAll(() => decoder.dispose())

const lengths = [3, 1, 9, 4, 1, 6, 3, 2, 14, 5]
const sources = lengths.map((length, i) => ({ ids: Array.from({ length }, (_, t) => 2 + ((7 * i + 3 * t) % 15)) }))

/** The batches in which a decoder is given the sources, by their lengths. */
async function batches(options: SourceOptions, given = sources): Promise<number[][]> {
  const seen: number[][] = []
  const spy = new SequenceToSequenceDecoder(model)
  const read = spy.read.bind(spy)
  spy.read = (batch) => {
    seen.push(batch.map(({ ids }) => ids.length))
    return read(batch)
  }
  await generateFromSources(spy, given, { maxNewTokens: 1, ...options })
  await spy.dispose()
  return seen
}

describe('generating from sources', () => {
  it.each([
    ['greedy', {}],
    ['sampled', { strategy: sample({ temperature: 0.7 }), seed: 3 }],
    ['beams', { strategy: beamSearch({ beams: 3, returnSequences: 2 }) }],
    ['beams behind a prefix', { strategy: beamSearch({ beams: 2 }), prefix: [4, 5] }],
  ] satisfies [string, SourceOptions][])(
    'gives %s targets in the order of sources, whatever the batches',
    async (name, options) => {
      const settings = { eosTokenIds: [1], maxNewTokens: 12, ...options }
      const found = await generateFromSources(decoder, sources, { ...settings, batchTokens: 12 })
      const whole = await generateFromSources(decoder, sources, settings)
      const ids = (results: readonly (readonly GenerationResult[])[]) =>
        results.map((each) => each.map(({ ids }) => ids))
      expect(ids(found)).toEqual(ids(whole))
      expect(new Set(ids(found).map((each) => each.join())).size).toBeGreaterThan(7)
      if (name === 'sampled') return
      for (const [i, source] of sources.entries()) {
        expect(ids(await generateFromSources(decoder, [source], settings))[0]).toEqual(ids(found)[i])
      }
    },
  )

  it('takes sources of similar length together, as many as their padded tokens allow', async () => {
    expect(await batches({ batchTokens: 12 })).toEqual([[1, 1, 2, 3], [3, 4], [5, 6], [9], [14]])
    expect(await batches({ batchTokens: 1 })).toEqual([...lengths].sort((a, b) => a - b).map((length) => [length]))
    expect(await batches({})).toEqual([[...lengths].sort((a, b) => a - b)])
    expect(await batches({}, [])).toEqual([])
  })

  it('limits targets to twice the source and 20 tokens, or to the context', async () => {
    const short = [{ ids: [5] }, { ids: [5, 6, 7] }, { ids: Array<number>(12).fill(3) }]
    const lengthsOf = async (options: SourceOptions) =>
      (await generateFromSources(decoder, short, { eosTokenIds: [], ...options })).map(([{ ids }]) => ids.length)
    expect(await lengthsOf({})).toEqual([22, 26, config.contextLength])
    expect(await lengthsOf({ prefix: [2, 3] })).toEqual([22, 26, config.contextLength - 2])
    expect(await lengthsOf({ maxNewTokens: 30 })).toEqual([30, 30, 30])
    expect(await lengthsOf({ maxNewTokens: 100 })).toEqual([40, 40, 40])
  })

  it('streams the results of a batch when it is done', async () => {
    const order: number[] = []
    for await (const { index, results } of streamFromSources(decoder, sources, { maxNewTokens: 2, batchTokens: 6 })) {
      order.push(index)
      expect(results).toHaveLength(1)
    }
    expect(order.map((index) => lengths[index])).toEqual([...lengths].sort((a, b) => a - b))
    expect([...order].sort((a, b) => a - b)).toEqual([...lengths.keys()])
  })

  it('ends with the reason of a signal', async () => {
    const controller = new AbortController()
    const seen: number[] = []
    const run = async () => {
      const options = { maxNewTokens: 2, batchTokens: 6, signal: controller.signal }
      for await (const { index } of streamFromSources(decoder, sources, options)) {
        seen.push(index)
        if (seen.length === 4) controller.abort(new RangeError('enough'))
      }
    }
    await expect(run()).rejects.toThrow('enough')
    // The batch that is done is given out.
    expect(seen).toHaveLength(5)
  })

  it('refuses sources and options that do not fit', async () => {
    await expect(generateFromSources(decoder, [{ ids: [] }])).rejects.toThrow(DataError)
    await expect(generateFromSources(decoder, [{ ids: Array<number>(41).fill(2) }])).rejects.toThrow(DataError)
    await expect(generateFromSources(decoder, sources, { batchTokens: 0 })).rejects.toThrow(UsageError)
    await expect(generateFromSources(decoder, sources, { maxNewTokens: 0 })).rejects.toThrow(UsageError)
    const prefix = Array<number>(40).fill(2)
    await expect(generateFromSources(decoder, sources, { prefix })).rejects.toThrow(DataError)
  })
})
