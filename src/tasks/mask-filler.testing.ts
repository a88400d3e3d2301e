import { saveModel } from '../hub/checkpoint.js'
import { type BertConfig, BertForMaskedLM, BertForPreTraining, RobertaForMaskedLM } from '../models/index.js'
import { initialize, type Module } from '../nn/index.js'
import { createTokenizer } from '../tokenizers/node.js'
import { saveTokenizer } from '../tokenizers/save.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { wordPieceJson } from '../tokenizers/tokenizer-json.js'
import { trainTokenizer } from '../tokenizers/training/train.js'
import type { MaskedModel } from '../training/objectives/masked-lm.js'

/** A masked language model with random weights, and what it reads. */
export interface RandomMaskedModel {
  readonly model: MaskedModel & Module
  readonly tokenizer: Tokenizer
}

const sizes = { contextLength: 24, layers: 1, heads: 2, width: 8, deviation: 0.4 }

/** Saves a BERT with random weights, large enough that it has opinions, and a tokenizer of a few words and pieces. */
export function saveRandomBert(directory: string, isPretraining = false): RandomMaskedModel {
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
  const tokens = [...special, 'the', 'a', 'sea', 'ship', 'whale', '##s', '##ing', 'sang', 'far', '.', ',']
  const tokenizer = createTokenizer(wordPieceJson({ tokens, special, normalization: { lowercase: true } }))
  return save(directory, tokenizer, (config) =>
    isPretraining ? new BertForPreTraining(config) : new BertForMaskedLM(config),
  )
}

/** The same of a RoBERTa, whose tokens are bytes and tell where blanks are. */
export async function saveRandomRoberta(directory: string): Promise<RandomMaskedModel> {
  const specialTokens = ['<s>', '<pad>', '</s>', '<unk>', '<mask>']
  const texts = ['the sea sang and the ships sang far away, the whales sing']
  const tokenizer = createTokenizer(await trainTokenizer(texts, { type: 'bpe', vocabularySize: 275, specialTokens }))
  return save(directory, tokenizer, (config) => new RobertaForMaskedLM({ ...config, padTokenId: 1 }))
}

function save(
  directory: string,
  tokenizer: Tokenizer,
  make: (config: BertConfig) => MaskedModel & Module,
): RandomMaskedModel {
  const model = make({ ...sizes, vocabularySize: tokenizer.vocabularySize })
  initialize(model.parameters(), 11)
  saveModel(directory, model)
  saveTokenizer(directory, tokenizer, sizes)
  return { model, tokenizer }
}
