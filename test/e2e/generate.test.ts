import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { fixturePath, readFixture } from '../parity/fixtures.js'
import { heddle, heddleJson, type TrainOutput, temporaryFolder, writeTinyTraining } from './command.js'

interface GenerateOutput {
  text: string | null
  ids: number[]
  finishReason: 'stop' | 'length'
  tokensPerSecond: number
}

interface Expected {
  prompt: number[]
  maxNewTokens: number
  greedy: number[]
  greedyRepetitionPenalty: { repetitionPenalty: number; newIds: number[] }
  beamSearches: {
    beams: number
    lengthPenalty: number
    endOfSequenceId: number | null
    sequences: { newIds: number[] }[]
  }[]
}

const at = temporaryFolder()
const { recipeFile } = writeTinyTraining(at, { train: { steps: 100, learningRate: 1e-2 } })

let vocabulary: Map<string, number>
beforeAll(async () => {
  const { checkpoint } = await heddleJson<TrainOutput>('train', recipeFile, '--out', at('run'))
  const { model } = JSON.parse(readFileSync(join(checkpoint, 'tokenizer.json'), 'utf8'))
  vocabulary = new Map(Object.entries<number>(model.vocab))
})

const generate = (...args: string[]) =>
  heddleJson<GenerateOutput>('generate', '--model', at('run'), '--prompt', 'the ', '--max-new-tokens', '60', ...args)

/** The text of ids by the vocabulary of tokenizer.json: one character a token, nothing for the unknown one. */
function spell(ids: readonly number[]): string {
  const characters = new Map([...vocabulary].map(([token, id]) => [id, token === '<unk>' ? '' : token]))
  return ids.map((id) => characters.get(id)).join('')
}

describe('heddle generate', () => {
  it('continues a text from a training run, and prints one line of JSON', async () => {
    const result = await generate()
    expect(Object.keys(result)).toEqual(['text', 'ids', 'finishReason', 'tokensPerSecond'])
    expect(result).toMatchObject({ finishReason: 'length', text: spell(result.ids) })
    expect(result.ids).toHaveLength(60)
    expect(result.tokensPerSecond).toBeGreaterThan(0)
  })

  it('gives the same text for the same seed, another one for another, and no random one for greedy', async () => {
    const [first, again, other] = await Promise.all(['7', '7', '8'].map((seed) => generate('--seed', seed)))
    expect(again.text).toBe(first.text)
    expect(other.text).not.toBe(first.text)
    const [greedy, greedyAgain] = await Promise.all(
      ['1', '2'].map((seed) => generate('--strategy', 'greedy', '--seed', seed)),
    )
    expect(greedyAgain.text).toBe(greedy.text)
    expect(greedy.text).not.toBe(first.text)
  })

  it('streams the text that JSON holds', async () => {
    for (const options of [
      ['--seed', '3'],
      ['--strategy', 'beam', '--beams', '2'],
    ]) {
      const { text } = await generate(...options)
      const plain = ['generate', '--model', at('run'), '--prompt', 'the ', '--max-new-tokens', '60', ...options]
      expect(await heddle(...plain)).toEqual({ code: 0, stdout: `${text}\n`, stderr: '' })
    }
  })

  it('stops before any of the texts that it is told to stop at', async () => {
    const { text } = await generate('--seed', '5')
    const stop = text!.slice(20, 23)
    const cut = text!.slice(0, text!.indexOf(stop))
    const result = await generate('--seed', '5', '--stop', 'nowhere', stop)
    expect(result).toMatchObject({ text: cut, finishReason: 'stop' })
    expect(spell(result.ids)).toBe(cut + stop)
  })

  it('samples from what top-k, top-p, min-p and the temperature leave', async () => {
    const { ids: greedy } = await generate('--strategy', 'greedy')
    for (const narrow of [
      ['--top-k', '1'],
      ['--top-p', '1e-9'],
      ['--min-p', '1'],
      ['--temperature', '1e-4'],
    ]) {
      expect((await generate(...narrow, '--seed', '9')).ids).toEqual(greedy)
    }
  })

  it('needs no tokenizer for ids', async () => {
    const ids = [...'the '].map((character) => vocabulary.get(character)).join(',')
    const { text, ids: expected } = await generate('--strategy', 'greedy')
    const model = at('without-tokenizer')
    cpSync(at('run', 'checkpoint-100'), model, { recursive: true })
    const options = ['--ids', ids, '--max-new-tokens', '60', '--strategy', 'greedy']
    expect(await heddleJson('generate', '--model', model, ...options)).toMatchObject({ ids: expected, text })
    rmSync(join(model, 'tokenizer.json'))
    expect(await heddleJson('generate', '--model', model, ...options)).toMatchObject({ ids: expected, text: null })
    const plain = await heddle('generate', '--model', model, ...options)
    expect(plain).toEqual({ code: 0, stdout: `${expected.join(',')}\n`, stderr: '' })
    const { code, stderr } = await heddle('generate', '--model', model, '--prompt', 'the ')
    expect(code).toBe(3)
    expect(stderr).toMatch(/^heddle: .*: expected tokenizer\.json, .*\n$/)
  })

  it('takes the best checkpoint of a run, or the checkpoint that it is given', async () => {
    const copy = at('copy')
    mkdirSync(copy)
    cpSync(at('run', 'checkpoint-100'), copy, { recursive: true })
    const { text } = await generate('--strategy', 'greedy')
    const options = ['--prompt', 'the ', '--max-new-tokens', '60', '--strategy', 'greedy']
    expect(await heddleJson('generate', '--model', copy, ...options)).toMatchObject({ text })
  })
})

describe("heddle generate on transformers' GPT-2", () => {
  const { prompt, maxNewTokens, greedy, greedyRepetitionPenalty, beamSearches } =
    readFixture<Expected>('gpt2/tied/expected.json')
  const fromFixture = async (...args: string[]) => {
    const given = ['--ids', prompt.join(','), '--max-new-tokens', String(maxNewTokens)]
    const { ids } = await heddleJson<GenerateOutput>('generate', '--model', fixturePath('gpt2/tied'), ...given, ...args)
    return ids
  }

  it('gives the ids that Python gives, greedy and with a repetition penalty', async () => {
    expect(await fromFixture('--strategy', 'greedy')).toEqual(greedy)
    const { repetitionPenalty, newIds } = greedyRepetitionPenalty
    const penalty = ['--repetition-penalty', String(repetitionPenalty)]
    expect(await fromFixture('--strategy', 'greedy', ...penalty)).toEqual(newIds)
  })

  it('finds the beams that Python finds', async () => {
    const searches = beamSearches.filter(({ endOfSequenceId }) => endOfSequenceId === null)
    expect(searches.length).toBeGreaterThan(0)
    for (const { beams, lengthPenalty, sequences } of searches) {
      const options = ['--beams', String(beams), '--length-penalty', String(lengthPenalty)]
      expect(await fromFixture('--strategy', 'beam', ...options)).toEqual(sequences[0].newIds)
    }
  })
})
