import { Lattice } from '../lattice.js'
import { type Pieces, select } from '../pieces.js'
import type { CharacterWords } from './character-words.js'

/** Pieces that are expected less often are dropped. */
const RAREST = 0.5

/**
 * One step of expectation–maximization over the probabilities of pieces (Kudo 2018, §3.2). As SentencePiece does, the
 * new scores are ψ(count) − ψ(Σ counts), ψ the digamma function, instead of logarithms: what Bayesian estimation with a
 * sparse prior gives, which makes rare pieces rarer.
 */
export function reestimate(words: CharacterWords, pieces: Pieces): Pieces {
  const { symbols, starts, counts } = words
  const lattice = new Lattice(pieces, symbols)
  const expected = new Float64Array(pieces.starts.length)
  for (let word = 0; word < counts.length; word++) {
    lattice.open(symbols, starts[word], starts[word + 1])
    lattice.expect(counts[word], expected)
  }
  const kept: number[] = []
  let sum = 0
  expected.forEach((count, piece) => {
    if (count < RAREST) return
    kept.push(piece)
    sum += count
  })
  const scores = Float64Array.from(kept, (piece) => digamma(expected[piece]) - digamma(sum))
  return { ...select(pieces, kept), scores }
}

/**
 * Drops the pieces without which the words become least improbable (Kudo 2018, §3.2, steps 2b and 2c): a piece's loss is
 * how much the likelihood falls when it is written with its best alternative.
 *
 * @param size how many pieces to keep; those without an alternative are kept in any case
 * @returns the others, the most useful first
 */
export function prune(words: CharacterWords, pieces: Pieces, size: number): Pieces {
  const frequencies = bestFrequencies(words, pieces)
  const sum = frequencies.reduce((total, frequency) => total + frequency, 0)
  const alternatives = alternativesOf(words, pieces)
  const kept: number[] = []
  const candidates: { piece: number; loss: number }[] = []
  frequencies.forEach((frequency, piece) => {
    const alternative = alternatives[piece]
    if (alternative === 'none') kept.push(piece)
    else if (alternative !== 'better' && frequency > 0) {
      // Without the piece its occurrences become occurrences of the alternative's pieces.
      const newSum = Math.log(sum + frequency * (alternative.length - 1))
      const score = alternative.reduce(
        (total, other) => total + Math.log((frequencies[other] ?? 0) + frequency) - newSum,
        0,
      )
      candidates.push({ piece, loss: frequency * (Math.log(frequency) - Math.log(sum) - score) })
    }
  })
  candidates.sort((a, b) => b.loss - a.loss || a.piece - b.piece)
  const room = Math.max(0, size - kept.length)
  return select(pieces, [...kept, ...candidates.slice(0, room).map(({ piece }) => piece)])
}

/** How often each piece is in the best ways to write the words. */
function bestFrequencies({ symbols, starts, counts }: CharacterWords, pieces: Pieces): Float64Array {
  const lattice = new Lattice(pieces, symbols)
  const frequencies = new Float64Array(pieces.starts.length)
  for (let word = 0; word < counts.length; word++) {
    lattice.open(symbols, starts[word], starts[word + 1])
    for (const { piece } of lattice.bestWay()) if (piece >= 0) frequencies[piece] += counts[word]
  }
  return frequencies
}

/** For each piece the best way to write it with others: `better` than the piece itself, worse, or none at all. */
function alternativesOf({ symbols }: CharacterWords, pieces: Pieces): ('none' | 'better' | number[])[] {
  const lattice = new Lattice(pieces, symbols)
  return Array.from(pieces.starts, (start, piece) => {
    const length = pieces.lengths[piece]
    if (length === 1) return 'none'
    lattice.open(symbols, start, start + length, piece)
    return lattice.bestScore > pieces.scores[piece] ? 'better' : lattice.bestWay().map((part) => part.piece)
  })
}

/** The digamma function ψ(x) = d/dx ln Γ(x), x > 0: recurrence up to x ≥ 7, then its asymptotic series in x − 1/2. */
export function digamma(x: number): number {
  let result = 0
  let argument = x
  for (; argument < 7; argument++) result -= 1 / argument
  argument -= 0.5
  const square = 1 / argument ** 2
  const series = 1 / 24 - square * (7 / 960 - square * (31 / 8064 - square * (127 / 30720)))
  return result + Math.log(argument) + square * series
}
