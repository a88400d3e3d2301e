import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ConfigError, UsageError } from '../errors.js'
import type { Recipe } from './recipe.js'
import { applySets, parseRecipe, recipeToYaml } from './recipe.js'

const parse = (yaml: string, ...sets: string[]) => parseRecipe(yaml, 'r.yaml', ['data.train=t.txt', ...sets])
const message = (yaml: string, ...sets: string[]) => {
  try {
    parse(yaml, ...sets)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return error instanceof Error ? error.message : ''
  }
  return 'no error'
}

const shakespeare: Recipe = {
  model: {
    type: 'gpt',
    layers: 4,
    heads: 4,
    width: 128,
    contextLength: 64,
    dropout: 0,
    bias: false,
    activation: 'gelu',
  },
  tokenizer: { type: 'characters' },
  data: { train: 't.txt' },
  objective: 'causal-lm',
  train: {
    steps: 2000,
    batchSize: 12,
    accumulate: 1,
    optimizer: 'adamw',
    learningRate: 0.001,
    betas: [0.9, 0.99],
    weightDecay: 0.1,
    schedule: 'cosine',
    warmup: 100,
    minimumLearningRate: 0.0001,
    clip: 1,
    evaluateEvery: 250,
    checkpointEvery: 250,
    keep: 1,
    metric: 'loss',
    logEvery: 10,
    seed: 1337,
  },
}
const file = readFileSync(new URL('../../recipes/shakespeare-char.yaml', import.meta.url), 'utf8')

