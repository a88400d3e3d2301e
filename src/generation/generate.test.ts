import { describe, expect, it } from 'vitest'
import { DataError, RuntimeError, UsageError } from '../errors.js'
import { RandomStream } from '../runtime/random.js'
import { CharacterTokenizer, trainCharacterTokenizer } from '../tokenizers/characters.js'
import { generate, generateBatch, streamBatch } from './generate.js'
import { nucleus, sample } from './strategies.js'
import { CandidateTableDecoder, TableDecoder, tableLogits } from './table-decoder.testing.js'
import type { GenerationEvent, GenerationOptions } from './types.js'

/** <unk> is 0, a to k are 1 to 11. */
const tokenizer = new CharacterTokenizer(trainCharacterTokenizer('abcdefghijk'))

async function events(prompts: number[][], options: GenerationOptions, decoder = new TableDecoder()) {
  const all: GenerationEvent[] = []
  for await (const event of streamBatch(decoder, prompts, options)) all.push(event)
  return all
}

/** Greedy decoding, written down again. */
function greedily(prompt: number[], count: number, isEnd = (_id: number) => false): number[] {
  const ids = [...prompt]
  while (ids.length < prompt.length + count) {
    const logits = tableLogits(ids.at(-2) ?? 0, ids[ids.length - 1])
    ids.push(logits.indexOf(Math.max(...logits)))
    if (isEnd(ids[ids.length - 1])) break
  }
  return ids.slice(prompt.length)
}

describe('generate', () => {
  it('streams greedy tokens and ends with the result', async () => {
    const expected = greedily([7], 6)
    const all: GenerationEvent[] = []
    for await (const event of generate(new TableDecoder(), [7], { maxNewTokens: 6, tokenizer })) all.push(event)
    const text = tokenizer.decode(expected, { skipSpecialTokens: true })
    expect(all).toEqual([
      ...expected.map((id) => ({
        type: 'token',
        row: 0,
        id,
        text: tokenizer.decode([id], { skipSpecialTokens: true }),
      })),
      { type: 'finish', row: 0, result: { ids: expected, text, finishReason: 'length' } },
    ])
  })

  it('stops at an end token, which is part of the ids but not of the text', async () => {
    const expected = greedily([7], 20, (id) => id === 11)
    expect(expected.length).toBeLessThan(20)
    const [result] = await generateBatch(new TableDecoder(), [[7]], { tokenizer, eosTokenIds: [11], maxNewTokens: 20 })
    const text = tokenizer.decode(expected.slice(0, -1), { skipSpecialTokens: true })
    expect(result).toEqual({ ids: expected, text, finishReason: 'stop' })
  })

  it('takes the end token of the tokenizer where none is given', async () => {
    const withEnd = new CharacterTokenizer(trainCharacterTokenizer('abcdefghij', ['</s>']))
    expect(withEnd.eosTokenId).toBe(1)
    const expected = greedily([9, 5], 30, (id) => id === 1)
    expect(expected.at(-1)).toBe(1)
    expect((await generateBatch(new TableDecoder(), [[9, 5]], { tokenizer: withEnd }))[0]).toMatchObject({
      ids: expected,
      finishReason: 'stop',
    })
    const [unstopped] = await generateBatch(new TableDecoder(), [[9, 5]], {
      tokenizer: withEnd,
      eosTokenIds: [],
      maxNewTokens: 30,
    })
    expect(unstopped.ids).toHaveLength(30)
  })

  it('cuts the text before a stop string and never streams a part of one', async () => {
    const letters = { decode: (ids: readonly number[]) => ids.map((id) => 'abcdefghijkl'[id]).join('') }
    const expected = greedily([7], 12)
    const text = letters.decode(expected)
    const stop = text.slice(4, 7)
    expect(text.indexOf(stop)).toBe(4)
    const all = await events([[7]], { tokenizer: letters, stop: ['zzz', stop], maxNewTokens: 12 })
    const pieces = all.flatMap((event) => (event.type === 'token' ? [event.text] : []))
    // The fourth letter begins the stop string too, so it comes one token late.
    expect(stop[0]).toBe(text[3])
    expect(pieces).toEqual([...text.slice(0, 3), '', text[3], '', ''])
    const result = { ids: expected.slice(0, 7), text: text.slice(0, 4), finishReason: 'stop' }
    expect(all.at(-1)).toEqual({ type: 'finish', row: 0, result })
  })

  it('gives out the beginning of a stop string when the text ends with it', async () => {
    const expected = greedily([7], 6)
    const text = tokenizer.decode(expected, { skipSpecialTokens: true })
    const all = await events([[7]], { tokenizer, stop: [`${text.slice(-2)}zzz`], maxNewTokens: 6 })
    expect(all.map((event) => (event.type === 'token' ? event.text : '')).join('')).toBe(text)
    expect(all.at(-1)).toMatchObject({ result: { text, finishReason: 'length' } })
  })

  it('fills the context: the last token is chosen from it, but not fed', async () => {
    const decoder = new TableDecoder(8)
    const [result] = await generateBatch(decoder, [[7, 2, 3]], {})
    expect(result).toEqual({ ids: greedily([7, 2, 3], 6), finishReason: 'length' })
    expect(decoder.rows[0]).toHaveLength(8)
    expect((await generateBatch(new TableDecoder(2), [[7, 2]], {}))[0].ids).toEqual(greedily([7, 2], 1))
  })

  it('applies the repetition penalty, n-gram ban and biases to prompt and text', async () => {
    const base = { maxNewTokens: 20, eosTokenIds: [] }
    const [plain] = await generateBatch(new TableDecoder(), [[7]], base)
    const banned = plain.ids[0]
    const [biased] = await generateBatch(new TableDecoder(), [[7]], { ...base, logitBias: [[banned, -Infinity]] })
    expect(biased.ids).not.toContain(banned)
    const [unique] = await generateBatch(new TableDecoder(), [[7]], { ...base, maxNewTokens: 11, noRepeatNgramSize: 1 })
    expect([7, ...unique.ids].sort((a, b) => a - b)).toEqual([...Array(12).keys()])
    // transformers 5.23.0 on the same table: max_new_tokens=12, repetition_penalty=1.3, num_beams=1, no end token.
    const [penalized] = await generateBatch(new TableDecoder(), [[2, 9, 1]], {
      ...base,
      maxNewTokens: 12,
      repetitionPenalty: 1.3,
    })
    expect(penalized.ids).toEqual([10, 5, 3, 6, 0, 8, 10, 11, 3, 0, 0, 5])
  })
})

