import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixturePath, readFixture } from '../../test/parity/fixtures.js'
import { CheckpointError, DataError, TokenizerError } from '../errors.js'
import { beamSearch, sample } from '../generation/strategies.js'
import { saveModel } from '../hub/checkpoint.js'
import { Llama } from '../models/index.js'
import { initialize } from '../nn/index.js'
import { trainCharacterTokenizer } from '../tokenizers/characters.js'
import { createTokenizer } from '../tokenizers/node.js'
import { saveTokenizer } from '../tokenizers/save.js'
import { nextTokenLogits } from './logits.js'
import { saveRandomModel, temporaryFolder } from './saved-model.testing.js'
import { TextGenerator } from './text-generator.js'

const at = temporaryFolder()
saveRandomModel(at('model'), 'abcdefgh')
const alphabet = ['', ...'abcdefgh']

let writer: TextGenerator
beforeAll(async () => {
  writer = await TextGenerator.load(at('model'))
})
afterAll(() => writer.dispose())

/** Greedy ids by one full pass of the model a token, without a cache. */
async function greedyIds(prompt: readonly number[], count: number, name = 'model'): Promise<number[]> {
  const ids = [...prompt]
  for (let i = 0; i < count; i++) {
    const { rows } = await nextTokenLogits(at(name), ids)
    const last = rows[rows.length - 1]
    ids.push(last.indexOf(Math.max(...last)))
  }
  return ids.slice(prompt.length)
}

describe('TextGenerator', () => {
  it('continues a text as the model itself would', async () => {
    const expected = await greedyIds([1, 2, 3], 5)
    const [result] = await writer.complete('abc', { maxNewTokens: 5 })
    expect(result).toEqual({
      ids: expected,
      text: expected.map((id) => alphabet[id]).join(''),
      finishReason: 'length',
    })
    expect(await writer.complete([1, 2, 3], { maxNewTokens: 5 })).toEqual([result])
  })

  it('streams the pieces of the text, and returns the result', async () => {
    const options = { strategy: sample(), seed: 4, maxNewTokens: 5 }
    const pieces: string[] = []
    const stream = writer.stream('abc', options)
    let next = await stream.next()
    for (; !next.done; next = await stream.next()) pieces.push(next.value)
    const [expected] = await writer.complete('abc', options)
    expect(next.value).toEqual(expected)
    expect(pieces.join('')).toBe(expected.text)
    expect(pieces.length).toBeGreaterThan(1)
  })

  it('continues prompts of several lengths as one by one', async () => {
    const prompts = ['a', 'bcdef', [7, 8]]
    const together = await writer.completeBatch(prompts, { maxNewTokens: 3 })
    const alone = []
    for (const prompt of prompts) alone.push(...(await writer.complete(prompt, { maxNewTokens: 3 })))
    expect(together).toEqual(alone)
  })

  it('returns the sequences of a beam search, the best first', async () => {
    const strategy = beamSearch({ beams: 3, returnSequences: 3 })
    const results = await writer.complete('abc', { strategy, maxNewTokens: 4 })
    const scores = results.map(({ score }) => score!)
    expect(scores).toHaveLength(3)
    expect(scores).toEqual([...scores].sort((a, b) => b - a))
    expect(new Set(results.map(({ text }) => text)).size).toBe(3)
  })

  it('works without a tokenizer, for ids alone', async () => {
    const { prompt, greedy, maxNewTokens } = readFixture<{ prompt: number[]; greedy: number[]; maxNewTokens: number }>(
      'gpt2/tied/expected.json',
    )
    await expect(TextGenerator.load(fixturePath('gpt2/tied'))).rejects.toThrow(TokenizerError)
    const plain = await TextGenerator.load(fixturePath('gpt2/tied'), { tokenizer: false })
    expect(await plain.complete(prompt, { maxNewTokens })).toEqual([{ ids: greedy, finishReason: 'length' }])
    await expect(plain.complete('text')).rejects.toThrow(/this model has no tokenizer: give token ids instead of text/)
    await plain.dispose()
  })

  it('uses the tokenizer that is there, asked for or not', async () => {
    const other = await TextGenerator.load(at('model'), { tokenizer: false })
    expect((await other.complete([1], { maxNewTokens: 2 }))[0].text).toHaveLength(2)
    await other.dispose()
  })

  it('refuses ids that the vocabulary lacks, and what is not a checkpoint', async () => {
    await expect(writer.complete([1, 9])).rejects.toThrow(DataError)
    await expect(writer.complete([1, 9])).rejects.toThrow(
      /token id 9 at position 2 is not in the vocabulary of 9 tokens/,
    )
    await expect(writer.complete('')).rejects.toThrow(DataError)
    await expect(TextGenerator.load(at('nowhere'))).rejects.toThrow(CheckpointError)
    saveRandomModel(at('damaged'), 'ab')
    rmSync(join(at('damaged'), 'model.safetensors'))
    await expect(TextGenerator.load(at('damaged'))).rejects.toThrow(CheckpointError)
  })

  it('ends at every token that generation_config.json names', async () => {
    const { ids } = (await writer.complete('abc', { maxNewTokens: 6 }))[0]
    const directory = at('ending')
    saveRandomModel(directory, 'abcdefgh')
    writeFileSync(join(directory, 'generation_config.json'), JSON.stringify({ eos_token_id: [ids[2], 0] }))
    const ending = await TextGenerator.load(directory)
    const [result] = await ending.complete('abc', { maxNewTokens: 6 })
    expect(result).toMatchObject({ ids: ids.slice(0, ids.indexOf(ids[2]) + 1), finishReason: 'stop' })
    expect((await ending.complete('abc', { maxNewTokens: 6, eosTokenIds: [] }))[0].ids).toEqual(ids)
    await ending.dispose()
  })

  it('continues texts with a Llama, as the model itself would', async () => {
    const tokenizer = createTokenizer(trainCharacterTokenizer('abcdefgh'))
    const sizes = {
      vocabularySize: 9,
      contextLength: 8,
      layers: 2,
      heads: 2,
      keyValueHeads: 1,
      width: 8,
      deviation: 0.6,
    }
    const model = new Llama(sizes)
    initialize(model.parameters(), 3)
    saveModel(at('llama'), model)
    saveTokenizer(at('llama'), tokenizer, sizes)
    const llama = await TextGenerator.load(at('llama'))
    const [{ ids }] = await llama.complete('abc', { maxNewTokens: 5 })
    await llama.dispose()
    expect(ids).toEqual(await greedyIds([1, 2, 3], 5, 'llama'))
  })
})
