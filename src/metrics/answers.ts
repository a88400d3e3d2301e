import { mean } from './counts.js'
import { splitWhitespace, wordCharacter } from './python-text.js'

/** A question with the answer that was predicted and those that count as right. */
export interface AnsweredQuestion {
  /** The predicted answer; empty for "there is none". */
  readonly predicted: string
  /** The expected answers, of which the best match counts; none where the question cannot be answered. */
  readonly answers: readonly string[]
}

/** How well answers agree with the expected ones; both between 0 and 1. */
export interface AnswerMetrics {
  /** Share of answers that are equal once normalized. */
  readonly exactMatch: number
  /** Mean F1 of what prediction and answer share. */
  readonly f1: number
}

const articles = new RegExp(`(?<![${wordCharacter}])(a|an|the)(?![${wordCharacter}])`, 'gu')

/**
 * Text as SQuAD's evaluation compares it: lower case, without ASCII punctuation and English articles, single spaces
 * (Rajpurkar et al. 2016, §6.1 and its published script).
 */
export function normalizeAnswer(text: string): string {
  const withoutPunctuation = text.toLowerCase().replace(/[!-/:-@[-`{-~]/g, '')
  return splitWhitespace(withoutPunctuation.replace(articles, ' ')).join(' ')
}

/** 1 where two texts are equal once normalized, else 0. */
export function exactMatch(predicted: string, expected: string): number {
  return normalizeAnswer(predicted) === normalizeAnswer(expected) ? 1 : 0
}

/** F1 of the words that two texts share once normalized, counted as often as they occur; of two empty texts 1. */
export function wordF1(predicted: string, expected: string): number {
  const [words, wanted] = [predicted, expected].map((text) => normalizeAnswer(text).split(' ').filter(Boolean))
  if (words.length === 0 || wanted.length === 0) return words.length === wanted.length ? 1 : 0
  const left = new Map<string, number>()
  for (const word of wanted) left.set(word, (left.get(word) ?? 0) + 1)
  let shared = 0
  for (const word of words) {
    const count = left.get(word) ?? 0
    if (count === 0) continue
    left.set(word, count - 1)
    shared++
  }
  return (2 * shared) / (words.length + wanted.length)
}

/** The exact match and F1 of one question. */
export interface AnswerScore {
  readonly exactMatch: number
  readonly f1: number
}

/** The best exact match and the best F1 of a prediction over several answers. */
export function bestScore(answers: readonly string[], score: (answer: string) => AnswerScore): AnswerScore {
  const scores = answers.map(score)
  return {
    exactMatch: Math.max(...scores.map(({ exactMatch }) => exactMatch)),
    f1: Math.max(...scores.map(({ f1 }) => f1)),
  }
}

/** The means over questions; 0 of none. */
export function meanScore(scores: readonly AnswerScore[]): AnswerMetrics {
  return { exactMatch: mean(scores.map(({ exactMatch }) => exactMatch)), f1: mean(scores.map(({ f1 }) => f1)) }
}
