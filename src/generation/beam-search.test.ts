import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CharacterTokenizer, trainCharacterTokenizer } from '../tokenizers/characters.js'
import { generateBatch, streamBatch } from './generate.js'
import { beamSearch } from './strategies.js'
import { CandidateTableDecoder, TableDecoder, tableLogits } from './table-decoder.testing.js'
import type { GenerationEvent, GenerationOptions, GenerationResult } from './types.js'

// From transformers 5.23.0: a PreTrainedModel with GenerationMixin whose forward looks the logits up in the table of
// table-decoder.testing.ts, then
//   model.generate(prompt, generation_config=GenerationConfig(num_beams=beams, max_new_tokens=…, eos_token_id=…,
//     use_cache=False, length_penalty=…, early_stopping=…, num_return_sequences=…, return_dict_in_generate=True,
//     output_scores=True)); ids cut after the end token; sequences_scores.
interface Golden {
  prompt: number[]
  search: Parameters<typeof beamSearch>[0]
  options: GenerationOptions
  expected: [ids: number[], score: number][]
}

const golden: Golden[] = [
  {
    prompt: [3, 5],
    search: { beams: 2 },
    options: { maxNewTokens: 8 },
    expected: [[[0], -1.38491]],
  },
  {
    prompt: [3, 5],
    search: { beams: 4, returnSequences: 4 },
    options: { maxNewTokens: 10 },
    expected: [
      [[1, 1, 2, 4, 10, 8, 2, 0], -1.33541],
      [[1, 1, 2, 2, 0], -1.36865],
      [[1, 1, 2, 4, 10, 8, 2, 7, 11, 10], -1.37354],
      [[0], -1.38491],
    ],
  },
  {
    prompt: [7],
    search: { beams: 3, returnSequences: 3, lengthPenalty: 0 },
    options: { maxNewTokens: 12 },
    expected: [
      [[6, 11, 0], -4.60881],
      [[7, 11, 3, 0], -4.9532],
      [[7, 11, 10, 11, 3, 0], -6.90295],
    ],
  },
  {
    prompt: [7],
    search: { beams: 3, returnSequences: 3, lengthPenalty: 2 },
    options: { maxNewTokens: 12 },
    expected: [
      [[7, 11, 10, 11, 3, 3, 2, 10, 10, 7, 9, 1], -0.10984],
      [[7, 11, 10, 11, 3, 3, 2, 10, 10, 7, 9, 0], -0.10988],
      [[7, 11, 10, 11, 3, 3, 2, 10, 10, 6, 11, 0], -0.11002],
    ],
  },
  {
    prompt: [7],
    search: { beams: 3, returnSequences: 3, lengthPenalty: 2, earlyStopping: true },
    options: { maxNewTokens: 12 },
    expected: [
      [[7, 11, 10, 11, 3, 0], -0.19175],
      [[7, 11, 3, 0], -0.30957],
      [[6, 11, 0], -0.51209],
    ],
  },
  {
    prompt: [7],
    search: { beams: 3, returnSequences: 3, lengthPenalty: -0.5, earlyStopping: 'never' },
    options: { maxNewTokens: 12 },
    expected: [
      [[6, 11, 0], -7.98269],
      [[7, 11, 3, 0], -9.9064],
      [[7, 11, 10, 11, 3, 0], -16.9087],
    ],
  },
  {
    prompt: [3],
    search: { beams: 3, returnSequences: 3, earlyStopping: false },
    options: { maxNewTokens: 12 },
    expected: [
      [[2, 10, 10, 0], -1.24409],
      [[10, 4, 6, 10, 4, 0], -1.31964],
      [[10, 4, 0], -1.34345],
    ],
  },
  {
    prompt: [3],
    search: { beams: 3, returnSequences: 3, earlyStopping: 'never' },
    options: { maxNewTokens: 12 },
    expected: [
      [[2, 10, 10, 7, 9, 1, 10, 5, 3, 6, 0], -1.24305],
      [[2, 10, 10, 0], -1.24409],
      [[2, 10, 10, 7, 9, 1, 10, 5, 3, 7, 6, 11], -1.29249],
    ],
  },
  {
    prompt: [2, 9, 1],
    search: { beams: 3, returnSequences: 3 },
    options: { maxNewTokens: 10, repetitionPenalty: 1.4 },
    expected: [
      [[10, 5, 3, 6, 0], -1.10059],
      [[10, 5, 3, 7, 6, 4, 11, 3, 0], -1.26023],
      [[10, 5, 3, 7, 6, 11, 0], -1.28371],
    ],
  },
  {
    prompt: [2, 9, 1],
    search: { beams: 3, returnSequences: 3 },
    options: { maxNewTokens: 10, noRepeatNgramSize: 2 },
    expected: [
      [[10, 5, 3, 6, 0], -1.10059],
      [[10, 5, 3, 7, 7, 11, 10, 11, 3, 0], -1.12117],
      [[10, 5, 3, 7, 7, 11, 3, 0], -1.15775],
    ],
  },
  {
    prompt: [4, 4],
    search: { beams: 3, returnSequences: 3 },
    options: { maxNewTokens: 10, eosTokenIds: [0, 6, 11] },
    expected: [
      [[0], -1.22747],
      [[5, 6], -1.50826],
      [[5, 7, 0], -1.53929],
    ],
  },
  {
    prompt: [4, 4],
    search: { beams: 3, returnSequences: 3 },
    options: { maxNewTokens: 3 },
    expected: [
      [[0], -1.22747],
      [[6, 10, 4], -1.5102],
      [[6, 10, 9], -1.51353],
    ],
  },
]

