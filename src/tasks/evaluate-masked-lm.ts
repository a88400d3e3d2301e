import { loadSentenceFiles } from '../data/sentence-corpus.js'
import { DataError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { readDataSettings } from '../hub/data-settings.js'
import { BertForPreTraining } from '../models/index.js'
import { type Device, ProgramCache } from '../runtime/index.js'
import { textSequences } from '../training/build/masked-lm.js'
import { MaskedLanguageModelling } from '../training/objectives/masked-lm.js'
import { evaluateObjective } from '../training/trainer.js'
import type { TaskReport } from './evaluate.js'
import { loadMaskedModel } from './mask-filler.js'

/** How well hidden tokens are guessed. */
export interface MaskedLanguageModelMetrics {
  /** Mean cross-entropy per hidden token, in nats. */
  readonly loss: number
  /** e^loss. */
  readonly perplexity: number
  /** The share of hidden tokens that are the likeliest ones to the model. */
  readonly accuracy: number
  /** The loss of the best guesses without context: by how often each token is hidden in this very data. */
  readonly unigramLoss: number
  /** The accuracy of always guessing the token that is hidden most often. */
  readonly unigramAccuracy: number
  /** Of a model that judges pairs, where the data has documents to make pairs of. */
  readonly nextSentenceLoss?: number
  readonly nextSentenceAccuracy?: number
}

/** How a masked language model is evaluated. */
export interface EvaluateMaskedLmOptions {
  readonly device?: Device | undefined
  /** What is hidden depends on it (default 0). */
  readonly seed?: number
  /** The share of tokens that are hidden (default 0.15). */
  readonly share?: number
}

/**
 * Evaluates a masked language model: each sequence of a text is read once, with hidden tokens that the seed decides. A
 * model that judges pairs reads pairs, where there are two documents or more; others read whole sentences packed.
 *
 * @param path a checkpoint or a training run
 * @param file texts, as for training; read as the training data was
 * @throws CheckpointError, TokenizerError, DataError for what is missing, damaged or does not fit
 */
export async function evaluateMaskedLm(
  path: string,
  file: string,
  { device, seed = 0, share = 0.15 }: EvaluateMaskedLmOptions = {},
): Promise<TaskReport<MaskedLanguageModelMetrics>> {
  const { model, tokenizer, directory } = await loadMaskedModel(path)
  const { contextLength } = model.config
  const { maxLength = contextLength, packing, columns, header, quotes } = readDataSettings(directory)
  const store = await loadSentenceFiles(file, { tokenizer, wholeWords: false, columns, header, quotes })
  const nextSentence = model instanceof BertForPreTraining && store.documents > 1
  const limit = Math.min(maxLength, contextLength)
  const sequences = textSequences(store, { tokenizer, nextSentence, packing, maxLength: limit, seed })
  if (sequences.count === 0) throw new DataError(`${file}: there is too little text; expected two sentences or more`)
  const masking = { share, wholeWords: false }
  const options = { model, tokenizer, masking, batchSize: evaluationBatch, seed }
  const objective = new MaskedLanguageModelling({ ...options, train: sequences, validation: sequences })
  const programs = new ProgramCache<Record<string, Tensor>>(1)
  const { metrics = {} } = await evaluateObjective(objective, programs, device)
  programs.dispose()
  const { maskedLoss: loss, maskedAccuracy: accuracy, perplexity, unigramLoss, unigramAccuracy, ...pairs } = metrics
  return {
    examples: sequences.count,
    metrics: { loss, perplexity, accuracy, unigramLoss, unigramAccuracy, ...pairs },
  }
}

/** Sequences of a batch. */
const evaluationBatch = 16
