import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { DataError, UsageError } from '../errors.js'
import {
  Bart,
  BertDecoder,
  BertModel,
  EncoderDecoder,
  GPTDecoder,
  type SequenceToSequenceModel,
  T5,
  Transformer,
} from '../models/index.js'
import { initialize } from '../nn/index.js'
import { generateBatch } from './generate.js'
import { tinyConfig, tinyTransformer, UncachedModel } from './sequence-to-sequence.testing.js'
import { SequenceToSequenceDecoder } from './sequence-to-sequence-decoder.js'
import { beamSearch, sample } from './strategies.js'
import type { Decoder, GenerationOptions, GenerationResult } from './types.js'

const config = tinyConfig
const model = tinyTransformer()
const uncached = new UncachedModel(model)
const decoder = new SequenceToSequenceDecoder(model)
const start = config.decoderStartTokenId

const sources = [[5, 6, 7, 8, 9, 10], [11], [12, 13, 14], [4, 3]]

afterAll(async () => {
  await decoder.dispose()
  await uncached.dispose()
})

const read = (ids: readonly (readonly number[])[]) => decoder.read(ids.map((each) => ({ ids: each })))

interface Row {
  readonly source: readonly number[]
  readonly target: readonly number[]
}

async function expectRows(found: Float32Array[], rows: readonly Row[], from = uncached): Promise<void> {
  expect(found).toHaveLength(rows.length)
  for (const [i, { source, target }] of rows.entries()) {
    const expected = await from.nextLogits(source, target)
    for (const [token, value] of expected.entries()) expect(found[i][token]).toBeCloseTo(value, 4)
  }
}

/** A decoder without the methods that give the best tokens only. */
function withoutCandidates(full: SequenceToSequenceDecoder): Decoder {
  return {
    vocabularySize: full.vocabularySize,
    contextLength: full.contextLength,
    start: (prompts) => full.start(prompts),
    step: (tokens) => full.step(tokens),
    reorder: (source) => full.reorder(source),
  }
}

describe('a decoder of sources', () => {
  it('has a model to test with whose logits depend on source and target', async () => {
    const rows = [
      [[5], [0, 3]],
      [[6], [0, 3]],
      [[5], [0, 4]],
      [
        [5, 5],
        [0, 3],
      ],
      [[5], [0, 2, 3]],
    ]
    const best = await Promise.all(rows.map(([source, target]) => uncached.nextLogits(source, target)))
    for (const [i, logits] of best.entries()) {
      for (const other of best.slice(0, i)) {
        expect(Math.max(...logits.map((logit, token) => Math.abs(logit - other[token])))).toBeGreaterThan(0.1)
      }
    }
  })

  it('gives what the model gives without a cache, for ragged sources and as far as the context goes', async () => {
    await read(sources)
    let rows: Row[] = sources.map((source) => ({ source, target: [start] }))
    await expectRows(await decoder.start(rows.map(({ target }) => [...target])), rows)
    for (let step = 1; step < config.contextLength; step++) {
      const tokens = rows.map((_, i) => (7 * step + 3 * i) % config.vocabularySize)
      rows = rows.map(({ source, target }, i) => ({ source, target: [...target, tokens[i]] }))
      await expectRows(await decoder.step(tokens), rows)
    }
    await expect(decoder.step([1, 1, 1, 1])).rejects.toThrow(/41 tokens do not fit the model's context of 40/)
  })

  it('gives what the model gives without a cache, however rows are reordered and however long the first tokens are', async () => {
    const drawn = fc.record({
      sources: fc.array(fc.array(fc.integer({ min: 2, max: 16 }), { minLength: 1, maxLength: 7 }), {
        minLength: 1,
        maxLength: 4,
      }),
      prefix: fc.array(fc.nat(16), { maxLength: 3 }),
      steps: fc.array(fc.array(fc.nat(1000), { minLength: 1, maxLength: 6 }), { maxLength: 8 }),
    })
    await fc.assert(
      fc.asyncProperty(drawn, async ({ sources, prefix, steps }) => {
        await read(sources)
        let rows: Row[] = sources.map((source) => ({ source, target: [start, ...prefix] }))
        await expectRows(await decoder.start(rows.map(({ target }) => target)), rows)
        for (const numbers of steps) {
          const order = numbers.map((number) => number % rows.length)
          decoder.reorder(order)
          rows = order.map((row, i) => ({
            source: rows[row].source,
            target: [...rows[row].target, numbers[i] % config.vocabularySize],
          }))
          await expectRows(await decoder.step(rows.map(({ target }) => target[target.length - 1])), rows)
        }
      }),
      { seed: 9, numRuns: 25 },
    )
  })

  it('gives the tokens with the largest logits and their log probabilities', async () => {
    await read(sources)
    const prompts = sources.map(() => [start])
    const logits = (await decoder.start(prompts)).map((row) => Float32Array.from(row))
    for (const count of [1, 5, config.vocabularySize]) {
      const { ids, logProbabilities } = await decoder.startCandidates(prompts, count)
      for (const [row, values] of logits.entries()) {
        const partition = Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0))
        const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, count)
        expect([...ids.subarray(row * count, (row + 1) * count)]).toEqual(order)
        for (const [i, id] of order.entries()) {
          expect(logProbabilities[row * count + i]).toBeCloseTo(values[id] - partition, 4)
        }
      }
    }
    const stepped = await decoder.stepCandidates([2, 3, 4, 5], 2)
    const expected = await uncached.nextLogits(sources[2], [start, 4])
    expect(stepped.ids[4]).toBe(expected.indexOf(Math.max(...expected)))
  })

  it('starts again from the same sources, also after some have left', async () => {
    await read(sources)
    const prompts = sources.map(() => [start])
    const first = (await decoder.start(prompts)).map((row) => [...row])
    decoder.reorder([2, 2])
    await decoder.step([3, 4])
    expect((await decoder.start(prompts)).map((row) => [...row])).toEqual(first)
  })

  it('refuses sources, prompts and tokens that do not fit', async () => {
    const long = Array<number>(41).fill(2)
    await expect(read([[2], long])).rejects.toThrow(DataError)
    await expect(read([[2], long])).rejects.toThrow(/source 1 has 41 tokens/)
    await expect(read([[2], []])).rejects.toThrow(DataError)
    await read([[2], [3]])
    await expect(decoder.start([[start]])).rejects.toThrow(/a prompt for each of the 2 sources, got 1/)
    await expect(decoder.start([[start], [start, 3]])).rejects.toThrow(UsageError)
    await decoder.start([[start], [start]])
    await expect(decoder.step([1])).rejects.toThrow(/a token for each of the 2 rows, got 1/)
  })
})

