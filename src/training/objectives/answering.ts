import type { Question } from '../../data/squad.js'
import { type Input, input, type Tensor } from '../../graph/index.js'
import { crossEntropy } from '../../graph/operations/index.js'
import { encoderFeeds, encoderInputs, type QuestionAnswerer, tokenScores } from '../../models/encoder.js'
import { type Feed, float32, type TensorValue } from '../../runtime/index.js'
import { scoreAnswers } from './answering-scores.js'
import { AnswerSearch } from './answering-search.js'
import { coveringTokens, type QuestionWindow } from './answering-windows.js'
import type { ExampleTask } from './examples.js'
import type { Batch, LossGraph, Scorer } from './objective.js'

/** A window with the tokens of the answer that is to be found in it. */
export interface AnsweredWindow extends QuestionWindow<Question> {
  /** The answer's first and last token in the window; 0 and 0, its first token, where it does not hold all of the answer. */
  readonly start: number
  readonly end: number
}

/** The scores of B windows of at most T tokens, −10⁹ in places without a token. */
export interface AnswerGraph {
  readonly inputs: Readonly<Record<string, Input>>
  /** That the answer starts there [B, T]. */
  readonly start: Tensor
  /** That it ends there [B, T]. */
  readonly end: Tensor
}

/** Builds the scores of ragged windows; `encoderFeeds` fills the inputs. */
export function answerGraph(model: QuestionAnswerer): AnswerGraph {
  const { inputs, input: tokens } = encoderInputs()
  const { start, end } = model.forward(tokens) // 2 × [N]
  return { inputs, start: tokenScores(start, tokens.layout), end: tokenScores(end, tokens.layout) } // [B, T]
}

/**
 * Extractive question answering: (−log P(start) − log P(end)) / 2, each over all tokens of a window (Devlin et al. 2018,
 * §4.2). A window without the answer, or a question without one, has the first token as its answer (§4.3).
 */
export class Answering implements ExampleTask<AnsweredWindow> {
  readonly #model: QuestionAnswerer

  constructor(model: QuestionAnswerer) {
    this.#model = model
  }

  length({ ids }: AnsweredWindow): number {
    return ids.length
  }

  graph(): LossGraph {
    const { inputs, start, end } = answerGraph(this.#model)
    const [starts, ends] = ['starts', 'ends'].map((name) => input(name, 'int64', ['batch']))
    const loss = crossEntropy(start, starts).add(crossEntropy(end, ends)).mul(0.5)
    return { inputs: { ...inputs, starts, ends }, loss, outputs: { start, end } }
  }

  feeds(windows: readonly AnsweredWindow[]): Record<string, Feed> {
    const rows = (row: (window: AnsweredWindow) => number) => ({
      data: BigInt64Array.from(windows, (window) => BigInt(row(window))),
      shape: [windows.length],
    })
    return { ...encoderFeeds(windows), starts: rows(({ start }) => start), ends: rows(({ end }) => end) }
  }

  scorer(validation: readonly AnsweredWindow[]): Scorer {
    return new AnsweringScorer(validation)
  }
}

/** Marks the answer that a window is to be learnt from: the first one that has a place in the context. */
export function markAnswer(window: QuestionWindow<Question>): AnsweredWindow {
  const { question, context, first, last, offset } = window
  const answer = question.answers.find(({ start }) => start !== undefined)
  const start = answer?.start ?? -1
  const tokens = answer && coveringTokens(context, { start, end: start + answer.text.length })
  if (tokens === undefined || tokens.first < first || tokens.last >= last) return { ...window, start: 0, end: 0 }
  return { ...window, start: tokens.first - first + offset, end: tokens.last - first + offset }
}

class AnsweringScorer implements Scorer {
  readonly #windows: readonly AnsweredWindow[]
  readonly #searches: ReadonlyMap<Question, AnswerSearch>

  constructor(windows: readonly AnsweredWindow[]) {
    this.#windows = windows
    this.#searches = new Map(windows.map(({ question }) => [question, new AnswerSearch(question.context)]))
  }

  add({ rows = [] }: Batch, { start, end }: Readonly<Record<string, TensorValue>>): void {
    const length = start.shape[1]
    const [starts, ends] = [float32(start), float32(end)]
    for (const [i, row] of rows.entries()) {
      const [from, to] = [i * length, (i + 1) * length]
      const window = this.#windows[row]
      this.#searches.get(window.question)?.add(window, starts.subarray(from, to), ends.subarray(from, to))
    }
  }

  metrics(): Readonly<Record<string, number>> {
    const judged = Array.from(this.#searches, ([question, { answers, noAnswerScore }]) => {
      const [best = { start: 0, end: 0, score: 0 }] = answers
      const found = question.context.slice(best.start, best.end)
      return { ...question, found, score: best.score, noAnswerScore }
    })
    return scoreAnswers(judged).metrics
  }
}
