import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { badWords, forcedToken, minimumLength, noRepeatNgram } from './constraints.js'
import { type LogitProcessor, logitBias, minP, repetitionPenalty, temperature, topK, topP } from './processors.js'

const logits = [1.5, -0.3, 2.7, 0.4, -1.9, 2.2, 0.4, 3.1, -0.8, 1.1]
const ids = [7, 2, 4, 7, 2, 1, 7]
const x = -Infinity

function apply(processors: LogitProcessor[], row: ArrayLike<number> = logits, history = ids): number[] {
  const scores = Float32Array.from(row)
  for (const process of processors) process(scores, history)
  return [...scores]
}

// transformers 5.23.0, logits and ids as above:
//   [round(v, 6) for v in Processor(…)(torch.tensor([ids]), torch.tensor([logits]))[0].tolist()]
// with SequenceBiasLogitsProcessor({(3,): 2.0, (7,): -1.5}), RepetitionPenaltyLogitsProcessor, NoRepeatNGramLogitsProcessor,
// TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper; x is -inf.
const golden: [name: string, processors: LogitProcessor[], expected: number[]][] = [
  [
    'logitBias',
    [
      logitBias([
        [3, 2],
        [7, -1.5],
      ]),
    ],
    [1.5, -0.3, 2.7, 2.4, -1.9, 2.2, 0.4, 1.6, -0.8, 1.1],
  ],
  [
    'repetitionPenalty 1.3',
    [repetitionPenalty(1.3)],
    [1.5, -0.39, 2.076923, 0.4, -2.47, 2.2, 0.4, 2.384615, -0.8, 1.1],
  ],
  ['repetitionPenalty 0.8', [repetitionPenalty(0.8)], [1.5, -0.24, 3.375, 0.4, -1.52, 2.2, 0.4, 3.875, -0.8, 1.1]],
  ['noRepeatNgram 1', [noRepeatNgram(1)], [1.5, x, x, 0.4, x, 2.2, 0.4, x, -0.8, 1.1]],
  ['noRepeatNgram 2', [noRepeatNgram(2)], [1.5, -0.3, x, 0.4, -1.9, 2.2, 0.4, 3.1, -0.8, 1.1]],
  ['noRepeatNgram 3', [noRepeatNgram(3)], logits],
  [
    'temperature 0.7',
    [temperature(0.7)],
    [2.142857, -0.428571, 3.857143, 0.571429, -2.714286, 3.142857, 0.571429, 4.428571, -1.142857, 1.571429],
  ],
  ['topK 1', [topK(1)], [x, x, x, x, x, x, x, 3.1, x, x]],
  ['topK 3', [topK(3)], [x, x, 2.7, x, x, 2.2, x, 3.1, x, x]],
  ['topK 7', [topK(7)], [1.5, x, 2.7, 0.4, x, 2.2, 0.4, 3.1, x, 1.1]],
  ['topK 20', [topK(20)], logits],
  ['topP 0', [topP(0)], [x, x, x, x, x, x, x, 3.1, x, x]],
  ['topP 0.3', [topP(0.3)], [x, x, x, x, x, x, x, 3.1, x, x]],
  ['topP 0.5', [topP(0.5)], [x, x, 2.7, x, x, x, x, 3.1, x, x]],
  ['topP 0.9', [topP(0.9)], [1.5, x, 2.7, x, x, 2.2, x, 3.1, x, 1.1]],
  ['topP 0.99', [topP(0.99)], [1.5, -0.3, 2.7, 0.4, x, 2.2, 0.4, 3.1, -0.8, 1.1]],
  ['minP 0', [minP(0)], logits],
  ['minP 0.05', [minP(0.05)], [1.5, x, 2.7, 0.4, x, 2.2, 0.4, 3.1, x, 1.1]],
  ['minP 0.2', [minP(0.2)], [1.5, x, 2.7, x, x, 2.2, x, 3.1, x, x]],
  ['minP 1', [minP(1)], [x, x, x, x, x, x, x, 3.1, x, x]],
  [
    'all in order',
    [logitBias([[3, 2]]), repetitionPenalty(1.3), noRepeatNgram(2), temperature(0.7), topK(6), topP(0.9), minP(0.1)],
    [2.142857, x, x, 3.428572, x, 3.142857, x, 3.406594, x, x],
  ],
]

// The same classes on 50257 logits, t[v] = ((v · 48271) mod 2147483647) / 2147483647 · 20 − 10 in float32:
// number of tokens kept, and the sum of their ids mod 1000003.
const large: [name: string, processor: LogitProcessor, kept: number, idSum: number][] = [
  ['topP 0.1', topP(0.1), 235, 427155],
  ['topP 0.5', topP(0.5), 1542, 412184],
  ['topP 0.9', topP(0.9), 5122, 752013],
  ['topP 0.95', topP(0.95), 6664, 266094],
  ['topK 1', topK(1), 1, 44488],
  ['topK 50', topK(50), 50, 223169],
  ['topK 1000', topK(1000), 1000, 988371],
]

