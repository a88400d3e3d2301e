import { type Question, readQuestions } from '../data/squad.js'
import { UsageError } from '../errors.js'
import { type DataSettings, readDataSettings } from '../hub/data-settings.js'
import { resolveCheckpoint } from '../hub/run-directory.js'
import type { Device } from '../runtime/index.js'
import { checkAnswered, splitArticles } from '../training/build/answering.js'
import { collect } from '../training/build/collect.js'
import { type AnswerScoring, scoreAnswers } from '../training/objectives/answering-scores.js'
import { QuestionAnswering } from './question-answering.js'

/** How well answers agree with the expected ones. */
export interface AnsweringReport {
  readonly examples: number
  /** Whose evaluation it is. */
  readonly scoring: AnswerScoring
  readonly metrics: Readonly<Record<string, number>>
}

/** How {@link evaluateAnswering} works. */
export interface EvaluateAnsweringOptions {
  readonly device?: Device
  /** Only the articles behind those that the model was trained on, where `data.trainArticles` parted them. */
  readonly heldOut?: boolean
  /** Most tokens of an answer (default 30). */
  readonly maxAnswerLength?: number
}

/**
 * Evaluates a model on questions with answers: exact match and F1 as SQuAD 1.1 computes them, as SQuAD 2.0 where some
 * questions have no answer, and as CMRC 2018 where the texts are Chinese.
 *
 * @param path a checkpoint or a training run
 * @param file see `readQuestions`; columns are those of the training
 * @throws CheckpointError, TokenizerError, DataError for what is missing, damaged or does not fit; UsageError where no
 * articles were held out
 */
export async function evaluateAnswering(
  path: string,
  file: string,
  { device, heldOut = false, maxAnswerLength }: EvaluateAnsweringOptions = {},
): Promise<AnsweringReport> {
  const settings = readDataSettings(resolveCheckpoint(path))
  const all = await collect(readQuestions(file, settings), file)
  const questions = heldOut ? heldOutOf(all, path, settings) : all
  for (const question of questions) checkAnswered(question)
  const answering = await QuestionAnswering.load(path, { device })
  const results = await answering.answerBatch(questions, { maxAnswerLength })
  await answering.dispose()
  const judged = results.map(({ answer: found, score, noAnswerScore }, i) => {
    return { ...questions[i], found, score, noAnswerScore }
  })
  return { examples: questions.length, ...scoreAnswers(judged) }
}

function heldOutOf(questions: readonly Question[], path: string, { trainArticles }: DataSettings): Question[] {
  if (trainArticles !== undefined) return splitArticles(questions, trainArticles).rest
  throw new UsageError(`${path}: the training held no articles out; name data.trainArticles in its recipe`)
}
