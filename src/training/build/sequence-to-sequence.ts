import type { ParallelText } from '../../data/parallel.js'
import { targetForm } from '../../data/text-form.js'
import { DataError } from '../../errors.js'
import type { BuildOptions, Ingredients } from '../build.js'
import { ExampleObjective } from '../objectives/examples.js'
import { SequenceToSequence } from '../objectives/sequence-to-sequence.js'
import type { Recipe } from '../recipe.js'
import { TranslationBleu } from '../translation-bleu.js'
import { type EncoderDecoder, startEncoderDecoder, type Tokenizers } from './encoder-decoder.js'
import { type EncodedPairs, encodeParallel, readPairs, textsOfPairs } from './parallel-texts.js'
import { makeEndedTokenizer } from './tokenizer.js'

/** ε of Vaswani et al. 2017, §5.4. */
const defaultLabelSmoothing = 0.1

/** Validation sentences that are translated at an evaluation. */
const defaultValidationExamples = 500

/** Sets up learning from parallel texts: translation, summarization. */
export async function buildSequenceToSequence(options: BuildOptions): Promise<Ingredients> {
  const { recipe, checkpoint, onWarning } = options
  const { data, train: settings } = recipe
  const texts = await readPairs(recipe, onWarning)
  const started = await startEncoderDecoder(recipe, checkpoint, () => makeTokenizers(recipe, texts.train))
  const { model, tokenizer, sourceTokenizer } = started
  const { contextLength, decoderStartTokenId: startTokenId } = model.config
  const maxLength = Math.min(data.maxLength ?? contextLength, contextLength)
  const encode = (some: readonly ParallelText[]) =>
    encodeParallel(some, { tokenizer, sourceTokenizer, form: data, maxLength, startTokenId, onWarning })
  const train = await encode(texts.train)
  const validation = await encode(texts.validation)
  const task = new SequenceToSequence(model, { labelSmoothing: settings.labelSmoothing ?? defaultLabelSmoothing })
  const objective = new ExampleObjective(task, {
    ...settings,
    train: train.pairs,
    validation: validation.pairs,
    measure: bleuOf(validation, started, data),
  })
  const count = train.pairs.reduce((sum, { target }) => sum + target.length, 0)
  return { model, tokenizer, sourceTokenizer, objective, size: { count, unit: 'tokens' } }
}

/** Translates the first pairs; nothing where there are none. */
function bleuOf(
  { pairs, texts }: EncodedPairs,
  { model, tokenizer }: EncoderDecoder,
  data: Recipe['data'],
): TranslationBleu | undefined {
  const count = Math.min(pairs.length, data.validationExamples ?? defaultValidationExamples)
  if (count === 0) return undefined
  const sources = pairs.slice(0, count).map(({ source }) => ({ ids: source }))
  const references = texts.slice(0, count).map(({ target }) => targetForm(target, data))
  return new TranslationBleu({ model, tokenizer, sources, references })
}

/** One tokenizer for both sides, or one each. @throws DataError where there is nothing to train on */
async function makeTokenizers(
  { tokenizer: options, data }: Recipe,
  pairs: readonly ParallelText[],
): Promise<Tokenizers> {
  if (pairs.length === 0) throw new DataError(`${[data.train].flat().join(', ')}: no pairs are left to train on`)
  const make = (...sides: ('source' | 'target')[]) =>
    makeEndedTokenizer(options, () => textsOfPairs(pairs, data, sides))
  const isSeparate = options !== undefined && 'separate' in options && options.separate
  if (!isSeparate) return { tokenizer: await make('source', 'target') }
  return { tokenizer: await make('target'), sourceTokenizer: await make('source') }
}