describe.each([
  ['all logits', TableDecoder],
  ['the best tokens', CandidateTableDecoder],
])('greedy decoding with %s', (_name, DecoderClass) => {
  // transformers 5.23.0 on the same table: num_beams=1, eos_token_id=0, and the options under its names.
  it.each<[number[], GenerationOptions, number[]]>([
    [[3, 5], { maxNewTokens: 10, minLength: 6 }, [1, 1, 2, 2, 0]],
    [[3, 5], { maxNewTokens: 10, badWords: [[0], [1], [10, 4]] }, [0]],
    [[7], { maxNewTokens: 5, forcedEosTokenId: 0, badWords: [[0]] }, [6, 11, 0]],
    [[3], { maxNewTokens: 6, forcedBosTokenId: 9, minNewTokens: 4 }, [9, 2, 11, 2, 1, 9]],
    [[3], { maxNewTokens: 1, forcedBosTokenId: 9, forcedEosTokenId: 0 }, [0]],
  ])('equals transformers: %j %j', async (prompt, options, expected) => {
    const decoder = new DecoderClass()
    const [{ ids }] = await generateBatch(decoder, [prompt], { eosTokenIds: [0], ...options })
    expect(ids).toEqual(expected)
    const asked = decoder instanceof CandidateTableDecoder ? decoder.counts.length : expected.length
    expect(asked).toBe(expected.length)
  })

  it('streams what rows give alone', async () => {
    const options = { eosTokenIds: [11, 10], minNewTokens: 3, badWords: [[4]], maxNewTokens: 9 }
    const prompts = [[7], [3, 5, 2], [1, 2], [9, 9, 9, 9]]
    const together = await events(prompts, options, new DecoderClass())
    for (const [row, prompt] of prompts.entries()) {
      const alone = await events([prompt], options, new TableDecoder())
      expect(together.filter((event) => event.row === row)).toEqual(alone.map((event) => ({ ...event, row })))
    }
  })

  it('refuses to choose where no token is left', async () => {
    const badWords = Array.from({ length: 12 }, (_, id) => [id])
    await expect(generateBatch(new DecoderClass(), [[7]], { badWords })).rejects.toThrow(RuntimeError)
  })
})

