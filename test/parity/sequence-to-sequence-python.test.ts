import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { saveModel } from '../../src/hub/checkpoint.js'
import {
  Bart,
  pairFeeds,
  pairInputs,
  type SequenceToSequenceModel,
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

const entries: [name: string, pythonClass: string, model: SequenceToSequenceModel][] = [
  ['a Transformer', 'MarianMTModel', new Transformer(config)],
  ['one with two vocabularies', 'MarianMTModel', new Transformer({ ...config, sourceVocabularySize: 31 })],
  ['one with a head of its own', 'MarianMTModel', new Transformer({ ...config, tiedHead: false })],
  [
    'BART',
    'BartForConditionalGeneration',
    new Bart({ ...config, activation: 'gelu', embeddingScale: 1, decoderStartTokenId: 1 }),
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
    }
  })
})