// As above; the last case but one asks for the lengths and words of the options together.
const constrained: Golden[] = [
  {
    prompt: [3, 5],
    search: { beams: 3, returnSequences: 3 },
    options: { maxNewTokens: 10, minLength: 6 },
    expected: [
      [[1, 1, 2, 4, 10, 8, 2, 0], -1.33541],
      [[1, 1, 2, 2, 0], -1.36865],
      [[1, 1, 2, 4, 10, 8, 2, 7, 11, 10], -1.37354],
    ],
  },
  {
    prompt: [4, 4],
    search: { beams: 3, returnSequences: 3 },
    options: { maxNewTokens: 8, minNewTokens: 2, eosTokenIds: [0, 6, 11] },
    expected: [
      [[5, 7, 5, 10, 2, 4, 10, 8], -1.39807],
      [[5, 7, 5, 10, 2, 2, 0], -1.44703],
      [[5, 7, 5, 10, 2, 4, 10, 6], -1.45947],
    ],
  },
  {
    prompt: [3],
    search: { beams: 3, returnSequences: 3 },
    options: { maxNewTokens: 8, forcedBosTokenId: 9 },
    expected: [
      [[9, 4, 4, 0], -1.08742],
      [[9, 2, 9, 6, 0], -1.1483],
      [[9, 2, 9, 7, 3, 0], -1.18694],
    ],
  },
  {
    prompt: [3, 5],
    search: { beams: 3, returnSequences: 3 },
    options: { maxNewTokens: 8, forcedBosTokenId: 9 },
    expected: [
      [[1, 1, 2, 4, 10, 8, 2, 0], -1.33541],
      [[1, 1, 2, 2, 0], -1.36865],
      [[0], -1.38491],
    ],
  },
  {
    prompt: [7],
    search: { beams: 3, returnSequences: 3, lengthPenalty: 2 },
    options: { maxNewTokens: 5, forcedEosTokenId: 0 },
    expected: [
      [[7, 11, 10, 11, 0], -0.21385],
      [[7, 11, 10, 9, 0], -0.22689],
      [[7, 11, 3, 3, 0], -0.2363],
    ],
  },
  {
    prompt: [3, 5],
    search: { beams: 3, returnSequences: 3 },
    options: { maxNewTokens: 10, badWords: [[1], [4, 10], [10, 8], [0]] },
    expected: [
      [[0], -1.38491],
      [[8, 8, 0], -1.63103],
      [[5, 2, 0], -1.63813],
    ],
  },
  {
    prompt: [3, 5],
    search: { beams: 3, returnSequences: 3 },
    options: {
      maxNewTokens: 10,
      badWords: [
        [1, 2],
        [7, 6, 11],
      ],
      minNewTokens: 4,
      noRepeatNgramSize: 2,
      forcedEosTokenId: 0,
    },
    expected: [
      [[1, 1, 4, 5, 6, 4, 11, 10, 11, 0], -1.31778],
      [[1, 1, 4, 5, 6, 4, 11, 3, 3, 0], -1.32605],
      [[1, 1, 4, 5, 7, 1, 11, 6, 4, 0], -1.33707],
    ],
  },
  {
    prompt: [2],
    search: { beams: 3, returnSequences: 3 },
    options: {
      maxNewTokens: 6,
      repetitionPenalty: 1.4,
      badWords: [[10]],
      minLength: 4,
      forcedBosTokenId: 9,
      forcedEosTokenId: 0,
    },
    expected: [
      [[9, 7, 3, 1, 6, 0], -0.88844],
      [[9, 6, 7, 3, 1, 0], -0.96754],
      [[9, 6, 7, 3, 8, 0], -0.97727],
    ],
  },
]

