import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Lattice } from './lattice.js'

const alphabet = ['a', 'b', 'c']
const symbolsOf = (text: string) => Int32Array.from(text, (character) => alphabet.indexOf(character))

/** Some pieces with their scores. */
type Scores = readonly (readonly [piece: string, score: number])[]

function latticeOf(pieces: Scores): Lattice {
  const lengths = Uint16Array.from(pieces, ([piece]) => piece.length)
  const starts = Int32Array.from(pieces, (_, i) => pieces.slice(0, i).reduce((sum, [piece]) => sum + piece.length, 0))
  const scores = Float64Array.from(pieces, ([, score]) => score)
  return new Lattice({ starts, lengths, scores }, symbolsOf(pieces.map(([piece]) => piece).join('')))
}

/** Every way to write a word with pieces, as lists of piece numbers with the sum of their scores. */
function ways(word: string, pieces: Scores): { way: number[]; score: number }[] {
  if (word === '') return [{ way: [], score: 0 }]
  return pieces.flatMap(([piece, score], number) => {
    if (!word.startsWith(piece)) return []
    return ways(word.slice(piece.length), pieces).map((rest) => ({
      way: [number, ...rest.way],
      score: score + rest.score,
    }))
  })
}

describe('Lattice', () => {
  const pieces = fc
    .uniqueArray(fc.string({ unit: fc.constantFrom(...alphabet), minLength: 2, maxLength: 4 }), { maxLength: 12 })
    .chain((longer) => {
      const all = [...alphabet, ...longer]
      return fc
        .array(fc.double({ min: -20, max: -0.1, noNaN: true }), { minLength: all.length, maxLength: all.length })
        .map((scores): Scores => all.map((piece, i) => [piece, scores[i]]))
    })
  const word = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 8 })

  it('finds the best way and the expected counts among all ways', () => {
    fc.assert(
      fc.property(pieces, word, (given, text) => {
        const lattice = latticeOf(given)
        const all = ways(text, given)
        const best = Math.max(...all.map(({ score }) => score))
        lattice.open(symbolsOf(text), 0, text.length)
        expect(lattice.bestScore).toBeCloseTo(best, 9)
        const found = lattice.bestWay().map(({ piece }) => piece)
        expect(found.reduce((sum, piece) => sum + given[piece][1], 0)).toBeCloseTo(best, 9)
        expect(found.map((piece) => given[piece][0]).join('')).toBe(text)

        const total = all.reduce((sum, { score }) => sum + Math.exp(score), 0)
        const expected = given.map((_, piece) => {
          const counts = all.map(({ way, score }) => way.filter((used) => used === piece).length * Math.exp(score))
          return (3 * counts.reduce((sum, count) => sum + count, 0)) / total
        })
        const actual = new Float64Array(given.length)
        expect(lattice.expect(3, actual)).toBeCloseTo(Math.log(total), 9)
        actual.forEach((count, piece) => {
          expect(count).toBeCloseTo(expected[piece], 9)
        })
      }),
    )
  })

  it('can leave a piece out', () => {
    const lattice = latticeOf([
      ['a', -1],
      ['b', -1],
      ['ab', -0.5],
    ])
    lattice.open(symbolsOf('ab'), 0, 2)
    expect(lattice.bestWay()).toEqual([{ piece: 2, length: 2 }])
    lattice.open(symbolsOf('ab'), 0, 2, 2)
    expect(lattice.bestWay()).toEqual([
      { piece: 0, length: 1 },
      { piece: 1, length: 1 },
    ])
  })

  it('takes a character that is no piece for an unlikely one', () => {
    const lattice = latticeOf([
      ['a', -1],
      ['ab', -2],
    ])
    lattice.open(symbolsOf('bab'), 0, 3)
    expect(lattice.bestWay().map(({ piece }) => piece)).toEqual([-1, 1])
    expect(lattice.bestScore).toBeCloseTo(-2 - 10 - 2, 9)
  })

  it('does not underflow on long words', () => {
    const lattice = latticeOf([
      ['a', -15],
      ['aa', -30],
    ])
    const text = 'a'.repeat(900)
    lattice.open(symbolsOf(text), 0, text.length)
    const expected = new Float64Array(2)
    // Both ways to write two characters are equally likely: Fibonacci numbers of ways.
    expect(lattice.expect(1, expected)).toBeCloseTo(
      -15 * 900 + 901 * Math.log((1 + Math.sqrt(5)) / 2) - Math.log(Math.sqrt(5)),
      6,
    )
    expect(expected[0] + 2 * expected[1]).toBeCloseTo(900, 6)
  })
})
