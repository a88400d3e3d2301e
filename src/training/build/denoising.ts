import { validationShare } from '../../data/hold-out.js'
import { loadSentences, sentenceDocuments } from '../../data/sentence-corpus.js'
import { SentenceWindows } from '../../data/sentence-windows.js'
import { ConfigError } from '../../errors.js'
import { endedIds } from '../../tokenizers/ended.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { BuildOptions, Ingredients } from '../build.js'
import { type Corruption, SpanCorruption, sentinelTokens, TextInfilling } from '../objectives/corruption.js'
import { Denoising } from '../objectives/denoising.js'
import type { DenoisingOptions, Recipe } from '../recipe.js'
import { startEncoderDecoder } from './encoder-decoder.js'
import { makeEndedTokenizer } from './tokenizer.js'

/** Sets up an encoder–decoder's pretraining on texts. */
export async function buildDenoising({ recipe, checkpoint, onTokenize }: BuildOptions): Promise<Ingredients> {
  const { data, train, denoising = defaultDenoising } = recipe
  const { model, tokenizer } = await startEncoderDecoder(recipe, checkpoint, async () => ({
    tokenizer: await newTokenizer(recipe, denoising),
  }))
  const corruption = corruptionOf(denoising, tokenizer)
  const corpus = await loadSentences(data, { tokenizer, wholeWords: false }, { onProgress: onTokenize })
  const { contextLength } = model.config
  const length = windowLength(corruption, tokenizer, Math.min(data.maxLength ?? contextLength, contextLength))
  // BART's texts are documents, T5's are whatever follows each other.
  const { packing = denoising.type !== 'bart' } = data
  const objective = new Denoising({
    model,
    tokenizer,
    corruption,
    train: new SentenceWindows(corpus.train, { length, packing }),
    validation: new SentenceWindows(corpus.validation, { length, packing }),
    batchSize: train.batchSize,
    labelSmoothing: train.labelSmoothing,
    seed: train.seed,
  })
  return { model, tokenizer, objective, size: { count: corpus.train.length, unit: 'tokens' } }
}

const defaultDenoising: DenoisingOptions = { type: 'span-corruption', meanSpan: 3 }

/** The shares of Raffel et al. 2020, §3.3.4, and Lewis et al. 2020, §5.1. */
const defaultShares = { 'span-corruption': 0.15, bart: 0.3 }

function corruptionOf(options: DenoisingOptions, tokenizer: Tokenizer): Corruption {
  const { type, share = defaultShares[type], meanSpan, permuteSentences = true } = options
  return type === 'bart'
    ? new TextInfilling(tokenizer, { share, meanSpan, permuteSentences })
    : new SpanCorruption(tokenizer, { share, meanSpan })
}

function newTokenizer({ tokenizer, data }: Recipe, { type }: DenoisingOptions): Promise<Tokenizer> {
  const heldBack = data.validation === undefined ? validationShare : 0
  const mask = tokenizer !== undefined && 'type' in tokenizer && tokenizer.type === 'wordpiece' ? [] : ['<mask>']
  return makeEndedTokenizer(tokenizer, () => sentenceDocuments(data), {
    heldBack,
    more: type === 'bart' ? mask : sentinelTokens,
  })
}

/**
 * The longest text whose source and target fit into a model.
 *
 * @throws ConfigError where there is no room for text
 */
function windowLength(corruption: Corruption, tokenizer: Tokenizer, maxLength: number): number {
  const room = maxLength - endedIds(tokenizer, []).length
  let length = Math.max(0, 2 * room)
  while (length > 0 && corruption.longest(length) > room) length--
  if (length >= 2) return length
  throw new ConfigError(`model.contextLength: expected more tokens to have room for text, got ${maxLength}`)
}