describe('parseRecipe', () => {
  it('reads the recipe of the repository', () => {
    expect(parse(file)).toEqual(shakespeare)
  })

  it('needs nothing but a text', () => {
    expect(parse('')).toEqual({ ...shakespeare, train: { ...shakespeare.train, warmup: 0.05 } })
    expect(() => parseRecipe(file, 'r.yaml')).toThrow(
      'r.yaml: data.train is missing: name the text to train on with --set data.train=FILE',
    )
  })

  it('takes an empty section or value for its default', () => {
    expect(parse('model:\ntrain:\n  clip:\n').train.clip).toBe(1)
    expect(parse('data: {validation: v.txt}', 'data.validation=null').data).toEqual({ train: 't.txt' })
  })

  it('takes the sizes of encoder–decoders, whose type the objective or a preset tells', () => {
    expect(parse('', 'objective=seq2seq', 'model.layers=2').model).toEqual({ type: 'transformer', layers: 2 })
    expect(parse('', 'objective=denoising').denoising).toEqual({ type: 'span-corruption', meanSpan: 3 })
    expect(parse('', 'model.preset=transformer-big').model).toMatchObject({ type: 'transformer' })
    expect(parse('', 'model.preset=t5-small', 'model.gated=true').model).toMatchObject({ type: 't5', gated: true })
    expect(parse('', 'model.preset=bart-base').model).toMatchObject({ type: 'bart' })
    const joined = parse(file, 'objective=seq2seq', 'model.encoder=a', 'model.decoder=b')
    expect(joined).toMatchObject({ model: { type: 'bert2bert', encoder: 'a', decoder: 'b' }, tokenizer: undefined })
    expect(message('model: {type: bert2bert, encoder: a, decoder: b, width: 8}')).toBe(
      'r.yaml: model.width: model.encoder brings the architecture (valid: type, encoder, decoder)',
    )
    expect(message('model: {type: transformer, pooling: cls}')).toContain('model.pooling: unknown key')
  })

  it('takes what parallel texts need', () => {
    const data = {
      train: ['a.de', 'a.en'],
      split: [0.8, 0.1, 0.1],
      splitSeed: 4,
      lowercase: true,
      prefix: 'to English: ',
    }
    expect(parse('', `data=${JSON.stringify(data)}`).data).toEqual(data)
    const sets = ['train.batchTokens=4000', 'train.epsilon=1e-9', 'train.labelSmoothing=0.1', 'train.average=5']
    expect(parse('', ...sets, 'train.schedule=noam').train).toMatchObject({
      batchTokens: 4000,
      epsilon: 1e-9,
      labelSmoothing: 0.1,
      average: 5,
      schedule: 'noam',
    })
    expect(message('data: {split: [0.9, 0.2]}')).toBe(
      'r.yaml: data.split: expected two or three shares that add up to 1, such as [0.9, 0.05, 0.05], got [0.9,0.2]',
    )
    expect(message('data: {split: [0.9, 0.1], validation: v.txt}')).toContain(
      'data.split: expected nothing beside data.validation (--set data.split=null), got [0.9,0.1]',
    )
    expect(message('train: {average: 1}')).toContain('train.average: expected a whole number of 2 or more, got 1')
  })

  it('takes data files as lists and patterns, and says how they are read', () => {
    const data = {
      train: ['a.txt', 'b/*.csv'],
      validation: 'c.csv',
      format: 'csv',
      columns: { text: 2 },
      packing: false,
    }
    expect(parse('', `data=${JSON.stringify(data)}`).data).toEqual(data)
    const columns = 'data.columns={text: body}'
    expect(parse('', columns, 'data.header=true', 'data.validationTokens=1e5').data).toEqual({
      train: 't.txt',
      columns: { text: 'body' },
      header: true,
      validationTokens: 100_000,
    })
  })

  it('reads 1e-3 and 1e3 as numbers', () => {
    expect(parse('train: {learningRate: 2e-3, steps: 1e3}', 'train.seed=1e2').train).toMatchObject({
      learningRate: 0.002,
      minimumLearningRate: 0.0002,
      steps: 1000,
      seed: 100,
    })
  })

  it.each<[yaml: string, sets: string[], winner: object]>([
    ['train: {steps: 5, epochs: 2}', [], { epochs: 2 }],
    ['train: {epochs: 2, steps: 5}', [], { steps: 5 }],
    ['train: {steps: 5, minutes: 0.5, epochs: 1}', ['train.steps=7'], { steps: 7 }],
    ['train: {steps: 5}', ['train.minutes=1', 'train.epochs=1.5'], { epochs: 1.5 }],
    ['train: {steps: 5}', ['train.epochs=1', 'train.minutes=2', 'train.epochs=3'], { epochs: 3 }],
    ['train: {minutes: 5}', ['train.minutes=null'], { steps: 2000 }],
  ])('keeps the last duration of %s with %j', (yaml, sets, winner) => {
    const { steps, epochs, minutes } = parse(yaml, ...sets).train
    expect(JSON.parse(JSON.stringify({ steps, epochs, minutes }))).toEqual(winner)
  })

  it('takes the architecture and the tokenizer from a checkpoint', () => {
    const { model, tokenizer } = parse(file, 'model.dropout=0.1', 'model.from=runs/a')
    expect(model).toEqual({ from: 'runs/a', dropout: 0.1 })
    expect(tokenizer).toBeUndefined()
    expect(message('model: {from: runs/a, layers: 4}')).toBe(
      'r.yaml: model.layers: model.from brings the architecture (valid: from, dropout, pooling)',
    )
    expect(message('model: {from: runs/a}\ntokenizer: {type: bpe}')).toBe(
      'r.yaml: tokenizer: expected no tokenizer, because model.from brings its own, got {"type":"bpe"}',
    )
  })

  it('takes sizes from a preset, with exceptions', () => {
    expect(parse(file, 'model.preset=gpt2-small').model).toEqual({ type: 'gpt', preset: 'gpt2-small' })
    const model = parse('model: {preset: gpt2-small, contextLength: 256}').model
    expect(model).toEqual({ type: 'gpt', preset: 'gpt2-small', contextLength: 256 })
  })

  it('knows tokenizers to train and to load', () => {
    expect(parse('tokenizer: {type: unigram}').tokenizer).toEqual({ type: 'unigram', vocabularySize: 8000 })
    expect(parse('tokenizer: {type: bpe, vocabularySize: 512}').tokenizer).toEqual({ type: 'bpe', vocabularySize: 512 })
    expect(parse(file, 'tokenizer.from=gpt2').tokenizer).toEqual({ from: 'gpt2' })
  })

  it.each<[yaml: string, expected: string]>([
    [
      'train: {stepz: 3}',
      'train.stepz: unknown key, did you mean train.steps? (valid: steps, epochs, minutes, batchSize,',
    ],
    [
      'batchSize: 3',
      'batchSize: unknown key, did you mean train.batchSize? (valid: model, tokenizer, data, objective, masking, denoising, train, sample)',
    ],
    ['modle: {}', 'modle: unknown key, did you mean model? (valid:'],
    ['qqqqqqqqqqqq: 1', 'qqqqqqqqqqqq: unknown key (valid:'],
    ['tokenizer: {vocabularySize: 9}', 'tokenizer.vocabularySize: unknown key (valid: type, separate)'],
    ['train: {batchSize: many}', 'train.batchSize: expected a whole number of 1 or more, got "many"'],
    ['train: {batchSize: 1.5}', 'train.batchSize: expected a whole number of 1 or more, got 1.5'],
    ['train: {steps: 0}', 'train.steps: expected a whole number of 1 or more, got 0'],
    ['train: {learningRate: .nan}', 'train.learningRate: expected a number above 0, got NaN'],
    ['train: {learningRate: "1e-3"}', 'train.learningRate: expected a number above 0, got "1e-3"'],
    ['train: {warmup: 1.5}', 'train.warmup: expected a whole number of steps, or a fraction below 1, got 1.5'],
    ['train: {betas: [0.9]}', 'train.betas: expected two numbers [beta1, beta2], got [0.9]'],
    ['train: {betas: [0.9, 1]}', 'train.betas.1: expected a number of 0 or more and below 1, got 1'],
    [
      'train: {schedule: cosin}',
      'train.schedule: expected one of constant, linear, cosine, inverse-square-root, noam, got "cosin" (did you mean cosine?)',
    ],
    [
      'train: {minimumLearningRate: 0.5}',
      'train.minimumLearningRate: expected at most train.learningRate (0.001), got 0.5',
    ],
    ['train: 3', 'train: expected a section with the keys steps, epochs,'],
    ['model: {bias: "no"}', 'model.bias: expected true or false, got "no"'],
    [
      'model: {type: gtp}',
      'model.type: expected one of gpt, llama, mistral, qwen2, qwen3, bert, roberta, distilbert, transformer, t5, bart, bert2bert, got "gtp" (did you mean gpt?)',
    ],
    ['model: {width: 130}', 'model.heads: expected a divisor of model.width (130), got 4'],
    ['tokenizer: {type: byte}', 'tokenizer.type: expected one of characters, bpe, wordpiece, unigram, got "byte"'],
    [
      'data: {validation: 3}',
      'data.validation: expected a file, a pattern such as corpus/*.jsonl, or a list of them, got 3',
    ],
    ['data: {validation: []}', 'data.validation: expected a file, a pattern such as corpus/*.jsonl, or a list of them'],
    ['data: {format: cvs}', 'data.format: expected one of text, lines, jsonl, json, csv, tsv, parquet, got "cvs"'],
    ['data: {columns: {txt: a}}', 'data.columns.txt: unknown key, did you mean data.columns.text? (valid: text'],
    ['data: {columns: {text: -1}}', 'data.columns.text: expected the name of a column, or its position from 0, got -1'],
    ['[1, 2]', 'expected a recipe (keys and values), got [1,2]'],
    [
      'train: {seed: -1, clip: x}',
      'train.clip: expected a number of 0 or more, got "x"; train.seed: expected a whole number of 0 or more, got -1',
    ],
  ])('says what is wrong with %s', (yaml, expected) => {
    expect(message(yaml)).toMatch(/^r\.yaml: /)
    expect(message(yaml)).toContain(expected)
  })

  it.each<[yaml: string, place: string]>([
    ['train:\n  steps: 1\n  steps: 2', 'r.yaml:3:3: not valid YAML: Map keys must be unique'],
    ['train: {steps: 1', 'r.yaml:1:17: not valid YAML: '],
    ['a: *b', 'r.yaml: not valid YAML: '],
    ['a: !!js/function x', 'r.yaml:1:4: not valid YAML: Unresolved tag'],
  ])('names the place of bad YAML in %j', (yaml, place) => {
    expect(message(yaml)).toContain(place)
    expect(message(yaml)).not.toContain('\n')
  })
})

