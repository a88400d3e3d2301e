import { validationShare } from '../../data/hold-out.js'
import { loadSentences, sentenceDocuments } from '../../data/sentence-corpus.js'
import { SentencePairs } from '../../data/sentence-pairs.js'
import type { SentenceStore } from '../../data/sentence-store.js'
import { SentenceWindows, type TextSequences } from '../../data/sentence-windows.js'
import { ConfigError } from '../../errors.js'
import type { Module } from '../../nn/index.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { BuildOptions, Ingredients } from '../build.js'
import { MaskedLanguageModelling, type MaskedModel } from '../objectives/masked-lm.js'
import type { MaskingOptions, Recipe } from '../recipe.js'
import { makeEncoder, openCheckpoint, startingPoint } from './model.js'
import { makeTokenizer } from './tokenizer.js'

/** Sets up BERT's pretraining on texts. */
export async function buildMaskedLm({ recipe, checkpoint, onTokenize }: BuildOptions): Promise<Ingredients> {
  const { data, train, masking = defaultMasking } = recipe
  const { model, tokenizer } = await maskedModel(recipe, checkpoint, masking)
  const { wholeWords, nextSentence } = masking
  const documentsNeeded = nextSentence ? 2 : 1
  const corpus = await loadSentences(data, { tokenizer, wholeWords, documentsNeeded }, { onProgress: onTokenize })
  const sequences = (store: SentenceStore) =>
    textSequences(store, {
      tokenizer,
      nextSentence,
      maxLength: Math.min(data.maxLength ?? model.config.contextLength, model.config.contextLength),
      packing: data.packing,
      seed: train.seed,
    })
  const objective = new MaskedLanguageModelling({
    model,
    tokenizer,
    masking,
    train: sequences(corpus.train),
    validation: sequences(corpus.validation),
    batchSize: train.batchSize,
    seed: train.seed,
  })
  return { model, tokenizer, objective, size: { count: corpus.train.length, unit: 'tokens' } }
}

const defaultMasking: MaskingOptions = { share: 0.15, wholeWords: false, nextSentence: false }

async function maskedModel(
  recipe: Recipe,
  checkpoint: string | undefined,
  { nextSentence }: MaskingOptions,
): Promise<{ model: MaskedModel & Module; tokenizer: Tokenizer }> {
  const from = startingPoint(recipe, checkpoint)
  const { model: source, tokenizer } =
    from === undefined ? { model: undefined, tokenizer: await newTokenizer(recipe) } : await openCheckpoint(from)
  checkSpecialTokens(tokenizer)
  const model = makeEncoder<MaskedModel & Module>(source ?? tokenizer.vocabularySize, recipe, (family, config) => {
    if (!nextSentence) return family.maskedLm(config)
    if (family.pretraining !== undefined) return family.pretraining(config)
    throw new ConfigError(
      `masking.nextSentence: ${family.name} does not learn it, only bert does; leave it out or set model.type=bert`,
    )
  })
  return { model, tokenizer }
}

function newTokenizer({ tokenizer, data }: Recipe): Promise<Tokenizer> {
  const heldBack = data.validation === undefined ? validationShare : 0
  return makeTokenizer(tokenizer, () => sentenceDocuments(data), heldBack)
}

function checkSpecialTokens({ specialTokens: { mask, sep } }: Tokenizer): void {
  if (mask !== undefined && sep !== undefined) return
  const missing = [mask ?? '[MASK]', sep ?? '[SEP]'].filter((token) => typeof token === 'string').join(' and no ')
  throw new ConfigError(
    `tokenizer: masked-lm needs special tokens, this tokenizer has no ${missing}; train one with tokenizer.type=wordpiece, or name a BERT's with tokenizer.from`,
  )
}

/** How documents become the sequences that a model reads. */
export interface TextSequenceOptions {
  readonly tokenizer: Tokenizer
  /** Most tokens of a sequence. */
  readonly maxLength: number
  /** Whether sequences are pairs. */
  readonly nextSentence: boolean
  readonly packing?: boolean | undefined
  readonly seed: number
}

/** @throws ConfigError where sequences have no room for text */
export function textSequences(
  store: SentenceStore,
  { tokenizer, maxLength, nextSentence, packing, seed }: TextSequenceOptions,
): TextSequences {
  const added = tokenizer.template.addedTokens(nextSentence)
  const length = maxLength - added
  if (length >= 2) {
    return nextSentence ? new SentencePairs(store, { length, seed }) : new SentenceWindows(store, { length, packing })
  }
  throw new ConfigError(
    `model.contextLength: expected ${added + 2} or more (${added} special tokens and two others), got ${maxLength}`,
  )
}
