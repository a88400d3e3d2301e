import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LengthBatches } from 'heddle/data'
import { loadModel, saveModel } from 'heddle/hub'
import { BertForSequenceClassification, BertModel } from 'heddle/models'
import { initialize } from 'heddle/nn'
import { loadTokenizer } from 'heddle/tokenizers'
import { BenchmarkError } from './side.js'

/** Batches that are trained on, as both sides read them. */
export interface FinetuneBatch {
  /** Token ids of each text. */
  readonly ids: readonly (readonly number[])[]
  /** 0 or 1 for each text. */
  readonly labels: readonly number[]
}

/** What both sides start from. */
export interface FinetuneStart {
  /** Folder of a classifier with first weights in its head. */
  readonly model: string
  /** A file with a JSON list of {@link FinetuneBatch}. */
  readonly batches: string
  /** Tokens of each batch. */
  readonly tokens: readonly number[]
}

const seed = 1337
const batchSize = 32
/** Tokens of a text, at most. */
const maxLength = 128

/**
 * Writes what both sides start from: a classifier made of a checkpoint's body and a new head, and an epoch's batches of
 * texts of similar length, as Heddle trains on.
 *
 * @param checkpoint a BERT with its tokenizer
 * @param file a text and its label, 0 or 1, on each line, with a tab between them
 * @param folder to write to
 * @param dropout probability, at all places
 * @throws BenchmarkError where the checkpoint or the file is something else
 */
export async function writeStart(
  checkpoint: string,
  file: string,
  { folder, dropout }: { folder: string; dropout: number },
): Promise<FinetuneStart> {
  const { model: body } = loadModel(checkpoint)
  if (!(body instanceof BertModel)) {
    throw new BenchmarkError(`--model: expected a BERT without a head, ${checkpoint} has a ${body.constructor.name}`, 2)
  }
  const model = join(folder, `start-${dropout}`)
  saveModel(model, classifierOf(body, dropout))
  const { texts, labels } = readTexts(file)
  const encodings = await (await loadTokenizer(checkpoint)).encodeBatch(texts)
  const ids = encodings.map((encoding) => cut(encoding.ids))
  const batches = new LengthBatches(
    ids.map(({ length }) => length),
    batchSize,
    { seed },
  )
  const epoch = Array.from({ length: batches.batchesPerEpoch }, (_, i): FinetuneBatch => {
    const rows = batches.batch(i)
    return { ids: rows.map((row) => ids[row]), labels: rows.map((row) => labels[row]) }
  })
  const path = join(folder, 'batches.json')
  writeFileSync(path, JSON.stringify(epoch))
  return { model, batches: path, tokens: epoch.map((batch) => batch.ids.reduce((sum, { length }) => sum + length, 0)) }
}

function classifierOf(body: BertModel, dropout: number): BertForSequenceClassification {
  const model = new BertForSequenceClassification({ ...body.config, dropout }, ['negative', 'positive'])
  const parameters = model.parameters()
  initialize(parameters, seed)
  for (const [path, { data }] of Object.entries(body.parameters())) parameters[`bert.${path}`].data = data
  return model
}

/** The first tokens of a text that is too long, with the one that ends it. */
function cut(ids: readonly number[]): readonly number[] {
  return ids.length <= maxLength ? ids : [...ids.slice(0, maxLength - 1), ids[ids.length - 1]]
}

function readTexts(file: string): { texts: string[]; labels: number[] } {
  if (!existsSync(file)) throw new BenchmarkError(`--texts: there is no file ${file}`, 2)
  const lines = readFileSync(file, 'utf8').split('\n')
  const rows = lines.filter((line) => line !== '').map((line) => line.split('\t'))
  const strange = rows.findIndex(([, label]) => label !== '0' && label !== '1')
  if (rows.length === 0 || strange >= 0) {
    throw new BenchmarkError(`--texts: ${file}:${strange + 1}: expected a text, a tab and 0 or 1`, 2)
  }
  return { texts: rows.map(([text]) => text), labels: rows.map(([, label]) => Number(label)) }
}