// As above, but from transformers 4.52.4, the last line that has num_beam_groups and diversity_penalty built in, with a
// thirteenth token of logit −10⁴ for pad_token_id: groups that are done there choose it, and so penalize it.
const diverse: Golden[] = [
  {
    prompt: [3, 5],
    search: { beams: 6, returnSequences: 6, beamGroups: 3, diversityPenalty: 1 },
    options: { maxNewTokens: 8 },
    expected: [
      [[0], -1.38491],
      [[0], -1.38491],
      [[0], -1.38491],
      [[6, 4, 11, 3, 0], -1.50907],
      [[1, 0], -1.51233],
      [[8, 0], -1.64795],
    ],
  },
  {
    prompt: [7],
    search: { beams: 4, returnSequences: 4, beamGroups: 2, diversityPenalty: 0.5 },
    options: { maxNewTokens: 8 },
    expected: [
      [[6, 11, 1, 8, 4, 11, 3, 0], -1.33849],
      [[7, 2, 4, 10, 8, 2, 0], -1.35278],
      [[7, 2, 4, 10, 8, 2, 6, 4], -1.43217],
      [[6, 11, 1, 8, 4, 11, 10, 11], -1.44745],
    ],
  },
  {
    prompt: [2, 9, 1],
    search: { beams: 3, returnSequences: 3, beamGroups: 3, diversityPenalty: 2, earlyStopping: true },
    options: { maxNewTokens: 8 },
    expected: [
      [[10, 5, 3, 6, 0], -1.10059],
      [[3, 0], -1.49259],
      [[11, 6, 4, 2, 2, 0], -1.58644],
    ],
  },
  {
    prompt: [3],
    search: { beams: 6, returnSequences: 6, beamGroups: 3, diversityPenalty: 1 },
    options: { maxNewTokens: 8 },
    expected: [
      [[2, 10, 10, 0], -1.24409],
      [[10, 4, 0], -1.34345],
      [[4, 2, 4, 10, 8, 2, 0], -1.40755],
      [[4, 2, 4, 10, 8, 2, 6, 4], -1.48009],
      [[1, 6, 10, 4, 10, 8, 2, 0], -1.59595],
      [[1, 6, 10, 4, 10, 8, 2, 7], -1.65855],
    ],
  },
]

const searches = [...golden, ...constrained, ...diverse]

/** All continuations of a prompt by at most `limit` tokens, with their log probabilities; 0 ends one. */
function continuations(prompt: number[], limit: number, logProbability = 0): { ids: number[]; sum: number }[] {
  const logits = [...tableLogits(prompt.at(-2) ?? 0, prompt[prompt.length - 1])]
  const partition = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0))
  return logits.flatMap((logit, token) => {
    const sum = logProbability + logit - partition
    if (token === 0 || limit === 1) return [{ ids: [token], sum }]
    return continuations([...prompt, token], limit - 1, sum).map((rest) => ({ ...rest, ids: [token, ...rest.ids] }))
  })
}

