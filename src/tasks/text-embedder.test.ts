import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { saveModel } from '../hub/checkpoint.js'
import {
  BertForSequenceClassification,
  BertModel,
  DistilBertForQuestionAnswering,
  type EncoderInput,
  encoderFeeds,
  encoderInputs,
  RobertaForTokenClassification,
} from '../models/index.js'
import { compile, float32 } from '../runtime/index.js'
import { saveRandomModel, temporaryFolder } from './saved-model.testing.js'
import type { CutText } from './text-batches.js'
import { saveEncoder, sequenceOf, texts, tinyEncoder } from './text-classifier.testing.js'
import { cosineSimilarity, normalize, TextEmbedder } from './text-embedder.js'

const at = temporaryFolder()
const opened: TextEmbedder[] = []
afterAll(() => Promise.all(opened.map((embedder) => embedder.dispose())))

async function load(...input: Parameters<typeof TextEmbedder.load>): Promise<TextEmbedder> {
  const embedder = await TextEmbedder.load(...input)
  opened.push(embedder)
  return embedder
}

interface Body {
  forward(input: EncoderInput): Tensor
}

/** The last layer's outputs of texts that are run one by one, a row for each token. */
async function hiddenStates(body: Body, given: readonly string[]): Promise<number[][][]> {
  const { inputs, input } = encoderInputs()
  const program = await compile({ inputs, outputs: { hidden: body.forward(input) } })
  const { width } = tinyEncoder
  const states: number[][][] = []
  for (const text of given) {
    const values = float32((await program.run(encoderFeeds([sequenceOf(text)]))).hidden)
    states.push(Array.from({ length: values.length / width }, (_, i) => [...values.slice(i * width, (i + 1) * width)]))
  }
  await program.dispose()
  return states
}

const meanOf = (rows: readonly number[][]) =>
  rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i], 0) / rows.length)
const unit = (x: readonly number[]) => x.map((value) => value / Math.hypot(...x))
const expectClose = (actual: Float32Array, expected: readonly number[]) =>
  expect([...actual]).toEqual(expected.map((value) => expect.closeTo(value, 5)))

/** Writes files into a checkpoint that make it a sentence encoder. */
function describeEncoder(directory: string, files: Readonly<Record<string, unknown>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(directory, name, '..'), { recursive: true })
    writeFileSync(join(directory, name), JSON.stringify(content))
  }
}

const part = (type: string, path = '') => ({ idx: 0, name: '0', path, type: `sentence_transformers.models.${type}` })

