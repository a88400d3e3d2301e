import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { learnMerges } from './merges.js'

/** Byte-pair encoding as the paper has it: everything is counted anew for every merge. */
function naive(words: [word: string, count: number][], tokens: string[], size: number): string[] {
  const learnt = [...tokens]
  let split = words.map(([word, count]) => ({ parts: [...word], count }))
  while (learnt.length < size) {
    const counts = new Map<string, number>()
    for (const { parts, count } of split) {
      for (let i = 0; i + 1 < parts.length; i++) {
        const pair = `${parts[i]} ${parts[i + 1]}`
        counts.set(pair, (counts.get(pair) ?? 0) + count)
      }
    }
    const ids = (pair: string) => pair.split(' ').map((token) => learnt.indexOf(token))
    const best = [...counts].sort(([a, m], [b, n]) => n - m || ids(a)[0] - ids(b)[0] || ids(a)[1] - ids(b)[1])[0]
    if (best === undefined) break
    const [left, right] = best[0].split(' ')
    // From here on there are two ways to spell one token, which Hugging Face counts in a way of its own.
    if (learnt.includes(left + right)) break
    learnt.push(left + right)
    split = split.map(({ parts, count }) => {
      const merged: string[] = []
      for (let i = 0; i < parts.length; i++) {
        const isPair = parts[i] === left && parts[i + 1] === right
        merged.push(isPair ? left + right : parts[i])
        if (isPair) i++
      }
      return { parts: merged, count }
    })
  }
  return learnt
}

function learn(words: [word: string, count: number][], tokens: string[], vocabularySize: number) {
  const symbols = words.flatMap(([word]) => [...word].map((character) => tokens.indexOf(character)))
  const starts = [0]
  for (const [word] of words) starts.push(starts[starts.length - 1] + word.length)
  return learnMerges({
    words: {
      symbols: Int32Array.from(symbols),
      starts: Uint32Array.from(starts),
      counts: Float64Array.from(words, ([, count]) => count),
    },
    tokens,
    vocabularySize,
    minimumFrequency: 0,
    join: (left, right) => left + right,
  })
}

describe('learnMerges', () => {
  it('learns what counting anew for every merge learns', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), minLength: 1, maxLength: 12 })
    const words = fc.uniqueArray(fc.tuple(word, fc.integer({ min: 1, max: 5 })), { selector: ([text]) => text })
    fc.assert(
      fc.property(words, fc.integer({ min: 4, max: 24 }), (given, size) => {
        const alphabet = ['a', 'b', 'c', 'd']
        const expected = naive(given, alphabet, size)
        expect(learn(given, alphabet, size).tokens.slice(0, expected.length)).toEqual(expected)
      }),
      { numRuns: 400 },
    )
  })

  it('merges overlapping pairs from the left', () => {
    const { tokens, merges } = learn([['aaaaa', 3]], ['a'], 10)
    // aa aa a: of aa·aa and aa·a, which occur once each, the second has the smaller ids.
    expect(tokens).toEqual(['a', 'aa', 'aaa', 'aaaaa'])
    expect(merges).toEqual([
      [0, 0],
      [1, 0],
      [1, 2],
    ])
  })

  it('prefers the smaller ids where counts are equal', () => {
    expect(
      learn(
        [
          ['cd', 2],
          ['ab', 2],
          ['ad', 2],
        ],
        ['a', 'b', 'c', 'd'],
        7,
      ).tokens.slice(4),
    ).toEqual(['ab', 'ad', 'cd'])
  })

  it('spells a token in two ways without a second id', () => {
    // ab + c and a + bc both become abc.
    const { tokens, merges } = learn(
      [
        ['abc', 2],
        ['xab', 9],
        ['bcx', 5],
        ['abcabc', 1],
      ],
      ['a', 'b', 'c', 'x'],
      30,
    )
    expect(tokens.filter((token) => token === 'abc')).toHaveLength(1)
    expect(new Set(merges.map(String)).size).toBe(merges.length)
  })
})
