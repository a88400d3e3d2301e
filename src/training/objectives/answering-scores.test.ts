import { describe, expect, it } from 'vitest'
import { type JudgedQuestion, scoreAnswers } from './answering-scores.js'

const english = 'The cat sat on the mat.'
const chinese = '他们在2010年来到北京，那里有很多人。'

function judged(context: string, found: string, wanted: string[], changes: Partial<JudgedQuestion> = {}) {
  const answers = wanted.map((text) => ({ text }))
  return { context, answers, isImpossible: answers.length === 0, found, score: 0.6, noAnswerScore: 0.1, ...changes }
}

describe('scoreAnswers', () => {
  it('scores as SQuAD 1.1 where every question has an answer', () => {
    const questions = [judged(english, 'the cat', ['Cat']), judged(english, 'mat', ['the red mat', 'dog'])]
    // "mat" against "red mat": precision 1, recall 1/2.
    expect(scoreAnswers(questions)).toEqual({ scoring: 'squad-1.1', metrics: { exactMatch: 0.5, f1: (1 + 2 / 3) / 2 } })
  })

  it('scores as SQuAD 2.0 where some have none, and gives the best threshold', () => {
    const questions = [
      judged(english, 'cat', ['cat'], { score: 0.5, noAnswerScore: 0.4 }),
      judged(english, 'mat', [], { score: 0.2, noAnswerScore: 0.7 }),
      judged(english, 'mat', [], { score: 0.5, noAnswerScore: 0.45 }),
    ]
    const { scoring, metrics } = scoreAnswers(questions)
    expect(scoring).toBe('squad-2.0')
    expect(metrics).toMatchObject({ exactMatch: 2 / 3, hasAnswerF1: 1, noAnswerF1: 0.5, noAnswerTotal: 2 })
    // Above 0.4 nothing is answered but the first.
    expect(metrics).toMatchObject({ bestF1: 1, bestF1Threshold: 0.4, bestExactMatch: 1 })
  })

  it('scores Chinese character by character, as CMRC 2018', () => {
    const questions = [judged(chinese, '北京', ['北京']), judged(chinese, '2010年', ['在2010年来'])]
    // 2010 and 年 against 在, 2010, 年 and 来.
    expect(scoreAnswers(questions)).toEqual({ scoring: 'cmrc-2018', metrics: { exactMatch: 0.5, f1: (1 + 4 / 6) / 2 } })
  })

  it('counts a Chinese question without an answer as right where none was found', () => {
    const questions = [
      judged(chinese, '北京', ['北京']),
      judged(chinese, '人', [], { noAnswerScore: 0.7 }),
      judged(chinese, '人', [], { noAnswerScore: 0.2 }),
    ]
    expect(scoreAnswers(questions)).toEqual({ scoring: 'cmrc-2018', metrics: { exactMatch: 2 / 3, f1: 2 / 3 } })
  })
})
