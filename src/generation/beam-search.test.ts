import { describe, expect, it } from 'vitest'
import { CharacterTokenizer, trainCharacterTokenizer } from '../tokenizers/characters.js'
import { generate, generateBatch } from './generate.js'
import { beamSearch } from './strategies.js'
import { TableDecoder } from './table-decoder.testing.js'
import type { GenerationEvent, GenerationOptions } from './types.js'

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

describe('beam search', () => {
  it.each(golden)('equals transformers: $prompt $search $options', async ({ prompt, search, options, expected }) => {
    const results = await generateBatch(new TableDecoder(), [prompt], {
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

  it('takes several prompts one by one and yields only finished sequences when streamed', async () => {
    const strategy = beamSearch({ beams: 3, returnSequences: 2 })
    const options = { strategy, eosTokenIds: [0], maxNewTokens: 12 }
    const both = await generateBatch(new TableDecoder(), [[3], [2, 9, 1]], options)
    const alone = await generateBatch(new TableDecoder(), [[2, 9, 1]], options)
    expect(both).toHaveLength(4)
    expect(both.slice(2)).toEqual(alone)
    const events: GenerationEvent[] = []
    for await (const event of generate(new TableDecoder(), [2, 9, 1], options)) events.push(event)
    expect(events).toEqual(alone.map((result) => ({ type: 'finish', row: 0, result })))
  })

  it('ends a sequence at a stop string and cuts the text before it', async () => {
    const tokenizer = new CharacterTokenizer(trainCharacterTokenizer('abcdefghijk'))
    const results = await generateBatch(new TableDecoder(), [[3, 5]], {
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
    const results = await generateBatch(new TableDecoder(4), [[7]], {
      strategy: beamSearch({ beams: 2 }),
      eosTokenIds: [],
    })
    expect(results[0].ids).toHaveLength(4)
    expect(results[0].finishReason).toBe('length')
  })
})
