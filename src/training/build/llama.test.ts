import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigError } from '../../errors.js'
import { saveModel } from '../../hub/checkpoint.js'
import { Llama, Mistral, Qwen2, Qwen3, smolLM2_135M } from '../../models/index.js'
import { saveTokenizer } from '../../tokenizers/save.js'
import { parseRecipe } from '../recipe.js'
import { makeSampler } from '../sampler.js'
import { Trainer } from '../trainer.js'
import { buildCausalLm } from './causal-lm.js'
import { buildInstruction } from './instruction.js'
import { newLlama } from './llama.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-build-llama-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const text = 'hello, naïve 🐳 world. '.repeat(20)
const small = ['model.layers=1', 'model.width=16', 'model.heads=4', 'model.keyValueHeads=2', 'model.contextLength=16']

function recipeWith(...sets: string[]) {
  const file = join(folder, 'text.txt')
  writeFileSync(file, text)
  return parseRecipe('', 'test', [`data.train=${file}`, ...sets])
}

/** The losses of some steps. */
async function train(model: Llama, objective: ConstructorParameters<typeof Trainer>[1], steps: number) {
  const options = { betas: [0.9, 0.99], weightDecay: 0, clip: 1, accumulate: 1, seed: 1 } as const
  const trainer = new Trainer(model.parameters(), objective, options)
  const losses: number[] = []
  for (let step = 0; step < steps; step++) losses.push((await trainer.step(0.02)).loss)
  trainer.dispose()
  return losses
}

describe('a recipe with model.type llama', () => {
  it.each([
    ['llama', Llama, {}],
    ['mistral', Mistral, { slidingWindow: 5 }],
    ['qwen2', Qwen2, { attentionBias: true }],
    ['qwen3', Qwen3, {}],
  ])('makes a %s, which learns and writes', async (type, Model, more) => {
    const sets = Object.entries(type === 'mistral' ? more : {}).map(([key, value]) => `model.${key}=${value}`)
    const recipe = recipeWith(`model.type=${type}`, ...small, ...sets, 'train.batchSize=4')
    const { model, objective, ...parts } = await buildCausalLm({ recipe })
    if (!(model instanceof Llama)) throw new TypeError(`expected a Llama, got a ${model.constructor.name}`)
    expect(model.constructor).toBe(Model)
    expect(model.config).toMatchObject({ layers: 1, width: 16, heads: 4, keyValueHeads: 2, contextLength: 16, ...more })
    const losses = await train(model, objective, 40)
    expect(losses[0]).toBeGreaterThan(2.5)
    expect(Math.max(...losses.slice(-5))).toBeLessThan(1)
    const sample = { prompts: ['hello'], maxNewTokens: 10, temperature: 0.01, every: 1 }
    const sampler = makeSampler({ model, objective, ...parts }, { ...recipe, sample })
    const [{ text: continued }] = (await sampler?.write()) ?? []
    await sampler?.dispose()
    expect(continued).toBe(', naïve 🐳 ')
  })

  it('takes presets by their names, with exceptions beside them', () => {
    const recipe = recipeWith('model.preset=smollm2-135m', 'model.layers=2', 'model.theta=500')
    expect(recipe.model).toEqual({ type: 'llama', preset: 'smollm2-135m', layers: 2, theta: 500 })
    const model = newLlama({ type: 'llama', preset: 'smollm2-135m', layers: 2, theta: 500 }, 300)
    expect(model.config).toEqual({ ...smolLM2_135M(), layers: 2, rotary: { theta: 500 }, vocabularySize: 300 })
    expect(recipeWith('model.preset=qwen2.5-0.5b').model).toMatchObject({ type: 'qwen2' })
    expect(newLlama({ type: 'qwen3', preset: 'qwen3-0.6b', layers: 1 }, 300)).toBeInstanceOf(Qwen3)
    expect(() => newLlama({ type: 'llama', preset: 'smollm-135m' }, 9)).toThrow(/did you mean smollm2-135m\?/)
  })

  it('refuses a window where there is none', () => {
    expect(() => newLlama({ type: 'llama', slidingWindow: 4 }, 9)).toThrow(ConfigError)
  })
})

describe('a recipe that goes on from a Llama', () => {
  /** A checkpoint of a model for the characters of the text. */
  async function saved(): Promise<string> {
    const directory = join(folder, 'checkpoint')
    const { model, tokenizer } = await buildCausalLm({ recipe: recipeWith('model.type=qwen3', ...small) })
    saveModel(directory, model)
    saveTokenizer(directory, tokenizer)
    return directory
  }

  it('has its weights and its kind, with another dropout where one is asked for', async () => {
    const directory = await saved()
    const { model } = await buildCausalLm({ recipe: recipeWith(`model.from=${directory}`) })
    const other = await buildCausalLm({ recipe: recipeWith(`model.from=${directory}`, 'model.dropout=0.5') })
    expect(other.model.config).toEqual({ ...model.config, dropout: 0.5 })
    expect([model, other.model].every((model) => model instanceof Qwen3)).toBe(true)
    const parameters = other.model.parameters()
    for (const [path, { data }] of Object.entries(model.parameters())) expect(parameters[path].data).toEqual(data)
  })

  it('tunes it to instructions, each example in a window seeing only itself', async () => {
    const file = join(folder, 'pairs.jsonl')
    const pairs = ['hello', 'world', 'naïve', 'dew'].map((prompt) => ({ prompt, completion: prompt.slice(0, 3) }))
    writeFileSync(
      file,
      pairs
        .map((pair) => `${JSON.stringify(pair)}\n`)
        .join('')
        .repeat(6),
    )
    const from = await saved()
    const sets = [`data.train=${file}`, `model.from=${from}`, 'train.batchSize=2']
    const { model, objective } = await buildInstruction({ recipe: parseRecipe('objective: instruction', 'test', sets) })
    if (!(model instanceof Llama)) throw new TypeError(`expected a Llama, got a ${model.constructor.name}`)
    const losses = await train(model, objective, 60)
    expect(Math.max(...losses.slice(-5))).toBeLessThan(0.3 * losses[0])
  })
})
