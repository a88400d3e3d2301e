import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { generateBatch, SequenceToSequenceDecoder } from '../../src/generation/index.js'
import { saveModel } from '../../src/hub/checkpoint.js'
import {
  Bart,
  BertDecoder,
  BertModel,
  DistilBertModel,
  EncoderDecoder,
  GPTDecoder,
  pairFeeds,
  pairInputs,
  RobertaDecoder,
  RobertaModel,
  type SequenceToSequenceModel,
  T5,
  type T5Config,
  Transformer,
  type TransformerConfig,
} from '../../src/models/index.js'
import { initialize } from '../../src/nn/index.js'
import { compile, float32 } from '../../src/runtime/index.js'
import { python, runReference } from '../e2e/python.js'
import { largestDifference } from './fixtures.js'

interface Opened {
  class: string
  problems: string[]
  logits: number[]
  greedy: number[][]
}

const folder = mkdtempSync(join(tmpdir(), 'heddle-seq2seq-'))
afterAll(() => rmSync(folder, { recursive: true }))

const config: TransformerConfig = {
  vocabularySize: 23,
  contextLength: 16,
  encoderLayers: 2,
  decoderLayers: 1,
  heads: 2,
  width: 8,
  innerWidth: 12,
  dropout: 0.1,
  padTokenId: 0,
  eosTokenId: 1,
  decoderStartTokenId: 0,
}

const t5: T5Config = { ...config, dropout: 0.1, headWidth: 3, relativePositions: { buckets: 4, maxDistance: 5 } }
const bert = { vocabularySize: 23, contextLength: 16, layers: 2, heads: 2, width: 8, innerWidth: 12 }
const tokens = { decoderStartTokenId: 2, eosTokenId: 1, padTokenId: 0 }

const entries: [name: string, pythonClass: string, model: SequenceToSequenceModel][] = [
  ['a Transformer', 'MarianMTModel', new Transformer(config)],
  ['one with two vocabularies', 'MarianMTModel', new Transformer({ ...config, sourceVocabularySize: 31 })],
  ['one with a head of its own', 'MarianMTModel', new Transformer({ ...config, tiedHead: false })],
  [
    'BART',
    'BartForConditionalGeneration',
    new Bart({ ...config, activation: 'gelu', embeddingScale: 1, decoderStartTokenId: 1 }),
  ],
  ['T5', 'T5ForConditionalGeneration', new T5(t5)],
  [
    'T5 1.1',
    'T5ForConditionalGeneration',
    new T5({ ...t5, gated: true, activation: 'gelu_new', tiedHead: false, encoderLayers: 1, headWidth: 4 }),
  ],
  ['T5 with exact GELU', 'T5ForConditionalGeneration', new T5({ ...t5, gated: true, activation: 'gelu' })],
  ['BERT2BERT', 'EncoderDecoderModel', new EncoderDecoder(new BertModel(bert), new BertDecoder(bert), tokens)],
  [
    'a narrow BERT to GPT without biases',
    'EncoderDecoderModel',
    new EncoderDecoder(new BertModel({ ...bert, width: 6 }), new GPTDecoder({ ...bert, bias: false }), tokens),
  ],
  [
    'RoBERTa to RoBERTa',
    'EncoderDecoderModel',
    new EncoderDecoder(new RobertaModel(bert), new RobertaDecoder(bert), { ...tokens, padTokenId: 1 }),
  ],
  [
    'DistilBERT to GPT',
    'EncoderDecoderModel',
    new EncoderDecoder(new DistilBertModel(bert), new GPTDecoder(bert), tokens),
  ],
]

const sources = [7, 2, 10, 4].map((length, b) => Array.from({ length }, (_, t) => 3 + ((7 * b + 5 * t) % 20)))
const targets = [3, 6, 2, 5].map((length, b) => Array.from({ length }, (_, t) => 3 + ((3 * b + 7 * t) % 20)))

async function logitsOf(model: SequenceToSequenceModel): Promise<Float32Array> {
  const { source, target } = pairInputs()
  const program = await compile({ outputs: { logits: model.forward(source, target) } })
  const pairs = sources.map((ids, i) => ({ source: { ids }, target: { ids: targets[i] } }))
  return float32((await program.run(pairFeeds(pairs))).logits)
}

/** What is written greedily by the tokens of the model's own configuration, without padding. */
async function greedy(model: SequenceToSequenceModel): Promise<number[][]> {
  const { decoderStartTokenId, padTokenId } = model.config
  const decoder = new SequenceToSequenceDecoder(model)
  await decoder.read(sources.map((ids) => ({ ids })))
  const prompts = sources.map(() => [decoderStartTokenId])
  const rows = await generateBatch(decoder, prompts, { maxNewTokens: 8, eosTokenIds: [1] })
  await decoder.dispose()
  return rows.map(({ ids }) => ids.filter((id) => id !== padTokenId))
}

if (python === undefined) console.log('skipped: HEDDLE_PYTHON or python3 with torch and transformers is not there')

describe.skipIf(python === undefined)('what Heddle saves', () => {
  it('is opened by Python, which computes the same', { timeout: 300_000 }, async () => {
    const requests = entries.map(([name, , model]) => {
      initialize(model.parameters(), 4)
      saveModel(join(folder, name), model)
      return { directory: join(folder, name), sources, targets }
    })
    const opened = runReference<Opened[]>('check_sequence_to_sequence.py', [], requests)
    for (const [i, [name, pythonClass, model]] of entries.entries()) {
      expect(opened[i], name).toMatchObject({ class: pythonClass, problems: [] })
      expect(largestDifference(await logitsOf(model), opened[i].logits), name).toBeLessThan(1e-4)
      expect(await greedy(model), name).toEqual(opened[i].greedy)
    }
  })
})