describe('generateBatch', () => {
  const prompts = [[7], [3, 5, 2], [1, 2], [9, 9, 9, 9], [4]]

  it('gives every row what it gives alone and drops finished rows', async () => {
    const decoder = new TableDecoder(20)
    const options = { eosTokenIds: [11, 10] }
    const results = await generateBatch(decoder, prompts, options)
    for (const [i, prompt] of prompts.entries()) {
      expect(results[i].ids).toEqual(greedily(prompt, 20 - prompt.length + 1, (id) => id === 11 || id === 10))
      expect([results[i]]).toEqual(await generateBatch(new TableDecoder(20), [prompt], options))
    }
    const active = (step: number) => results.filter(({ ids }) => ids.length > step).length
    expect(decoder.batchSizes).toEqual(decoder.batchSizes.map((_, step) => active(step)))
    expect(new Set(decoder.batchSizes).size).toBeGreaterThan(2)
  })

  it('samples by seed and row, whatever else is in the batch', async () => {
    const options = { strategy: sample({ temperature: 1.5 }), seed: 5, maxNewTokens: 12, eosTokenIds: [11] }
    const together = await generateBatch(new TableDecoder(), [[7], [7], [7]], options)
    const others = await generateBatch(new TableDecoder(), [[1, 2, 3], [7], [5], [4]], options)
    expect(others[1]).toEqual(together[1])
    expect((await generateBatch(new TableDecoder(), [[7]], options))[0]).toEqual(together[0])
    expect(new Set(together.map(({ ids }) => ids.join())).size).toBe(3)
    const [reseeded] = await generateBatch(new TableDecoder(), [[7]], { ...options, seed: 6 })
    expect(reseeded.ids).not.toEqual(together[0].ids)
  })

  it('draws token t of a row with number t of the stream (seed, "sample", row)', async () => {
    const [, result] = await generateBatch(new TableDecoder(), [[1], [7, 3]], {
      strategy: nucleus(1),
      seed: 11,
      maxNewTokens: 8,
    })
    const random = new RandomStream(11, 'sample', 1)
    const ids = [7, 3]
    for (let i = 0; i < 8; i++) {
      const weights = [...tableLogits(ids[ids.length - 2], ids[ids.length - 1])].map(Math.exp)
      const position = random.uniform() * weights.reduce((a, b) => a + b)
      ids.push(weights.findIndex((_, v) => weights.slice(0, v + 1).reduce((a, b) => a + b) > position))
    }
    expect(result.ids).toEqual(ids.slice(2))
  })
})

describe('errors', () => {
  it.each([
    [[[]], {}, DataError, /prompt 0 to have 1 to 8 tokens .* got 0/],
    [[[1], Array(9).fill(1)], {}, DataError, /prompt 1 to have 1 to 8 tokens .* got 9/],
    [[], {}, UsageError, /at least one prompt/],
    [[[1]], { maxNewTokens: 0 }, UsageError, /maxNewTokens/],
    [[[1]], { stop: ['a'] }, UsageError, /need a tokenizer/],
    [[[1]], { stop: [''], tokenizer }, UsageError, /empty/],
    [[[1]], { seed: -1 }, UsageError, /seed/],
    [[[1]], { forcedBosTokenId: 12 }, UsageError, /forcedBosTokenId to be a token of the vocabulary of 12, got 12/],
    [[[1]], { forcedEosTokenId: -1 }, UsageError, /forcedEosTokenId/],
    [[[1]], { logitBias: [[99, 1]] as [number, number][] }, UsageError, /outside the vocabulary of 12/],
  ])('refuses prompts %j with %j', async (prompts, options, type, message) => {
    const attempt = generateBatch(new TableDecoder(8), prompts, options)
    await expect(attempt).rejects.toThrow(type)
    await expect(attempt).rejects.toThrow(message)
  })

  it('ends between two tokens when aborted', async () => {
    const controller = new AbortController()
    const seen: GenerationEvent[] = []
    const run = async () => {
      for await (const event of generate(new TableDecoder(), [7], { signal: controller.signal, maxNewTokens: 9 })) {
        seen.push(event)
        if (seen.length === 3) controller.abort()
      }
    }
    await expect(run()).rejects.toThrow(/abort/)
    expect(seen).toHaveLength(3)
  })
})
