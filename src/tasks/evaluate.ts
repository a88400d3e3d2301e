import { type Conversation, readConversations } from '../data/conversations.js'
import { loadText } from '../data/corpus.js'
import { CheckpointError, DataError } from '../errors.js'
import type { Shape } from '../graph/index.js'
import { checkTokenizer } from '../hub/check-tokenizer.js'
import { loadModel } from '../hub/checkpoint.js'
import { resolveCheckpoint } from '../hub/run-directory.js'
import { type AnswerMetrics, exactMatch, wordF1 } from '../metrics/answers.js'
import { perplexity } from '../metrics/perplexity.js'
import { isCausalLanguageModel } from '../models/index.js'
import { type Device, ProgramCache } from '../runtime/index.js'
import { ChatTemplate, defaultChatTemplate } from '../tokenizers/chat-template.js'
import { readChatTemplate } from '../tokenizers/chat-template-file.js'
import { loadTokenizer } from '../tokenizers/node.js'
import { causalEvaluationBatches, causalLoss } from '../training/objectives/causal-lm.js'
import { evaluateObjective } from '../training/trainer.js'
import { TextGenerator } from './text-generator.js'

/** How well a model's results agree with the data's. */
export interface TaskReport<M> {
  readonly examples: number
  readonly metrics: M
}

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
 * Evaluates a language model on a text: windows of the model's context that do not overlap, every token but the first scored once.
 *
 * @param path a checkpoint or a training run
 * @param file a text of any length, or records with a text each; see `loadText`
 * @throws CheckpointError, TokenizerError, DataError for what is missing, damaged or does not fit
 */
export async function evaluateCausalLm(path: string, file: string, device?: Device): Promise<LanguageModelReport> {
  const { model, directory } = loadModel(path)
  if (!isCausalLanguageModel(model)) {
    throw new CheckpointError(
      `${path}: causal-lm needs a language model such as GPT or Llama, this is a ${model.constructor.name}`,
    )
  }
  const tokenizer = await loadTokenizer(directory)
  checkTokenizer(tokenizer, model, directory)
  const text = await loadText(file, tokenizer)
  if (text.length < 2) throw new DataError(`${file}: expected at least 2 tokens to predict, got ${text.length}`)
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
  const programs: Parameters<typeof evaluateObjective>[1] = new ProgramCache(3)
  const { loss, predictions } = await evaluateObjective(objective, programs, device)
  programs.dispose()
  text.close()
  return { examples, tokens: predictions, metrics: { loss, perplexity: perplexity(loss) } }
}

/** Prompts that are answered at once. */
const answersAtOnce = 16

/**
 * Evaluates a language model by what it writes: prompted translation, question answering. Each prompt is continued greedily up to the
 * end-of-sequence token (or a line's end, where the tokenizer has none) and compared with the completion.
 *
 * @param file prompts with completions, or conversations whose last answer is expected
 * @throws CheckpointError, TokenizerError, DataError for what is missing, damaged or does not fit
 */
export async function evaluateGeneration(
  path: string,
  file: string,
  options: { device?: Device; maxNewTokens?: number } = {},
): Promise<TaskReport<AnswerMetrics>> {
  const writer = await TextGenerator.load(path, options)
  const tokenizer = writer.tokenizer!
  const eos = tokenizer.eosTokenId === undefined ? undefined : tokenizer.idToToken(tokenizer.eosTokenId)
  const source = readChatTemplate(resolveCheckpoint(path)) ?? defaultChatTemplate
  const template = new ChatTemplate(source, eos ?? '')
  const cases: { prompt: string; expected: string }[] = []
  for await (const conversation of readConversations(file)) cases.push(questionOf(conversation, template))
  const { maxNewTokens = 100 } = options
  const settings = { maxNewTokens, stop: eos === undefined ? ['\n'] : [] }
  const sums = { exactMatch: 0, f1: 0 }
  for (let i = 0; i < cases.length; i += answersAtOnce) {
    const batch = cases.slice(i, i + answersAtOnce)
    const answers = await writer.completeBatch(
      batch.map(({ prompt }) => prompt),
      settings,
    )
    for (const [row, { text = '' }] of answers.entries()) {
      sums.exactMatch += exactMatch(text, batch[row].expected)
      sums.f1 += wordF1(text, batch[row].expected)
    }
  }
  await writer.dispose()
  const examples = cases.length
  return { examples, metrics: { exactMatch: sums.exactMatch / examples, f1: sums.f1 / examples } }
}

function questionOf(conversation: Conversation, template: ChatTemplate): { prompt: string; expected: string } {
  if ('prompt' in conversation) return { prompt: conversation.prompt, expected: conversation.completion }
  const last = conversation.messages.findLastIndex(({ role }) => role === 'assistant')
  const prompt = template.render(conversation.messages.slice(0, last), true)
  return { prompt, expected: conversation.messages[last].content }
}
