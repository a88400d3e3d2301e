import { bestNoAnswerThreshold, cmrcMetrics, squad2Metrics, squadMetrics } from '../../metrics/index.js'

/** How answers are judged: by whose evaluation. */
export type AnswerScoring = 'squad-1.1' | 'squad-2.0' | 'cmrc-2018'

/** A question with what was found. */
export interface JudgedQuestion {
  readonly context: string
  /** The answers that count as right; none where there is none. */
  readonly answers: readonly { readonly text: string }[]
  readonly isImpossible: boolean
  /** The best answer that was found, whether or not that there is none is likelier. */
  readonly found: string
  /** Its probability. */
  readonly score: number
  /** The probability that there is no answer. */
  readonly noAnswerScore: number
}

/** What came out. */
export interface AnswerScores {
  readonly scoring: AnswerScoring
  /** Figures by the names of `src/metrics`, between 0 and 1. */
  readonly metrics: Readonly<Record<string, number>>
}

/**
 * Judges answers by exact match and F1: as CMRC 2018 does where most of what is asked about is Chinese, else as SQuAD 2.0
 * where some questions have no answer, else as SQuAD 1.1.
 *
 * Where some have none, "there is none" counts as predicted where it is likelier than the best answer, in Chinese too;
 * for SQuAD 2.0 the best result with any other threshold of its probability is there as well, with the threshold.
 */
export function scoreAnswers(questions: readonly JudgedQuestion[]): AnswerScores {
  const isChinese = isMostlyChinese(questions.map(({ context }) => context))
  if (!questions.some(({ isImpossible }) => isImpossible)) {
    const answered = questions.map(({ found, answers }) => ({ predicted: found, answers: textsOf(answers) }))
    if (isChinese) return { scoring: 'cmrc-2018', metrics: { ...cmrcMetrics(answered) } }
    return { scoring: 'squad-1.1', metrics: { ...squadMetrics(answered) } }
  }
  return isChinese
    ? { scoring: 'cmrc-2018', metrics: chineseMetrics(questions) }
    : { scoring: 'squad-2.0', metrics: squad2Figures(questions) }
}

function squad2Figures(questions: readonly JudgedQuestion[]): Record<string, number> {
  const forced = questions.map(({ found, answers, noAnswerScore }) => {
    return { predicted: found, answers: textsOf(answers), noAnswerProbability: noAnswerScore }
  })
  const [exact, f1] = (['exactMatch', 'f1'] as const).map((metric) => bestNoAnswerThreshold(forced, metric))
  return {
    ...squad2Metrics(
      questions.map((question) => ({ predicted: chosen(question), answers: textsOf(question.answers) })),
    ),
    bestExactMatch: exact.score,
    bestExactMatchThreshold: exact.threshold,
    bestF1: f1.score,
    bestF1Threshold: f1.threshold,
  }
}

/** CMRC's figures, with 1 for a question without an answer where none was found. */
function chineseMetrics(questions: readonly JudgedQuestion[]): Record<string, number> {
  const answerable = questions.filter(({ answers }) => answers.length > 0)
  const refused = questions.filter((question) => question.answers.length === 0 && chosen(question) === '').length
  const given = cmrcMetrics(answerable.map((each) => ({ predicted: chosen(each), answers: textsOf(each.answers) })))
  const over = (figure: number) => (figure * answerable.length + refused) / questions.length
  return { exactMatch: over(given.exactMatch), f1: over(given.f1) }
}

function chosen({ found, score, noAnswerScore }: JudgedQuestion): string {
  return noAnswerScore > score ? '' : found
}

function textsOf(answers: JudgedQuestion['answers']): string[] {
  return answers.map(({ text }) => text)
}

/** Whether more letters are Chinese than not. */
function isMostlyChinese(texts: readonly string[]): boolean {
  let chinese = 0
  let letters = 0
  for (const text of new Set(texts)) {
    chinese += text.match(/\p{Script=Han}/gu)?.length ?? 0
    letters += text.match(/\p{L}/gu)?.length ?? 0
  }
  return chinese * 2 > letters
}
