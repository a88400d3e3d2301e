import { CheckpointError } from '../errors.js'
import type { Shape } from '../graph/index.js'
import { loadModel } from '../hub/checkpoint.js'
import { readTextFile } from '../hub/files.js'
import { GPT } from '../models/index.js'
import { type Device, ProgramCache } from '../runtime/index.js'
import { loadTokenizer } from '../tokenizers/node.js'
import { causalEvaluationBatches, causalLoss } from '../training/objectives/causal-lm.js'
import { evaluateLoss } from '../training/trainer.js'

/** How well a language model predicts a text. */
export interface LanguageModelReport {
  /** Windows that the text was cut into. */
  readonly examples: number
  /** Tokens that were predicted: all but the first. */
  readonly tokens: number
  readonly metrics: {
    /** Mean cross-entropy per token, in nats. */
    readonly loss: number
    /** e^loss. */
    readonly perplexity: number
  }
}

/**
 * Evaluates a GPT on a text: windows of the model's context that do not overlap, every token but the first scored once.
 *
 * @param path a checkpoint or a training run
 * @param file a text file
 * @throws CheckpointError, TokenizerError, DataError for what is missing, damaged or does not fit
 */
export async function evaluateCausalLm(path: string, file: string, device?: Device): Promise<LanguageModelReport> {
  const { model, directory } = loadModel(path)
  if (!(model instanceof GPT))
    throw new CheckpointError(`${path}: causal-lm needs a GPT, this is a ${model.constructor.name}`)
  const tokenizer = await loadTokenizer(directory)
  const text = await tokenizer.encodeToArray(readTextFile(file))
  let examples = 0
  const objective = {
    loss: (shape: Shape) => causalLoss(model, shape),
    *evaluationBatches() {
      for (const batch of causalEvaluationBatches(text, model.config.contextLength)) {
        examples += batch.examples
        yield batch
      }
    },
  }
  const programs: Parameters<typeof evaluateLoss>[1] = new ProgramCache(3)
  const { loss, predictions } = await evaluateLoss(objective, programs, device)
  programs.dispose()
  return { examples, tokens: predictions, metrics: { loss, perplexity: Math.exp(loss) } }
}