describe.each([
  ['all logits', TableDecoder],
  ['the best tokens', CandidateTableDecoder],
])('beam search with %s', (_name, DecoderClass) => {
  it.each(searches)('equals transformers: $prompt $search $options', async ({ prompt, search, options, expected }) => {
    const results = await generateBatch(new DecoderClass(), [prompt], {
      eosTokenIds: [0],
      ...options,
      strategy: beamSearch(search),
    })
    expect(results.map(({ ids }) => ids)).toEqual(expected.map(([ids]) => ids))
    for (const [i, [ids, score]] of expected.entries()) {
      expect(results[i].score).toBeCloseTo(score, 4)
      const ends = (options.eosTokenIds ?? [0]).includes(ids[ids.length - 1])
      expect(results[i].finishReason).toBe(ends ? 'stop' : 'length')
    }
  })

  it('gives each of several prompts what it gives it alone', async () => {
    const token = fc.integer({ min: 1, max: 11 })
    const search = fc.record({
      groupBeams: fc.integer({ min: 1, max: 3 }),
      beamGroups: fc.integer({ min: 1, max: 3 }),
      diversityPenalty: fc.constantFrom(0, 0.3, 1),
      lengthPenalty: fc.constantFrom(0, 0.6, 1, 2),
      lengthNormalization: fc.constantFrom('plain', 'gnmt'),
      earlyStopping: fc.constantFrom(true, false, 'never' as const),
    })
    const options = fc.record(
      {
        maxNewTokens: fc.integer({ min: 1, max: 12 }),
        eosTokenIds: fc.uniqueArray(fc.nat(11), { maxLength: 3 }),
        noRepeatNgramSize: fc.integer({ min: 2, max: 3 }),
        minNewTokens: fc.nat(4),
        forcedEosTokenId: fc.constant(0),
        repetitionPenalty: fc.constantFrom(1.2, 0.9),
      },
      { requiredKeys: ['maxNewTokens', 'eosTokenIds'] },
    )
    const prompts = fc.array(fc.array(token, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(prompts, search, options, async (prompts, { groupBeams, ...rest }, options) => {
        const beams = groupBeams * rest.beamGroups
        const strategy = beamSearch({ ...rest, beams, returnSequences: beams })
        const alone: GenerationResult[] = []
        for (const prompt of prompts) {
          alone.push(...(await generateBatch(new TableDecoder(), [prompt], { ...options, strategy })))
        }
        const together = await generateBatch(new DecoderClass(), prompts, { ...options, strategy })
        const rounded = ({ score = Number.NaN, ...result }: GenerationResult) => ({
          ...result,
          score: score.toFixed(3),
        })
        expect(together.map(rounded)).toEqual(alone.map(rounded))
      }),
      { seed: 5, numRuns: 200 },
    )
  })

  it('lets prompts leave the batch when they are done', async () => {
    const decoder = new DecoderClass()
    const options = { strategy: beamSearch({ beams: 2 }), eosTokenIds: [0], maxNewTokens: 12 }
    const prompts = [[3, 5], [7], [2, 9, 1], [4]]
    const lengths: number[] = []
    for (const prompt of prompts) {
      const alone = new DecoderClass()
      await generateBatch(alone, [prompt], options)
      lengths.push(alone.batchSizes.length)
    }
    await generateBatch(decoder, prompts, options)
    expect(new Set(lengths).size).toBeGreaterThan(1)
    const active = (step: number) => lengths.filter((length) => length > step).length
    expect(decoder.batchSizes).toEqual(decoder.batchSizes.map((_, step) => active(step) * (step === 0 ? 1 : 2)))
  })

  it('yields only finished sequences when streamed, those of a prompt when it is done', async () => {
    const options = { strategy: beamSearch({ beams: 3, returnSequences: 2 }), eosTokenIds: [0], maxNewTokens: 12 }
    const prompts = [[4, 4], [7]]
    const expected = await generateBatch(new DecoderClass(), prompts, options)
    const events: GenerationEvent[] = []
    for await (const event of streamBatch(new DecoderClass(), prompts, options)) events.push(event)
    const order = events.map(({ row }) => row)
    expect(order).toEqual([1, 1, 0, 0])
    const ofRow = (row: number) => events.filter((event) => event.row === row)
    expect([...ofRow(0), ...ofRow(1)]).toEqual(
      expected.map((result, i) => ({ type: 'finish', row: Math.floor(i / 2), result })),
    )
  })

  it.each([
    ['plain', (length: number) => length ** 0.8],
    ['gnmt', (length: number) => ((5 + length) / 6) ** 0.8],
  ] as const)(
    'finds the best of all sequences with beams for all, normalized by %s',
    async (normalization, divisor) => {
      const all = continuations([7, 4], 3).map(({ ids, sum }) => ({ ids, score: sum / divisor(ids.length) }))
      const best = all.sort((a, b) => b.score - a.score).slice(0, 20)
      const results = await generateBatch(new DecoderClass(), [[7, 4]], {
        strategy: beamSearch({
          beams: 144,
          returnSequences: 20,
          lengthPenalty: 0.8,
          lengthNormalization: normalization,
          earlyStopping: 'never',
        }),
        eosTokenIds: [0],
        maxNewTokens: 3,
      })
      expect(results.map(({ ids }) => ids)).toEqual(best.map(({ ids }) => ids))
      for (const [i, { score }] of best.entries()) expect(results[i].score).toBeCloseTo(score, 4)
    },
  )

  it('throws the reason of a signal between two steps', async () => {
    const controller = new AbortController()
    const decoder = new DecoderClass()
    const reorder = decoder.reorder.bind(decoder)
    decoder.reorder = (source) => {
      reorder(source)
      if (decoder.batchSizes.length === 3) controller.abort(new RangeError('enough'))
    }
    const run = generateBatch(decoder, [[7]], {
      strategy: beamSearch({ beams: 2 }),
      maxNewTokens: 9,
      signal: controller.signal,
    })
    await expect(run).rejects.toThrow('enough')
    expect(decoder.batchSizes).toHaveLength(3)
  })

  it('ends a sequence at a stop string and cuts the text before it', async () => {
    const tokenizer = new CharacterTokenizer(trainCharacterTokenizer('abcdefghijk'))
    const results = await generateBatch(new DecoderClass(), [[3, 5]], {
      strategy: beamSearch({ beams: 4, returnSequences: 4 }),
      maxNewTokens: 10,
      eosTokenIds: [0],
      tokenizer,
      stop: ['ab'],
    })
    // transformers 5.23.0 with a stopping criterion that looks for the ids 1, 2 (a, b) among the generated ones.
    expect(results.map(({ ids, text }) => [ids, text])).toEqual([
      [[0], ''],
      [[1, 5, 3, 6, 0], 'aecf'],
      [[1, 1, 2], 'a'],
      [[1, 1, 4, 5, 7, 0], 'aadeg'],
    ])
    expect(results[2].finishReason).toBe('stop')
    expect(results[2].score).toBeCloseTo(-1.478545, 5)
  })

  it('stops at a full context', async () => {
    const results = await generateBatch(new DecoderClass(4), [[7]], {
      strategy: beamSearch({ beams: 2 }),
      eosTokenIds: [],
    })
    expect(results[0].ids).toHaveLength(4)
    expect(results[0].finishReason).toBe('length')
  })
})

describe('how much beam search asks for', () => {
  const options = { strategy: beamSearch({ beams: 2 }), eosTokenIds: [0], maxNewTokens: 4 }
  const counts = async (more: GenerationOptions) => {
    const decoder = new CandidateTableDecoder()
    await generateBatch(decoder, [[7]], { ...options, ...more })
    return decoder.counts
  }

  it('is twice the beams, and as many tokens as may be banned', async () => {
    expect(await counts({})).toEqual([4, 4, 4, 4])
    expect(await counts({ badWords: [[3], [5], [0, 0]], minNewTokens: 2 })).toEqual([7, 7, 6, 6])
  })

  it('is as many tokens as other groups may have chosen', async () => {
    expect(await counts({ strategy: beamSearch({ beams: 4, beamGroups: 2, diversityPenalty: 1 }) })).toContain(4 + 2)
  })

  it('is all logits where a processor changes them', async () => {
    expect(await counts({ repetitionPenalty: 1.2 })).toEqual([])
  })
})