describe('TextEmbedder', () => {
  const given = texts(70)

  it('gives the normalized mean of the tokens of each text, whatever head the encoder has', async () => {
    const bert = saveEncoder(at('bert'), new BertForSequenceClassification(tinyEncoder, ['a', 'b']))
    const roberta = saveEncoder(at('roberta'), new RobertaForTokenClassification({ ...tinyEncoder }, ['a', 'b']))
    const distil = saveEncoder(at('distil'), new DistilBertForQuestionAnswering({ ...tinyEncoder }))
    for (const [name, body] of [
      ['bert', bert.bert],
      ['roberta', roberta.roberta],
      ['distil', distil.distilbert],
    ] as const) {
      const embedder = await load(at(name))
      expect(embedder).toMatchObject({ width: 8, pooling: 'mean', normalized: true, maxLength: 12 })
      const vectors = await embedder.embed(given)
      const expected = (await hiddenStates(body, given)).map((rows) => unit(meanOf(rows)))
      expect(vectors).toHaveLength(given.length)
      for (const [i, vector] of vectors.entries()) expectClose(vector, expected[i])
    }
  })

  it('gives the first token, or vectors of any length, where it is told so', async () => {
    const model = saveEncoder(at('plain'), new BertModel(tinyEncoder))
    const few = given.slice(0, 9)
    const states = await hiddenStates(model, few)
    const [first, long] = [
      await load(at('plain'), { pooling: 'cls' }),
      await load(at('plain'), { pooling: 'mean', normalized: false }),
    ]
    for (const [i, vector] of (await first.embed(few)).entries()) expectClose(vector, unit(states[i][0]))
    for (const [i, vector] of (await long.embed(few)).entries()) expectClose(vector, meanOf(states[i]))
  })

  it.each([
    ['as sentence-transformers writes it now', { pooling_mode: 'cls', include_prompt: true }],
    ['as it wrote it before', { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }],
  ])("does what the directory's modules say: %s", async (_what, config) => {
    const directory = at(`modules-${Object.keys(config)[0]}`)
    const model = saveEncoder(directory, new BertModel(tinyEncoder))
    describeEncoder(directory, {
      'modules.json': [part('Transformer'), part('Pooling', '1_Pooling')],
      '1_Pooling/config.json': config,
      'sentence_bert_config.json': { max_seq_length: 5 },
    })
    const embedder = await load(directory)
    expect(embedder).toMatchObject({ pooling: 'cls', normalized: false, maxLength: 5 })
    const [[hidden]] = await hiddenStates(model, ['the room was'])
    const cuts: CutText[] = []
    const [, vector] = await embedder.embed(['', 'the room was clean .'], { onCut: (cut) => cuts.push(cut) })
    expectClose(vector, hidden)
    expect(cuts).toEqual([{ index: 1, removed: 2 }])
    const otherwise = await load(directory, { pooling: 'mean', normalized: true, maxLength: 8 })
    expect(otherwise).toMatchObject({ pooling: 'mean', normalized: true, maxLength: 8 })
  })

  it('normalizes where a module says so, and puts the default prompt before every text', async () => {
    const model = saveEncoder(at('prompt'), new BertModel(tinyEncoder))
    describeEncoder(at('prompt'), {
      'modules.json': [part('Transformer'), part('Pooling', '1_Pooling'), part('Normalize', '2_Normalize')],
      '1_Pooling/config.json': { pooling_mode_mean_tokens: true },
      'config_sentence_transformers.json': {
        prompts: { query: 'the ', document: null },
        default_prompt_name: 'query',
      },
    })
    const [rows] = await hiddenStates(model, ['the room was'])
    const [vector] = await (await load(at('prompt'))).embed(['room was'])
    expectClose(vector, unit(meanOf(rows)))
  })

  it('looks at as many tokens as in training, else as the tokenizer allows', async () => {
    saveEncoder(at('short'), new BertModel(tinyEncoder), { maxLength: 7 })
    expect((await load(at('short'))).maxLength).toBe(7)
    saveEncoder(at('allowed'), new BertModel(tinyEncoder))
    describeEncoder(at('allowed'), { 'tokenizer_config.json': { model_max_length: 9 } })
    expect((await load(at('allowed'))).maxLength).toBe(9)
    describeEncoder(at('allowed'), { 'tokenizer_config.json': { model_max_length: 1e30 } })
    expect((await load(at('allowed'))).maxLength).toBe(12)
  })

  it.each<[message: RegExp, files: Readonly<Record<string, unknown>>]>([
    [/a Dense module is not supported/, { 'modules.json': [part('Transformer'), part('Dense', '2_Dense')] }],
    [/pooling by max is not supported/, { '1_Pooling/config.json': { pooling_mode: 'max' } }],
    [/pooling by cls and mean is/, { '1_Pooling/config.json': { pooling_mode: ['cls', 'mean'] } }],
    [/sentence_bert_config\.json: 'max_seq_length' is not/, { 'sentence_bert_config.json': { max_seq_length: 'all' } }],
    [
      /without the prompt 'p: ' is not supported/,
      {
        '1_Pooling/config.json': { include_prompt: false },
        'config_sentence_transformers.json': { prompts: { p: 'p: ' }, default_prompt_name: 'p' },
      },
    ],
  ])('refuses what it cannot do: %s', async (message, files) => {
    const directory = at(`refused-${message.source.replace(/\W/g, '')}`)
    saveEncoder(directory, new BertModel(tinyEncoder))
    describeEncoder(directory, files)
    await expect(TextEmbedder.load(directory)).rejects.toThrow(message)
    await expect(TextEmbedder.load(directory)).rejects.toThrow(CheckpointError)
  })

  it('refuses a model that is no encoder', async () => {
    saveRandomModel(at('gpt'), 'abc')
    await expect(TextEmbedder.load(at('gpt'))).rejects.toThrow(/needs an encoder such as BERT, this is a GPT/)
  })

  it('has a fingerprint that changes with the weights and the settings', async () => {
    saveEncoder(at('one'), new BertModel(tinyEncoder))
    saveEncoder(at('other'), new BertModel(tinyEncoder))
    const print = async (...input: Parameters<typeof load>) => (await load(...input)).fingerprint()
    const first = await print(at('one'))
    expect(await print(at('other'))).toBe(first)
    expect(await print(at('one'), { pooling: 'cls' })).not.toBe(first)
    expect(await print(at('one'), { maxLength: 6 })).not.toBe(first)
    const changed = saveEncoder(at('changed'), new BertModel(tinyEncoder))
    const { data = new Float32Array() } = changed.embeddings.word_embeddings.weight
    data[0] += 0.5
    saveModel(at('changed'), changed)
    expect(await print(at('changed'))).not.toBe(first)
  })
})

describe('cosineSimilarity', () => {
  it('is the cosine of the angle, whatever the lengths', () => {
    const [a, b] = [Float32Array.of(3, 4), Float32Array.of(-4, 3)]
    expect(cosineSimilarity(a, Float32Array.of(30, 40))).toBeCloseTo(1, 10)
    expect(cosineSimilarity(a, b)).toBeCloseTo(0, 10)
    expect(cosineSimilarity(a, Float32Array.of(-3, 4))).toBeCloseTo(7 / 25, 6)
    expect(cosineSimilarity(a, new Float32Array(2))).toBe(0)
  })
})

describe('normalize', () => {
  it('makes the length 1, and leaves zeros', () => {
    expect([...normalize(Float32Array.of(3, 0, 4))]).toEqual([0.6, 0, 0.8].map(Math.fround))
    expect([...normalize(new Float32Array(2))]).toEqual([0, 0])
  })
})