const bert = {
  vocabularySize: 17,
  contextLength: 40,
  layers: 2,
  heads: 2,
  width: 8,
  innerWidth: 12,
  deviation: 0.5,
}
const tokens = { decoderStartTokenId: 0, eosTokenId: 1 }

describe.each<[string, SequenceToSequenceModel]>([
  ['pre-norm Transformer', new Transformer({ ...tinyConfig, norm: 'pre' })],
  ['BART', new Bart(tinyConfig)],
  ['T5', new T5({ ...tinyConfig, dropout: 0, headWidth: 3, relativePositions: { buckets: 4, maxDistance: 5 } })],
  ['BERT2BERT', new EncoderDecoder(new BertModel({ ...bert, width: 12 }), new BertDecoder(bert), tokens)],
  ['BERT2GPT', new EncoderDecoder(new BertModel(bert), new GPTDecoder(bert), tokens)],
])('a decoder of a %s', (_name, model) => {
  it('gives what the model gives without a cache', async () => {
    initialize(model.parameters(), 8)
    const [decoder, whole] = [new SequenceToSequenceDecoder(model), new UncachedModel(model)]
    await decoder.read(sources.map((ids) => ({ ids })))
    let rows: Row[] = sources.map((source) => ({ source, target: [0, 3] }))
    await expectRows(await decoder.start(rows.map(({ target }) => target)), rows, whole)
    for (const order of [[0, 0, 1, 3, 3, 3], [5, 3, 0, 1, 2], [0, 1, 2, 2, 4], [4, 4], [1, 0], [0, 0, 1, 1], [0]]) {
      decoder.reorder(order)
      rows = order.map((row, i) => ({ source: rows[row].source, target: [...rows[row].target, 1 + 3 * i] }))
      const found = await decoder.step(rows.map(({ target }) => target[target.length - 1]))
      await expectRows(found, rows, whole)
    }
    await decoder.dispose()
    await whole.dispose()
  })
})

describe('targets of sources', () => {
  const settings = { eosTokenIds: [1], maxNewTokens: 25 }
  const generated = async (
    ids: readonly (readonly number[])[],
    options: GenerationOptions,
    from: Decoder = decoder,
  ) => {
    await read(ids)
    return generateBatch(
      from,
      ids.map(() => [start]),
      options,
    )
  }

  it('are those of a loop over the most likely token, when greedy', async () => {
    const found = await generated(sources, settings)
    expect(await generated(sources, settings, withoutCandidates(decoder))).toEqual(found)
    for (const [i, source] of sources.entries()) {
      const target = [start]
      while (target.length <= 25 && target.at(-1) !== 1) {
        const logits = await uncached.nextLogits(source, target)
        target.push(logits.indexOf(Math.max(...logits)))
      }
      expect(found[i].ids).toEqual(target.slice(1))
    }
    expect(new Set(found.map(({ ids }) => ids.join())).size).toBe(sources.length)
  })

  it('are the same in a batch as alone, sampled or searched for', async () => {
    const strategies = [
      beamSearch({ beams: 4, returnSequences: 4, lengthPenalty: 0.6, lengthNormalization: 'gnmt' }),
      beamSearch({ beams: 4, returnSequences: 2, beamGroups: 2, diversityPenalty: 0.7 }),
      sample({ temperature: 0.8 }),
    ]
    const score = ({ score = 0 }: GenerationResult) => score
    for (const strategy of strategies) {
      const options = { ...settings, strategy, badWords: [[9]], minNewTokens: 3 }
      const together = await generated(sources, options)
      const plain = await generated(sources, options, withoutCandidates(decoder))
      expect(plain.map(({ ids }) => ids)).toEqual(together.map(({ ids }) => ids))
      const per = together.length / sources.length
      for (const [i, source] of sources.entries()) {
        if (strategy.kind !== 'beam' && i > 0) break
        const alone = await generated([source], options)
        const own = together.slice(i * per, (i + 1) * per)
        expect(own.map(({ ids }) => ids)).toEqual(alone.map(({ ids }) => ids))
        for (const [j, result] of alone.entries()) expect(score(own[j])).toBeCloseTo(score(result), 4)
      }
    }
  })

  it('have the score that the model gives them', async () => {
    const strategy = beamSearch({ beams: 3, returnSequences: 3, lengthPenalty: 1 })
    const results = await generated(sources, { ...settings, strategy })
    for (const [i, { ids, score }] of results.entries()) {
      let sum = 0
      for (const [t, id] of ids.entries()) {
        const logits = await uncached.nextLogits(sources[Math.floor(i / 3)], [start, ...ids.slice(0, t)])
        sum += logits[id] - Math.log(logits.reduce((total, logit) => total + Math.exp(logit), 0))
      }
      expect(score).toBeCloseTo(sum / ids.length, 4)
    }
  })
})
