import { sortedBatches } from '../data/length-batches.js'
import { CheckpointError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { checkTokenizer } from '../hub/check-tokenizer.js'
import { loadModel } from '../hub/checkpoint.js'
import { readDataSettings } from '../hub/data-settings.js'
import { encoderFeeds } from '../models/encoder.js'
import { encoderFamilyOf } from '../models/encoder-families.js'
import type { QuestionAnswerer } from '../models/index.js'
import type { Module } from '../nn/index.js'
import { compile, type Device, float32, type Program } from '../runtime/index.js'
import { loadTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import type { WindowsOptions } from '../tokenizers/truncation.js'
import { answerGraph } from '../training/objectives/answering.js'
import { AnswerSearch, type AnswerSearchOptions } from '../training/objectives/answering-search.js'
import {
  type AskedQuestion,
  encodeQuestions,
  type QuestionWindow,
  windowSizes,
} from '../training/objectives/answering-windows.js'
import { parameterMode } from './text-batches.js'

export type { AskedQuestion }

/** An answer that was found in a text. */
export interface FoundAnswer {
  /** The part of the context that answers the question; empty for "there is no answer". */
  readonly answer: string
  /** Its probability among all answers that the context offers, "there is none" included. */
  readonly score: number
  /** Where it begins and ends in the context, [start, end) in UTF-16 code units. */
  readonly start: number
  readonly end: number
}

/** The answer to a question, with the others that come into question. */
export interface AnswerResult extends FoundAnswer {
  /** The probability that the context has no answer, as a model has learnt it from questions that have none. */
  readonly noAnswerScore: number
  /** The `topK` likeliest answers in the context, the likeliest first. */
  readonly alternatives: readonly FoundAnswer[]
}

/** How answers are looked for. */
export interface AnswerOptions extends AnswerSearchOptions {
  /** The answer is "there is none" where that is likelier than this (default 1: never). */
  readonly noAnswerThreshold?: number
}

/** Windows that are read at once. */
const batchSize = 16

/** Finds the answers to questions in texts (Devlin et al. 2018, §4.2). */
export class QuestionAnswering {
  readonly model: QuestionAnswerer
  readonly #tokenizer: Tokenizer
  readonly #sizes: WindowsOptions
  readonly #program: Program<{ start: Tensor; end: Tensor }>

  private constructor(
    { model, tokenizer, sizes }: { model: QuestionAnswerer; tokenizer: Tokenizer; sizes: WindowsOptions },
    program: Program<{ start: Tensor; end: Tensor }>,
  ) {
    this.model = model
    this.#tokenizer = tokenizer
    this.#sizes = sizes
    this.#program = program
  }

  /**
   * Opens a checkpoint directory or a training run. Texts are cut into windows of the sizes that it was trained with.
   *
   * @throws CheckpointError where it is missing, damaged or has no head for answers; TokenizerError where it has no
   * tokenizer
   */
  static async load(path: string, options: { device?: Device } = {}): Promise<QuestionAnswering> {
    const { model, directory } = loadModel(path)
    if (!isQuestionAnswerer(model)) {
      throw new CheckpointError(
        `${path}: answering needs a model with a head for it, such as BertForQuestionAnswering, this is a ${model.constructor.name}`,
      )
    }
    const tokenizer = await loadTokenizer(directory)
    checkTokenizer(tokenizer, model, directory)
    const sizes = windowSizes(readDataSettings(directory), model.config)
    const { inputs, start, end } = answerGraph(model)
    const program = await compile({ inputs, outputs: { start, end }, parameters: parameterMode(model), ...options })
    return new QuestionAnswering({ model, tokenizer, sizes }, program)
  }

  /** The answer to a question in a text of any length, which is read in windows that overlap. */
  async answer(question: AskedQuestion, options: AnswerOptions = {}): Promise<AnswerResult> {
    const [result] = await this.answerBatch([question], options)
    return result
  }

  /** The answers to many questions, in order, read in batches of similar length. */
  async answerBatch(questions: readonly AskedQuestion[], options: AnswerOptions = {}): Promise<AnswerResult[]> {
    const asked = questions.map(({ question, context }) => ({ question, context }))
    const searches = new Map(asked.map((question) => [question, new AnswerSearch(question.context, options)]))
    const windows = await encodeQuestions(asked, this.#tokenizer, this.#sizes)
    const lengths = windows.map(({ ids }) => ids.length)
    for (const rows of sortedBatches(lengths, batchSize)) {
      await this.#read(
        rows.map((row) => windows[row]),
        ({ question }) => searches.get(question),
      )
    }
    return Array.from(searches, ([{ context }, search]) => toResult(context, search, options))
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#program.dispose()
  }

  async #read(windows: readonly QuestionWindow[], searchOf: (window: QuestionWindow) => AnswerSearch | undefined) {
    const { start, end } = await this.#program.run(encoderFeeds(windows))
    const length = start.shape[1]
    const [starts, ends] = [float32(start), float32(end)]
    for (const [i, window] of windows.entries()) {
      const [from, to] = [i * length, (i + 1) * length]
      searchOf(window)?.add(window, starts.subarray(from, to), ends.subarray(from, to))
    }
  }
}

const none: FoundAnswer = { answer: '', score: 0, start: 0, end: 0 }

function toResult(
  context: string,
  { answers, noAnswerScore }: AnswerSearch,
  { noAnswerThreshold = 1 }: AnswerOptions,
): AnswerResult {
  const alternatives = answers.map(({ start, end, score }) => ({
    answer: context.slice(start, end),
    score,
    start,
    end,
  }))
  const refused = noAnswerScore > noAnswerThreshold || alternatives.length === 0
  const best = refused ? { ...none, score: noAnswerScore } : alternatives[0]
  return { ...best, noAnswerScore, alternatives }
}

function isQuestionAnswerer(model: Module): model is Module & QuestionAnswerer {
  return encoderFamilyOf(model) !== undefined && 'qa_outputs' in model
}
