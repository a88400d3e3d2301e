import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sourceForm } from 'heddle/data'
import { loadModel, saveModel } from 'heddle/hub'
import { type SequenceToSequenceModel, Transformer, transformerSmall } from 'heddle/models'
import { initialize } from 'heddle/nn'
import { compile, float32 } from 'heddle/runtime'
import { TextToText } from 'heddle/tasks'
import { createTokenizer, saveTokenizer, trainTokenizer } from 'heddle/tokenizers'
import { SequenceToSequence } from 'heddle/training'
import { BenchmarkError } from './side.js'

/** What all sides open and read. */
export interface TranslationModel {
  /** The folder that config.json is in. */
  readonly folder: string
  readonly model: SequenceToSequenceModel
  /** The texts as the model reads them, in lower case if it was trained so. */
  readonly texts: readonly string[]
  /** Their ids. */
  readonly sources: readonly (readonly number[])[]
}

/** Ids of the translation of each text. */
export type Translations = readonly (readonly number[])[]

const seed = 1337
const vocabularySize = 8000
const contextLength = 128

/** Two translations are equally good where the mean log probabilities of their tokens differ by no more than rounding. */
const tieTolerance = 1e-4

/**
 * Writes a Transformer of random weights in Marian's format, 3 + 3 layers of width 256 and 8000 tokens, with a tokenizer
 * that knows as many of these as the texts teach it.
 *
 * @returns the checkpoint's folder
 */
export async function writeRandomModel(texts: readonly string[], into: string): Promise<string> {
  const specialTokens = ['<pad>', '</s>', '<unk>']
  const tokenizer = createTokenizer(await trainTokenizer(texts, { type: 'unigram', vocabularySize, specialTokens }))
  const ends = { padTokenId: 0, eosTokenId: 1, decoderStartTokenId: 0 }
  const model = new Transformer({ ...transformerSmall(), ...ends, vocabularySize, contextLength })
  initialize(model.parameters(), seed)
  const folder = join(into, 'random-model')
  saveModel(folder, model)
  saveTokenizer(folder, tokenizer, { contextLength })
  return folder
}

/**
 * Opens a checkpoint that all sides can open.
 *
 * @throws BenchmarkError for another model than a Transformer in Marian's format with one vocabulary
 */
export async function openMarian(path: string, texts: readonly string[]): Promise<TranslationModel> {
  const { directory: folder } = loadModel(path)
  const { model_type: type } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  if (type !== 'marian') {
    throw new BenchmarkError(
      `--model: expected a Transformer in Marian's format, ${path} has the model_type ${type}`,
      2,
    )
  }
  const translator = await TextToText.load(folder)
  const { model, form } = translator
  if (translator.sourceTokenizer !== translator.tokenizer) {
    throw new BenchmarkError(`--model: expected one vocabulary for both sides, ${path} has two`, 2)
  }
  const sources = (await translator.encode(texts)).map(({ ids }) => ids)
  return { folder, model, texts: texts.map((text) => sourceForm(text, form)), sources }
}

/**
 * Compares what two searches found.
 *
 * @returns for how many texts they found something else that is not as likely: a search has rules of its own for its end
 */
export async function countDifferent(
  { model, sources }: TranslationModel,
  ours: Translations,
  theirs: Translations,
): Promise<number> {
  const others = [...sources.keys()].filter((i) => String(ours[i]) !== String(theirs[i]))
  if (others.length === 0) return 0
  const task = new SequenceToSequence(model)
  const { inputs, loss } = task.graph()
  const program = await compile({ inputs, outputs: { loss } })
  const likelihood = async (i: number, [...target]: readonly number[]) =>
    float32((await program.run(task.feeds([{ source: sources[i], target }]))).loss)[0]
  let different = 0
  for (const i of others) {
    const isSame = theirs[i]?.length > 0 && isTie(await likelihood(i, ours[i]), await likelihood(i, theirs[i]))
    if (!isSame) different++
  }
  await program.dispose()
  return different
}

function isTie(a: number, b: number): boolean {
  return Math.abs(a - b) <= tieTolerance
}
