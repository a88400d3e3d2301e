import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigError, DataError } from '../../errors.js'
import { saveModel } from '../../hub/checkpoint.js'
import { Bart, BertForMaskedLM, EncoderDecoder, GPT, T5, Transformer } from '../../models/index.js'
import { initialize } from '../../nn/index.js'
import type { Feed } from '../../runtime/index.js'
import { saveTokenizer } from '../../tokenizers/save.js'
import { build } from '../build.js'
import { parseRecipe } from '../recipe.js'

let folder: string
let warnings: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-pairs-'))
  warnings = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, lines: readonly string[]): string {
  const path = join(folder, name)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

const words = ['null', 'Eins', 'zwei', 'Drei', 'vier', 'fünf', 'Sechs', 'sieben', 'Acht', 'neun']
const numbers = Array.from({ length: 60 }, (_, i) => [i % 10, (i * 7) % 10, (i * 3) % 10].slice(i % 3))
const german = numbers.map((digits) => digits.map((digit) => words[digit]).join(' '))
const digits = numbers.map((some) => some.join(' '))

const small = ['layers=1', 'heads=2', 'width=8', 'contextLength=40'].map((size) => `model.${size}`)

function recipeOf(...sets: string[]) {
  const files = [write('n.de', german), write('n.digits', digits)]
  return parseRecipe('', 'test', ['objective=seq2seq', `data.train=${JSON.stringify(files)}`, ...sets])
}

function buildWith(...sets: string[]) {
  const onWarning = (message: string) => warnings.push(message.replaceAll(`${folder}/`, ''))
  return build({ recipe: recipeOf('tokenizer.type=characters', ...small, ...sets), onWarning })
}

const ids = (feed: Feed) => Array.from('shape' in feed ? feed.data : feed, Number)

describe('seq2seq in a recipe', () => {
  it('makes a Transformer that learns targets with an end behind a start that fills batches', async () => {
    const { model, tokenizer, sourceTokenizer, objective, size } = await buildWith('train.batchTokens=200')
    expect(model).toBeInstanceOf(Transformer)
    expect(sourceTokenizer).toBeUndefined()
    const { pad, eos } = tokenizer.specialTokens
    expect(model.config).toMatchObject({ padTokenId: pad?.id, eosTokenId: eos?.id, decoderStartTokenId: pad?.id })
    expect(size.unit).toBe('tokens')
    const batch = objective.trainingBatch(0)
    const targets = ids(batch.feeds.targets)
    const read = ids(batch.feeds.targetTokens).slice(0, targets.length)
    const pieces = tokenizer.decode(targets).split('</s>').slice(0, -1)
    expect(pieces.length).toBe(batch.examples)
    for (const text of pieces) expect(digits).toContain(text)
    // Shifted right, the end of one target is the start of the next.
    expect(read).toEqual([pad!.id, ...targets.slice(0, -1).map((id) => (id === eos!.id ? pad!.id : id))])
    const sources = tokenizer.decode(ids(batch.feeds.tokens).slice(0, ids(batch.feeds.tokens).length / 4))
    for (const text of sources.split('</s>').slice(0, -1)) expect(german).toContain(text)
    const held = [...objective.evaluationBatches()].reduce((sum, { examples }) => sum + examples, 0)
    expect(held).toBe(6)
  })

  it('lower-cases both sides and puts the prefix before sources', async () => {
    const { tokenizer, objective } = await buildWith('data.lowercase=true', 'data.prefix="Zahl: "')
    const { feeds } = objective.trainingBatch(0)
    const sources = tokenizer
      .decode(ids(feeds.tokens).slice(0, ids(feeds.tokens).length / 4))
      .split('</s>')
      .slice(0, -1)
    const expected = german.map((text) => `Zahl: ${text.toLowerCase()}`)
    for (const text of sources) expect(expected).toContain(text)
    expect(warnings).toEqual([])
  })

  it.each(['unigram', 'bpe', 'wordpiece'])('trains one %s vocabulary on both sides', async (type) => {
    const { model, tokenizer } = await buildWith(`tokenizer={type: ${type}, vocabularySize: 320}`)
    for (const text of ['sieben', '7 3']) {
      const encoded = (await tokenizer.encode(text)).ids
      expect(encoded.at(-1)).toBe((tokenizer.specialTokens.eos ?? tokenizer.specialTokens.sep)!.id)
      expect(tokenizer.decode(encoded, { skipSpecialTokens: true }).trim()).toBe(text)
    }
    const { pad, cls } = tokenizer.specialTokens
    expect(model.config).toMatchObject({ decoderStartTokenId: (type === 'wordpiece' ? cls : pad)?.id })
  })

  it('trains a vocabulary for each side where it is asked to', async () => {
    const { model, tokenizer, sourceTokenizer } = await buildWith('tokenizer.separate=true')
    const { vocabularySize } = tokenizer
    expect(model.config).toMatchObject({ vocabularySize, sourceVocabularySize: sourceTokenizer?.vocabularySize })
    expect(tokenizer.tokenToId('z')).toBeUndefined()
    expect(sourceTokenizer?.tokenToId('7')).toBeUndefined()
    expect(sourceTokenizer?.tokenToId('ü')).toBeDefined()
  })

  it.each<[sets: string[], type: new (...given: never[]) => object]>([
    [['model.type=t5', 'model.headWidth=4', 'model.gated=true'], T5],
    [['model.type=bart', 'model.attentionDropout=0.2'], Bart],
    [['model.preset=transformer-small', 'model.norm=pre', 'model.decoderLayers=1', 'model.width=16'], Transformer],
  ])('makes the model of %j', async (sets, type) => {
    const { model, objective } = await buildWith(...sets)
    expect(model).toBeInstanceOf(type)
    expect(objective.trainingBatch(0).predictions).toBeGreaterThan(0)
  })

  it('parts the data in three by a seed of its own, of which the last is never seen', async () => {
    const seen = async (...sets: string[]) => {
      const { objective, tokenizer } = await buildWith('data.split=[0.6,0.2,0.2]', 'train.batchSize=100', ...sets)
      const texts = ({ feeds }: { feeds: Readonly<Record<string, Feed>> }) =>
        tokenizer
          .decode(ids(feeds.tokens).slice(0, ids(feeds.tokens).length / 4))
          .split('</s>')
          .slice(0, -1)
      return { train: texts(objective.trainingBatch(0)), validation: [...objective.evaluationBatches()].flatMap(texts) }
    }
    const first = await seen()
    const distinct = new Set(german).size
    expect(new Set([...first.train, ...first.validation]).size).toBe(Math.round(0.8 * distinct))
    expect(first.train.filter((text) => first.validation.includes(text))).toEqual([])
    const sorted = ({ train }: { train: string[] }) => [...train].sort()
    expect(sorted(await seen('train.seed=3', 'data.splitSeed=1337'))).toEqual(sorted(first))
    expect(sorted(await seen('data.splitSeed=4'))).not.toEqual(sorted(first))
  })

  it('leaves pairs out that are too long, and names their lines', async () => {
    const files = [
      write('long.de', ['kurz', ...german, 'x'.repeat(10_000)]),
      write('long.en', ['y'.repeat(50), ...digits, 'z']),
    ]
    const { objective, tokenizer } = await buildWith(`data.train=${JSON.stringify(files)}`, 'data.validation=null')
    expect(warnings).toContain(
      'long.de:1: 5 source and 51 target tokens are more than 40, the pair is left out (and 1 more, in line 62)',
    )
    expect(tokenizer.decode(ids(objective.trainingBatch(0).feeds.targets))).not.toContain('yy')
    await expect(buildWith('data.maxLength=2')).rejects.toThrow(/and so it is in all \d+ pairs/)
  })

  it('says which share of the tokens the vocabulary lacks, and stops where it lacks all', async () => {
    const { tokenizer } = await buildWith()
    saveTokenizer(folder, tokenizer)
    const lines = german.map((_, i) => (i === 7 ? '4 二' : '4 2'))
    const files = (target: string[]) => [
      `data.train=${JSON.stringify([write('u.de', german), write('u.zh', target)])}`,
      `tokenizer={from: ${folder}}`,
    ]
    await buildWith(...files(lines), 'train.seed=1')
    expect(warnings.join('\n')).toMatch(
      /u\.de:8: the vocabulary lacks \d\.\d\d % of the target tokens, such as some of "4 二"/,
    )
    await expect(buildWith(...files(german.map(() => '二')))).rejects.toThrow(
      /the vocabulary lacks everything of the target, as of "二"/,
    )
  })

  it('measures BLEU of what is translated', async () => {
    const { objective } = await buildWith('data.validationExamples=4')
    const { bleu } = (await objective.measure?.()) ?? {}
    expect(bleu).toBeGreaterThanOrEqual(0)
    expect(bleu).toBeLessThan(50)
    await objective.dispose?.()
    expect((await buildWith('data.validationExamples=0')).objective.measure).toBeUndefined()
  })

  it('goes on with a checkpoint of both tokenizers, and with other dropout', async () => {
    const { model, tokenizer, sourceTokenizer } = await buildWith('tokenizer.separate=true')
    saveModel(folder, model)
    saveTokenizer(folder, tokenizer)
    await expect(build({ recipe: recipeOf(`model.from=${folder}`) })).rejects.toThrow(
      /the sources have a vocabulary of their own, expected its tokenizer in source_tokenizer/,
    )
    mkdirSync(join(folder, 'source_tokenizer'))
    saveTokenizer(join(folder, 'source_tokenizer'), sourceTokenizer!)
    const resumed = await build({ recipe: recipeOf(`model.from=${folder}`, 'model.dropout=0.25') })
    expect(resumed.sourceTokenizer?.toJSON()).toBe(sourceTokenizer?.toJSON())
    expect(resumed.model.config).toMatchObject({ dropout: 0.25 })
    const weights = model.parameters()
    for (const [path, { data }] of Object.entries(resumed.model.parameters())) expect(data).toEqual(weights[path].data)
  })

  it('joins an encoder and a decoder from checkpoints', async () => {
    const { tokenizer } = await buildWith('tokenizer={type: wordpiece, vocabularySize: 80}')
    const bert = new BertForMaskedLM({
      vocabularySize: tokenizer.vocabularySize,
      contextLength: 64,
      layers: 1,
      heads: 2,
      width: 8,
    })
    initialize(bert.parameters(), 1)
    saveModel(folder, bert)
    saveTokenizer(folder, tokenizer)
    const { model, sourceTokenizer } = await build({
      recipe: recipeOf(`model.encoder=${folder}`, `model.decoder=${folder}`),
    })
    expect(model).toBeInstanceOf(EncoderDecoder)
    expect(sourceTokenizer).toBeUndefined()
    const { cls, sep } = tokenizer.specialTokens
    expect(model.config).toMatchObject({ decoderStartTokenId: cls?.id, eosTokenId: sep?.id })
  })

  it.each(['multi30k-de-en', 'multi30k-en-de', 'tatoeba-en-zh'])(
    '%s.yaml takes any other pair by --set alone',
    async (name) => {
      const file = new URL(`../../../recipes/${name}.yaml`, import.meta.url)
      const pair = `data.train=${JSON.stringify([write('n.de', german), write('n.digits', digits)])}`
      const sets = ['tokenizer.vocabularySize=300', 'model.layers=1', 'train.batchTokens=100']
      const recipe = parseRecipe(readFileSync(file, 'utf8'), name, [pair, ...sets])
      const { objective, model } = await build({ recipe })
      expect(model.config).toMatchObject({ width: 256, heads: 8, innerWidth: 1024, vocabularySize: 300 })
      expect(objective.trainingBatch(0).predictions).toBeGreaterThan(20)
      expect([...objective.evaluationBatches()].length).toBeGreaterThan(0)
      expect(recipe.train).toMatchObject({
        schedule: 'noam',
        betas: [0.9, 0.98],
        epsilon: 1e-9,
        average: 5,
        metric: 'bleu',
      })
    },
  )

  it('refuses other models, and keys that would change nothing', async () => {
    await expect(buildWith('model={type: gpt}')).rejects.toThrow(
      /model\.type: seq2seq trains one of transformer, t5, bart/,
    )
    const gpt = new GPT({ vocabularySize: 300, contextLength: 8, layers: 1, heads: 1, width: 4 })
    initialize(gpt.parameters(), 1)
    saveModel(folder, gpt)
    await expect(build({ recipe: recipeOf(`model.from=${folder}`) })).rejects.toThrow(
      /seq2seq needs an encoder–decoder, this is a GPT/,
    )
    const other = parseRecipe('', 'test', ['data.train=x.txt', 'data.lowercase=true'])
    await expect(build({ recipe: other })).rejects.toThrow(ConfigError)
    await expect(build({ recipe: other })).rejects.toThrow(
      /data\.lowercase: it is for seq2seq, and changes nothing for causal-lm/,
    )
    const none = [write('none.de', ['', '']), write('none.en', ['', ''])]
    await expect(buildWith(`data.train=${JSON.stringify(none)}`)).rejects.toThrow(DataError)
  })
})