// As above, with NoBadWordsLogitsProcessor(…, eos_token_id=[8]), MinLengthLogitsProcessor(8 and 7, [2, 5]),
// MinNewTokensLengthLogitsProcessor(4, 4 and 3, [2]), ForcedEOSTokenLogitsProcessor(8 and 9, [2]), and
// ForcedBOSTokenLogitsProcessor(3), where the last one has seen the ids [7].
const only = (token: number) => logits.map((_, i) => (i === token ? 0 : x))
const constrained: [name: string, constraint: LogitProcessor, expected: number[], history?: number[]][] = [
  [
    'badWords',
    badWords(
      [[3], [7, 2], [1, 7, 9], [4, 7, 5], [8], [2, 4, 7, 2, 1, 7, 6], [0, 7, 2, 4, 7, 2, 1, 7, 4]],
      new Set([8]),
    ),
    [1.5, -0.3, x, x, -1.9, 2.2, x, 3.1, -0.8, x],
  ],
  ['minimumLength 8', minimumLength(8, new Set([2, 5])), [1.5, -0.3, x, 0.4, -1.9, x, 0.4, 3.1, -0.8, 1.1]],
  ['minimumLength 7', minimumLength(7, new Set([2, 5])), logits],
  ['minimumLength 4 + 4', minimumLength(4 + 4, new Set([2])), [1.5, -0.3, x, 0.4, -1.9, 2.2, 0.4, 3.1, -0.8, 1.1]],
  ['minimumLength 4 + 3', minimumLength(4 + 3, new Set([2])), logits],
  ['forcedToken as the eighth', forcedToken(7, 2), only(2)],
  ['forcedToken as the ninth', forcedToken(8, 2), logits],
  ['forcedToken as the second', forcedToken(1, 3), logits],
  ['forcedToken as the second of one', forcedToken(1, 3), only(3), [7]],
]

describe('logit processors', () => {
  it.each(golden)('%s equals transformers', (_name, processors, expected) => {
    const scores = apply(processors)
    expect(scores.map((score) => score === x)).toEqual(expected.map((score) => score === x))
    for (const [i, score] of scores.entries()) if (score !== x) expect(score).toBeCloseTo(expected[i], 5)
  })

  it.each(constrained)('%s equals transformers', (_name, constraint, expected, history = ids) => {
    expect(apply([constraint], logits, history)).toEqual(expected.map(Math.fround))
  })

  it.each(large)('%s keeps the tokens that transformers keeps of 50257', (_name, processor, kept, idSum) => {
    const row = Float32Array.from({ length: 50257 }, (_, v) => {
      const uniform = Math.fround(Math.fround((v * 48271) % 2147483647) / Math.fround(2147483647))
      return Math.fround(uniform * 20) - 10
    })
    const ids = apply([processor], row).flatMap((score, v) => (score === x ? [] : [v]))
    expect(ids).toHaveLength(kept)
    expect(ids.reduce((sum, id) => sum + id, 0) % 1000003).toBe(idSum)
  })

  it('topK keeps every token as likely as the k-th, topP the later of equals', () => {
    expect(apply([topK(2)], [1, 2, 2, 2, 0])).toEqual([x, 2, 2, 2, x])
    expect(apply([topP(0.5)], [0, 0, 0, 0])).toEqual([x, x, 0, 0])
  })

  it('noRepeatNgram bans every continuation of the last n − 1 tokens, also of their overlap with themselves', () => {
    expect(apply([noRepeatNgram(3)], [0, 0, 0, 0], [1, 2, 0, 1, 2, 3, 1, 2])).toEqual([x, 0, 0, x])
    expect(apply([noRepeatNgram(3)], [0, 0, 0, 0], [1, 1, 1])).toEqual([0, x, 0, 0])
    expect(apply([noRepeatNgram(3)], [0, 0, 0, 0], [1, 1])).toEqual([0, 0, 0, 0])
  })

  it('leaves banned tokens banned', () => {
    const row = [x, 1, x, 2, 0]
    expect(apply([temperature(0.5), topK(2), topP(0.99), minP(0.01)], row)).toEqual([x, 2, x, 4, x])
    expect(apply([topP(0.99)], row)).toEqual(row)
  })

  it.each([
    () => temperature(0),
    () => temperature(Number.NaN),
    () => topK(0),
    () => topK(1.5),
    () => topP(1.1),
    () => topP(-0.1),
    () => minP(2),
    () => repetitionPenalty(0),
    () => noRepeatNgram(0),
    () => badWords([[1], []]),
    () => minimumLength(-1, new Set()),
    () => minimumLength(1.5, new Set()),
    () => logitBias([[-1, 0]]),
    () => apply([logitBias([[10, 1]])]),
  ])('refuses %s', (make) => {
    expect(make).toThrow(UsageError)
  })
})
