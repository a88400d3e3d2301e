import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CheckpointError, ConfigError, DataError, TokenizerError } from '../errors.js'
import { saveModel } from '../hub/checkpoint.js'
import { GPT } from '../models/index.js'
import { initialize, type Module } from '../nn/index.js'
import { trainCharacterTokenizer } from '../tokenizers/characters.js'
import { createTokenizer } from '../tokenizers/node.js'
import { saveTokenizer } from '../tokenizers/save.js'
import { buildCausalLm } from './build/causal-lm.js'
import { buildInstruction, encodeConversation } from './build/instruction.js'
import { parseRecipe } from './recipe.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-build-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const text = 'hello, naïve 🐳 world. '.repeat(20)

/** Builds a recipe of `key=value` lines on the text above. */
function buildWith(...sets: string[]) {
  const file = join(folder, 'text.txt')
  writeFileSync(file, text)
  return buildCausalLm({ recipe: parseRecipe('', 'test', [`data.train=${file}`, ...sets]) })
}

/** Saves a model of 1 layer and width 4 with a tokenizer of the letters `characters`. */
function saveCheckpoint(characters: string, vocabularySize?: number): string {
  const directory = join(folder, 'checkpoint')
  const tokenizer = createTokenizer(trainCharacterTokenizer(characters))
  const sizes = {
    vocabularySize: vocabularySize ?? tokenizer.vocabularySize,
    contextLength: 6,
    layers: 1,
    heads: 1,
    width: 4,
  }
  const model = new GPT({ ...sizes, dropout: 0.3 })
  initialize(model.parameters(), 1)
  saveModel(directory, model)
  saveTokenizer(directory, tokenizer, sizes)
  return directory
}

const flat = (model: Module) => Object.values(model.parameters()).flatMap(({ data }) => [...data!])

describe('build', () => {
  it('makes the model that the recipe describes, with the characters of the text', async () => {
    const { model, tokenizer, objective, size } = await buildWith('model.layers=2', 'model.width=8', 'model.heads=2')
    expect(tokenizer.vocabularySize).toBe(new Set(text).size + 1)
    const { vocabularySize } = tokenizer
    expect(model.config).toMatchObject({
      layers: 2,
      width: 8,
      heads: 2,
      contextLength: 64,
      vocabularySize,
      bias: false,
    })
    const validated = [...objective.evaluationBatches()].reduce((sum, { predictions }) => sum + predictions, 0)
    // Every token of the validation text but its first is predicted.
    expect(size.count + validated + 1).toBe([...text].length)
    expect(Math.abs(validated - 0.1 * [...text].length)).toBeLessThan(3)
  })

  it('draws the first weights from the seed', async () => {
    const small = ['model.layers=1', 'model.width=4', 'model.heads=1']
    const [one, same, other] = await Promise.all([1, 1, 2].map((seed) => buildWith(...small, `train.seed=${seed}`)))
    expect(flat(same.model)).toEqual(flat(one.model))
    expect(flat(other.model)).not.toEqual(flat(one.model))
  })

  it('takes a preset, with the exceptions beside it', async () => {
    const { model, tokenizer } = await buildWith('model.preset=gpt-character', 'model.layers=1', 'model.dropout=0.2')
    const { vocabularySize } = tokenizer
    expect(model.config).toMatchObject({
      layers: 1,
      heads: 4,
      width: 128,
      contextLength: 64,
      dropout: 0.2,
      vocabularySize,
    })
    await expect(buildWith('model.preset=gpt2-smal')).rejects.toThrow(ConfigError)
    await expect(buildWith('model.preset=gpt2-larg')).rejects.toThrow(
      /'gpt2-larg' is unknown, did you mean gpt2-large\?/,
    )
  })

  it('takes a tokenizer from a directory', async () => {
    const { model, tokenizer } = await buildWith(`tokenizer.from=${saveCheckpoint('helo')}`, 'model.layers=1')
    expect(tokenizer.vocabularySize).toBe(5)
    expect(model.config.vocabularySize).toBe(5)
    await expect(buildWith(`tokenizer.from=${folder}`)).rejects.toThrow(TokenizerError)
  })

  it('goes on from a checkpoint, with its weights, its tokenizer and its dropout or another', async () => {
    const directory = saveCheckpoint('helo')
    const { model, tokenizer } = await buildWith(`model.from=${directory}`)
    expect(tokenizer.toJSON()).toBe(readFileSync(join(directory, 'tokenizer.json'), 'utf8'))
    const dropout = { embedding: 0.3, attention: 0.3, residual: 0.3 }
    expect(model.config).toMatchObject({ width: 4, contextLength: 6, vocabularySize: 5, dropout })
    const other = await buildWith(`model.from=${directory}`, 'model.dropout=0')
    expect(other.model.config).toMatchObject({ width: 4, dropout: 0 })
    expect(flat(other.model)).toEqual(flat(model))
  })

  it('resumes from a checkpoint whatever the recipe makes', async () => {
    const directory = saveCheckpoint('helo')
    const file = join(folder, 'text.txt')
    writeFileSync(file, text)
    const { model, tokenizer } = await buildCausalLm({
      recipe: parseRecipe('', 'test', [`data.train=${file}`]),
      checkpoint: directory,
    })
    expect(model.config.width).toBe(4)
    expect(tokenizer.vocabularySize).toBe(5)
  })

  it('refuses a tokenizer that has more tokens than the model', async () => {
    const made = buildWith(`model.from=${saveCheckpoint('hello, world', 3)}`)
    await expect(made).rejects.toThrow(CheckpointError)
    await expect(made).rejects.toThrow(/the tokenizer has 10 tokens, the model 3; they are not of one checkpoint/)
  })

  it('refuses a text that leaves nothing to validate on', async () => {
    const file = join(folder, 'short.txt')
    writeFileSync(file, 'x')
    await expect(buildWith(`data.validation=${file}`)).rejects.toThrow(DataError)
    await expect(buildWith(`data.validation=${file}`)).rejects.toThrow(
      /expected at least 2 tokens to validate on, got 1/,
    )
  })
})

describe('buildInstruction', () => {
  it('writes conversations with the template that the checkpoint brings', async () => {
    const template = "{% for m in messages %}{{ m.role + ':' + m.content + ';' }}{% endfor %}"
    const directory = saveCheckpoint('abcdefghijklmnopqrstuvwxyz:;', undefined)
    const config = join(directory, 'tokenizer_config.json')
    writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), chat_template: template }))
    const file = join(folder, 'conversations.jsonl')
    const messages = [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a' },
    ]
    writeFileSync(file, `${JSON.stringify({ messages })}\n`.repeat(20))
    const recipe = parseRecipe('objective: instruction', 'test', [`data.train=${file}`, `model.from=${directory}`])
    const { chatTemplate, tokenizer } = await buildInstruction({ recipe })
    expect(chatTemplate).toBe(template)
    const { ids } = await encodeConversation({ messages }, tokenizer, chatTemplate)
    expect(tokenizer.decode(Array.from(ids))).toBe('user:q;assistant:a;')
  })
})
