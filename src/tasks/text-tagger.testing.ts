import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { saveModel } from '../hub/checkpoint.js'
import { BertForTokenClassification } from '../models/index.js'
import { createTokenizer } from '../tokenizers/node.js'
import { saveTokenizer } from '../tokenizers/save.js'
import { wordPieceJson } from '../tokenizers/tokenizer-json.js'

/** The labels of {@link saveLookupTagger}. */
export const lookupLabels = ['O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC']

/** What each token of the vocabulary is tagged as; those that stand within words are to be looked past. */
const vocabulary: Record<string, string> = {
  '[PAD]': 'O',
  '[UNK]': 'O',
  '[CLS]': 'B-LOC',
  '[SEP]': 'I-LOC',
  ada: 'B-PER',
  love: 'I-PER',
  '##lace': 'B-LOC',
  san: 'B-LOC',
  francisco: 'I-LOC',
  lives: 'O',
  in: 'O',
  '.': 'O',
  '##s': 'I-PER',
  我: 'O',
  在: 'O',
  北: 'B-LOC',
  京: 'I-LOC',
  市: 'I-LOC',
  '😀': 'O',
}

const width = 8

/** The probability of a word's own label: of softmax(x), x the normalized vector with a one at one of `width` places. */
export function lookupScore(): number {
  const deviation = Math.sqrt((1 / width) * (1 - 1 / width))
  const [high, low] = [(1 - 1 / width) / deviation, -1 / width / deviation]
  return Math.exp(high) / (Math.exp(high) + (lookupLabels.length - 1) * Math.exp(low))
}

/**
 * Saves a BERT that tags a word by its first token alone, as a table says: attention and feed-forward give nothing, and
 * what is left is the embedding of the token, a one at its label's place.
 *
 * @param settings what `data.json` says of how the training data was read
 */
export function saveLookupTagger(directory: string, settings?: object): void {
  const tokens = Object.keys(vocabulary)
  const special = tokens.slice(0, 4)
  const tokenizer = createTokenizer(wordPieceJson({ tokens, special, normalization: { lowercase: true } }))
  const config = { vocabularySize: tokens.length, contextLength: 16, layers: 1, heads: 2, width, dropout: 0 }
  const model = new BertForTokenClassification(config, lookupLabels)
  for (const [path, parameter] of Object.entries(model.parameters())) {
    parameter.data = new Float32Array(parameter.size).fill(path.endsWith('LayerNorm.weight') ? 1 : 0)
  }
  const { weight } = model.bert.embeddings.word_embeddings
  for (const [token, label] of Object.values(vocabulary).entries()) {
    weight.data![token * width + lookupLabels.indexOf(label)] = 1
  }
  for (const label of lookupLabels.keys()) model.classifier.weight.data![label * width + label] = 1
  saveModel(directory, model)
  saveTokenizer(directory, tokenizer, config)
  if (settings !== undefined) writeFileSync(join(directory, 'data.json'), JSON.stringify(settings))
}
