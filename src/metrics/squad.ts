import { DataError } from '../errors.js'
import {
  type AnsweredQuestion,
  type AnswerMetrics,
  type AnswerScore,
  bestScore,
  exactMatch,
  meanScore,
  normalizeAnswer,
  wordF1,
} from './answers.js'
import { ratio } from './counts.js'

/** A question of SQuAD 2.0, which may have no answer. */
export interface Squad2Question extends AnsweredQuestion {
  /** How likely the model found it that there is no answer; any scale will do if the threshold has the same. */
  readonly noAnswerProbability?: number
}

/** {@link AnswerMetrics} of all questions, of those with an answer and of those without; the parts only where there are some. */
export interface Squad2Metrics extends AnswerMetrics {
  readonly hasAnswerExactMatch?: number
  readonly hasAnswerF1?: number
  readonly hasAnswerTotal?: number
  readonly noAnswerExactMatch?: number
  readonly noAnswerF1?: number
  readonly noAnswerTotal?: number
}

/**
 * Exact match and F1 of SQuAD 1.1 (Rajpurkar et al. 2016, §6.1), equal to its published script over 100.
 *
 * @throws DataError for a question without an answer
 */
export function squadMetrics(questions: readonly AnsweredQuestion[]): AnswerMetrics {
  return meanScore(questions.map(squadScore))
}

function squadScore({ predicted, answers }: AnsweredQuestion, index: number): AnswerScore {
  if (answers.length === 0)
    throw new DataError(
      `SQuAD 1.1: expected an answer to every question, got none to question ${index}; use SQuAD 2.0's metrics`,
    )
  // Version 1.1 gives two texts that are empty once normalized an F1 of 0, although they match exactly.
  const score = (answer: string) => (normalizeAnswer(answer) === '' ? 0 : wordF1(predicted, answer))
  return bestScore(answers, (answer) => ({ exactMatch: exactMatch(predicted, answer), f1: score(answer) }))
}

/**
 * Exact match and F1 of SQuAD 2.0 (Rajpurkar et al. 2018), equal to its published script over 100: a question without
 * an answer is right where nothing was predicted.
 *
 * @param options.noAnswerThreshold a question counts as predicted to have no answer where its `noAnswerProbability` is
 * above this (default 1, never)
 */
export function squad2Metrics(
  questions: readonly Squad2Question[],
  options: { noAnswerThreshold?: number } = {},
): Squad2Metrics {
  const { noAnswerThreshold = 1 } = options
  const all: AnswerScore[] = []
  const withAnswer: AnswerScore[] = []
  const withoutAnswer: AnswerScore[] = []
  for (const question of questions) {
    const answerable = question.answers.length > 0
    const refused = (question.noAnswerProbability ?? 0) > noAnswerThreshold
    const right = answerable ? 0 : 1
    const score = refused ? { exactMatch: right, f1: right } : squad2Score(question)
    all.push(score)
    if (answerable) withAnswer.push(score)
    else withoutAnswer.push(score)
  }
  return {
    ...meanScore(all),
    ...(withAnswer.length > 0 && partOf('hasAnswer', withAnswer)),
    ...(withoutAnswer.length > 0 && partOf('noAnswer', withoutAnswer)),
  }
}

function partOf(name: 'hasAnswer' | 'noAnswer', scores: readonly AnswerScore[]): Partial<Squad2Metrics> {
  const { exactMatch, f1 } = meanScore(scores)
  return { [`${name}ExactMatch`]: exactMatch, [`${name}F1`]: f1, [`${name}Total`]: scores.length }
}

function squad2Score({ predicted, answers }: Squad2Question): AnswerScore {
  const valid = answers.filter((answer) => normalizeAnswer(answer) !== '')
  return bestScore(valid.length > 0 ? valid : [''], (answer) => ({
    exactMatch: exactMatch(predicted, answer),
    f1: wordF1(predicted, answer),
  }))
}

/**
 * The threshold of `noAnswerProbability` that would have given the best score on these questions, equal to what SQuAD
 * 2.0's script prints as `best_exact` and `best_f1`.
 *
 * @param metric which score is to be best
 * @returns the threshold, to be used as {@link squad2Metrics}' `noAnswerThreshold`, and the score between 0 and 1
 */
export function bestNoAnswerThreshold(
  questions: readonly Squad2Question[],
  metric: 'exactMatch' | 'f1',
): { threshold: number; score: number } {
  const likely = ({ noAnswerProbability = 0 }: Squad2Question) => noAnswerProbability
  // Below the lowest probability nothing is answered: right are the questions without an answer. Raising the threshold
  // past a question puts its own prediction in force.
  let score = questions.filter(({ answers }) => answers.length === 0).length
  let best = { threshold: 0, score }
  for (const question of questions.toSorted((a, b) => likely(a) - likely(b))) {
    if (question.answers.length > 0) score += squad2Score(question)[metric]
    else if (question.predicted !== '') score--
    if (score > best.score) best = { threshold: likely(question), score }
  }
  return { threshold: best.threshold, score: ratio(best.score, questions.length) }
}
