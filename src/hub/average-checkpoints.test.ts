import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CheckpointError, UsageError } from '../errors.js'
import { GPT } from '../models/index.js'
import { initialize } from '../nn/index.js'
import { averageCheckpoints } from './average-checkpoints.js'
import { loadModel, saveModel } from './checkpoint.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-average-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A checkpoint whose weights are those of a seed, all multiplied. */
function checkpoint(name: string, seed: number, { scale = 1, width = 8 } = {}): string {
  const model = new GPT({ vocabularySize: 11, contextLength: 8, layers: 1, heads: 2, width })
  initialize(model.parameters(), seed)
  for (const { data } of Object.values(model.parameters())) data?.set(data.map((value) => value * scale))
  const directory = join(folder, name)
  saveModel(directory, model)
  return directory
}

const weights = (directory: string) =>
  Object.values(loadModel(directory).model.parameters()).flatMap(({ data }) => [...data!])

describe('averageCheckpoints', () => {
  it('writes the mean of all weights, rounded once, and what else the last one has', () => {
    // Summed in float32, the small ones would be lost beside the large one.
    const directories = [checkpoint('a', 1, { scale: 1e8 }), checkpoint('b', 2), checkpoint('c', 3, { scale: -1e8 })]
    const [a, b, c] = directories.map(weights)
    writeFileSync(join(directories[2], 'tokenizer.json'), '{"of": "c"}')
    writeFileSync(join(directories[2], 'training_state.json'), '{}')
    mkdirSync(join(directories[2], 'source_tokenizer'))
    writeFileSync(join(directories[2], 'source_tokenizer', 'tokenizer.json'), '{}')
    const out = join(folder, 'deep/mean')
    averageCheckpoints(directories, out)
    expect(weights(out)).toEqual(a.map((value, i) => Math.fround((value + b[i] + c[i]) / 3)))
    expect(readFileSync(join(out, 'tokenizer.json'), 'utf8')).toBe('{"of": "c"}')
    expect(readdirSync(out).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'source_tokenizer',
      'tokenizer.json',
    ])
  })

  it('of one checkpoint is that checkpoint', () => {
    const directory = checkpoint('a', 1)
    averageCheckpoints([directory], join(folder, 'mean'))
    expect(weights(join(folder, 'mean'))).toEqual(weights(directory))
  })

  it('refuses checkpoints of different models, and none', () => {
    const directories = [checkpoint('a', 1), checkpoint('b', 1, { width: 16 })]
    expect(() => averageCheckpoints(directories, join(folder, 'mean'))).toThrow(CheckpointError)
    expect(() => averageCheckpoints(directories, join(folder, 'mean'))).toThrow(/b: '.*' is not as in .*a; only/)
    expect(() => averageCheckpoints([join(folder, 'nowhere')], join(folder, 'mean'))).toThrow(CheckpointError)
    expect(() => averageCheckpoints([], join(folder, 'mean'))).toThrow(UsageError)
    expect(readdirSync(folder)).not.toContain('mean')
  })
})
