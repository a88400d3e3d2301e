import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { nextTokenLogits } from '../../src/tasks/logits.js'
import { fixturePath, largestDifference, readFixture } from '../parity/fixtures.js'
import { heddle, heddleJson, type TrainOutput, temporaryFolder, tinyModel, writeTinyTraining } from './command.js'

interface LogitsOutput {
  shape: [number, number]
  logits: number[][]
}

const at = temporaryFolder()
const { text, recipeFile } = writeTinyTraining(at)

let checkpoint: string
beforeAll(async () => {
  checkpoint = (await heddleJson<TrainOutput>('train', recipeFile, '--out', at('run'))).checkpoint
})

const logitsOf = (model: string, ids: readonly number[]) =>
  heddleJson<LogitsOutput>('logits', '--model', model, '--ids', ids.join(','))

describe('heddle logits', () => {
  const tied = fixturePath('gpt2/tied')
  const { ids, logits: expected } = readFixture<{ ids: number[]; logits: number[][] }>('gpt2/tied/expected.json')

  it("prints what Python's GPT-2 computes, and exactly what the library does", async () => {
    const { shape, logits } = await logitsOf(tied, ids)
    expect(shape).toEqual([ids.length, 99])
    expect(logits.map((row) => row.length)).toEqual(ids.map(() => 99))
    expect(largestDifference(logits.flat(), expected.flat())).toBeLessThan(1e-4)
    const { rows } = await nextTokenLogits(tied, ids)
    expect(logits).toEqual(rows.map((row) => [...row]))
  })

  it('prints a row of numbers for every position', async () => {
    const { code, stdout } = await heddle('logits', '--model', tied, '--ids', '4 61')
    expect(code).toBe(0)
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ').map(Number))
    expect(rows).toHaveLength(2)
    expect(largestDifference(rows.flat(), expected.slice(0, 2).flat())).toBeLessThan(1e-4)
  })
})

describe('heddle eval', () => {
  it('scores every token of a file but the first once', async () => {
    // Three windows of 16 tokens and a rest; one character is unknown to the tokenizer.
    const data = `${text.slice(0, 49)}€${text.slice(50, 56)}`
    writeFileSync(at('data.txt'), data)
    const report = await heddleJson('eval', '--model', at('run'), '--task', 'causal-lm', '--data', at('data.txt'))
    const losses = await tokenLosses(data)
    const loss = losses.reduce((sum, value) => sum + value, 0) / losses.length
    expect(report).toEqual({
      examples: 4,
      tokens: [...data].length - 1,
      metrics: { loss: expect.closeTo(loss, 5), perplexity: expect.closeTo(Math.exp(loss), 4) },
    })
    const { stdout } = await heddle('eval', '--model', at('run'), '--task', 'causal-lm', '--data', at('data.txt'))
    const figures = /^loss (\d\.\d+), perplexity (\d+\.\d+) over (\d+) tokens\n$/.exec(stdout)?.slice(1).map(Number)
    expect(figures).toEqual([expect.closeTo(loss, 3), expect.closeTo(Math.exp(loss), 1), losses.length])
  })

  /** −log P of every token but the first, in double precision from the logits of windows that do not overlap. */
  async function tokenLosses(data: string): Promise<number[]> {
    const { model } = JSON.parse(readFileSync(join(checkpoint, 'tokenizer.json'), 'utf8'))
    const ids = [...data].map((character): number => model.vocab[character] ?? model.vocab['<unk>'])
    const losses: number[] = []
    for (let start = 0; start < ids.length - 1; start += tinyModel.contextLength) {
      const window = ids.slice(start, Math.min(start + tinyModel.contextLength, ids.length - 1))
      const { logits } = await logitsOf(checkpoint, window)
      for (const [i, row] of logits.entries()) {
        const total = row.reduce((sum, value) => sum + Math.exp(value), 0)
        losses.push(Math.log(total) - row[ids[start + i + 1]])
      }
    }
    return losses
  }
})

describe('heddle inspect', () => {
  it('counts parameters and memory', async () => {
    const description = await heddleJson<{ tree: { name: string; parameters: number }[] }>(
      'inspect',
      '--model',
      at('run'),
    )
    const { width, layers, contextLength } = tinyModel
    const vocabularySize = new Set(text).size + 1
    const parameters = (vocabularySize + contextLength) * width + layers * (2 * width + 12 * width ** 2) + width
    expect(description).toMatchObject({
      type: 'GPT',
      directory: checkpoint,
      parameters,
      config: { vocabularySize, width, layers, contextLength, heads: 2 },
      memory: { run: 4 * parameters, train: 16 * parameters },
      unused: [],
    })
    expect(description.tree.map(({ name }) => name)).toEqual(['transformer'])
  })

  it('draws the tree, layers that are alike once', async () => {
    const { code, stdout } = await heddle('inspect', '--model', fixturePath('gpt2/untied'))
    expect(code).toBe(0)
    const lines = stdout.trimEnd().split('\n')
    const vocabulary = 99 * 32
    const layer = 4 * 32 + (32 * 96 + 96) + (32 * 32 + 32) + (32 * 48 + 48) + (48 * 32 + 32)
    const parameters = 2 * vocabulary + 64 * 32 + 2 * layer + 2 * 32
    expect(lines[0]).toBe(`GPT: ${(parameters / 1000).toFixed(1)}k parameters (${parameters.toLocaleString('en-US')})`)
    expect(lines).toContain(`    0 … 1  2 × ${Number((layer / 1000).toPrecision(3))}k`)
    expect(lines.filter((line) => line.trim() === 'weight  [32, 96]')).toHaveLength(1)
    expect(lines).toContain('lm_head  3.17k')
    expect(lines.at(-1)).toMatch(
      /^memory to run: [\d.]+ KiB of weights; to train: [\d.]+ KiB with gradients and moments$/,
    )
  })
})