describe('applySets', () => {
  it('makes sections, reads values as YAML and leaves the document alone', () => {
    const document = { train: { steps: 1 } }
    const sets = ['train.betas=[0.5, 0.9]', 'a.b.c=true', 'train.steps=2', 'name=x=y', 'none=']
    expect(applySets(document, sets)).toEqual({
      train: { betas: [0.5, 0.9], steps: 2 },
      a: { b: { c: true } },
      name: 'x=y',
      none: null,
    })
    expect(document).toEqual({ train: { steps: 1 } })
  })

  it('refuses what is not KEY=VALUE and paths through values', () => {
    for (const set of ['train.steps', '=3', 'train..steps=1', '.a=1', '__proto__.x=1', '']) {
      expect(() => applySets({}, [set])).toThrow(UsageError)
      expect(() => applySets({}, [set])).toThrow(/^--set: expected KEY=VALUE/)
    }
    expect(() => applySets({ train: { betas: [1, 2] } }, ['train.betas.0=3'])).toThrow(
      '--set train.betas.0: train.betas is [1,2], not a section; set train.betas itself',
    )
    expect(() => applySets({}, ['train.betas=[1'])).toThrow(/^--set train.betas:1:3: not valid YAML/)
  })
})

describe('recipeToYaml', () => {
  it.each([
    [[]],
    [['model.from=runs/x']],
    [['model.preset=p', 'train.minutes=1']],
    [['tokenizer.type=bpe', 'train.learningRate=3e-7', 'data.validation="1"']],
  ])('is read back as the same recipe with %j', (sets) => {
    const recipe = parse(file, 'train.minimumLearningRate=0', ...sets)
    expect(parseRecipe(recipeToYaml(recipe), 'again', [])).toEqual(recipe)
  })
})
