import type { QuestionWindow } from './answering-windows.js'

/** A part of a context, [start, end) in UTF-16 code units, as an answer. */
export interface AnswerSpan {
  readonly start: number
  readonly end: number
  /** Its probability among all answers that the context offers, "there is none" included. */
  readonly score: number
}

/** How answers are searched for. */
export interface AnswerSearchOptions {
  /** How many of the best answers are kept (default 1). */
  readonly topK?: number
  /** Most tokens of an answer (default 30, as BERT's authors search in SQuAD). */
  readonly maxAnswerLength?: number
}

/** An answer with the sum of its logits. */
interface Candidate {
  readonly start: number
  readonly end: number
  readonly logit: number
}

/**
 * Searches the windows of one question for answers: of all spans of at most L tokens those with the highest
 * startᵢ + endⱼ, i ≤ j < i + L (Devlin et al. 2018, §4.2 and 4.3). All spans are looked at, not only those between the
 * likeliest ends. That there is no answer has start₀ + end₀, of the first token, [CLS], in the window where that is least.
 *
 * Probabilities are exp(startᵢ + endⱼ) over its sum for all spans of all windows and for no answer.
 */
export class AnswerSearch {
  readonly #context: string
  readonly #topK: number
  readonly #maxLength: number
  /** The best so far, the best first; two windows may have the same span, which then counts where it scores higher. */
  #best: Candidate[] = []
  #noAnswer = Number.POSITIVE_INFINITY
  /** Σ exp(logit − highest) over all spans of all windows. */
  #sum = 0
  #highest = Number.NEGATIVE_INFINITY

  constructor(context: string, { topK = 1, maxAnswerLength = 30 }: AnswerSearchOptions = {}) {
    this.#context = context
    this.#topK = topK
    this.#maxLength = maxAnswerLength
  }

  /** Looks at a window; start and end have one logit for each of its tokens, or more behind. */
  add({ context, first, last, offset }: QuestionWindow, start: Float32Array, end: Float32Array): void {
    this.#noAnswer = Math.min(this.#noAnswer, start[0] + end[0])
    const shift = offset - first
    for (let i = first; i < last; i++) {
      for (let j = i; j < Math.min(i + this.#maxLength, last); j++) {
        const logit = start[shift + i] + end[shift + j]
        this.#count(logit)
        const least = this.#best.length < this.#topK ? Number.NEGATIVE_INFINITY : this.#best[this.#topK - 1].logit
        if (logit > least) this.#keep({ ...this.#trimmed(context.starts[i], context.ends[j]), logit })
      }
    }
  }

  /** The best answers of all windows, the best first. */
  get answers(): AnswerSpan[] {
    const total = this.#logTotal()
    return this.#best.map(({ start, end, logit }) => ({ start, end, score: Math.exp(logit - total) }))
  }

  /** The probability that there is no answer. */
  get noAnswerScore(): number {
    return Math.exp(this.#noAnswer - this.#logTotal())
  }

  #count(logit: number): void {
    if (logit <= this.#highest) {
      this.#sum += Math.exp(logit - this.#highest)
      return
    }
    this.#sum = this.#sum * Math.exp(this.#highest - logit) + 1
    this.#highest = logit
  }

  #logTotal(): number {
    const highest = Math.max(this.#highest, this.#noAnswer)
    return highest + Math.log(this.#sum * Math.exp(this.#highest - highest) + Math.exp(this.#noAnswer - highest))
  }

  #keep(candidate: Candidate): void {
    const { start, end, logit } = candidate
    if (start === end) return
    const same = this.#best.findIndex((known) => known.start === start && known.end === end)
    if (same >= 0 && this.#best[same].logit >= logit) return
    if (same >= 0) this.#best.splice(same, 1)
    const place = this.#best.findIndex((known) => known.logit < logit)
    this.#best.splice(place < 0 ? this.#best.length : place, 0, candidate)
    this.#best = this.#best.slice(0, this.#topK)
  }

  /** Tokens of some tokenizers include the space before a word. */
  #trimmed(start: number, end: number): { start: number; end: number } {
    const text = this.#context.slice(start, end)
    const from = start + text.length - text.trimStart().length
    return { start: Math.min(from, end), end: Math.max(from, end - text.length + text.trimEnd().length) }
  }
}
