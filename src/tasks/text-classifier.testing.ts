import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { saveModel } from '../hub/checkpoint.js'
import type { BertConfig, TokenSequence } from '../models/index.js'
import { initialize, type Module } from '../nn/index.js'
import { createTokenizer } from '../tokenizers/node.js'
import { saveTokenizer } from '../tokenizers/save.js'
import { wordPieceJson } from '../tokenizers/tokenizer-json.js'

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]']
const vocabulary = [...special, 'the', 'room', 'was', 'clean', 'dirty', 'small', '.', '好', '坏', '😀']

/** A tiny BERT whose weights are large enough that it has opinions. */
export const tinyEncoder: BertConfig = {
  vocabularySize: vocabulary.length,
  contextLength: 12,
  layers: 2,
  heads: 2,
  width: 8,
  deviation: 0.5,
}

/**
 * Saves an encoder with random weights and a tokenizer that knows a dozen words.
 *
 * @param settings what `data.json` says of how the training data was read
 */
export function saveEncoder<M extends Module>(directory: string, model: M, settings?: object): M {
  initialize(model.parameters(), 3)
  saveModel(directory, model)
  const tokenizer = createTokenizer(wordPieceJson({ tokens: vocabulary, special, normalization: { lowercase: true } }))
  saveTokenizer(directory, tokenizer, tinyEncoder)
  if (settings !== undefined) writeFileSync(join(directory, 'data.json'), JSON.stringify(settings))
  return model
}

/** Words between spaces as a BERT reads them, [CLS] first … [SEP] second … [SEP]. */
export function sequenceOf(first: string, second?: string): TokenSequence {
  const id = (word: string) => Math.max(1, vocabulary.indexOf(word))
  const idsOf = (text: string) => text.split(' ').filter(Boolean).map(id)
  const [a, b] = [[2, ...idsOf(first), 3], second === undefined ? [] : [...idsOf(second), 3]]
  return { ids: [...a, ...b], segments: [...a.map(() => 0), ...b.map(() => 1)] }
}

/** Texts of many lengths, in no order of length; some are empty, and some words are unknown. */
export function texts(count: number): string[] {
  const words = [...vocabulary.slice(4), 'unheard']
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: (i * 7) % 11 }, (_, j) => words[(i * 5 + j * 3) % words.length]).join(' '),
  )
}
