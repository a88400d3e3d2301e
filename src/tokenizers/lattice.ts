import { PairTable } from './pair-table.js'
import type { Pieces } from './pieces.js'

/** How much less likely than the least likely piece a character is that is no piece. */
const UNKNOWN_PENALTY = 10

/** All ways to make a word of pieces, as a graph over the places between its characters. */
export class Lattice {
  readonly #trie = new PairTable()
  /** The piece that ends at each node of the trie, -1 for none; node 0 is the root, node n the pair n - 1. */
  readonly #pieceAt: Int32Array
  readonly #scores: Float64Array
  readonly #unknownScore: number
  /** The edges of the word that was opened last, by where they start: end, piece (-1 unknown), score, share. */
  #ends = new Int32Array(1 << 8)
  #pieces = new Int32Array(1 << 8)
  #edgeScores = new Float64Array(1 << 8)
  #shares = new Float64Array(1 << 8)
  /** First edge of each place. */
  #firsts = new Int32Array(1 << 8)
  /** For each place: the best score of a way to it, the edge of that way and where that edge starts. */
  #best = new Float64Array(1 << 8)
  #bestEdge = new Int32Array(1 << 8)
  #bestStart = new Int32Array(1 << 8)
  #forward = new Float64Array(1 << 8)
  #backward = new Float64Array(1 << 8)
  #size = 0

  /** @param symbols the characters that the pieces are slices of */
  constructor({ starts, lengths, scores }: Pieces, symbols: Int32Array) {
    const pieceAt = [-1]
    for (let piece = 0; piece < starts.length; piece++) {
      let node = 0
      for (let i = 0; i < lengths[piece]; i++) {
        node = this.#trie.add(node, symbols[starts[piece] + i]) + 1
        if (node === pieceAt.length) pieceAt.push(-1)
      }
      pieceAt[node] = piece
    }
    this.#pieceAt = Int32Array.from(pieceAt)
    this.#scores = scores
    this.#unknownScore = scores.reduce((least, score) => Math.min(least, score), 0) - UNKNOWN_PENALTY
  }

  /**
   * Opens the word `symbols[start … end - 1]` for the methods below.
   *
   * @param without a piece that may not be used
   */
  open(symbols: Int32Array, start: number, end: number, without = -1): void {
    this.#size = end - start
    this.#makeRoom(this.#size)
    let edges = 0
    for (let i = start; i < end; i++) {
      this.#firsts[i - start] = edges
      let hasSingle = false
      let node = 0
      for (let j = i; j < end; j++) {
        node = this.#trie.find(node, symbols[j]) + 1
        if (node === 0) break
        const piece = this.#pieceAt[node]
        if (piece < 0 || piece === without) continue
        if (j === i) hasSingle = true
        edges = this.#addEdge(edges, { end: j + 1 - start, piece, score: this.#scores[piece] })
      }
      if (!hasSingle) edges = this.#addEdge(edges, { end: i + 1 - start, piece: -1, score: this.#unknownScore })
    }
    this.#firsts[this.#size] = edges
    this.#findBest()
  }

  /** The logarithm of the probability of the best way, above which {@link Lattice.expect} adds the others. */
  get bestScore(): number {
    return this.#best[this.#size]
  }

  /** The pieces of the best way (Viterbi 1967) in order, -1 for unknown characters, with their lengths. */
  bestWay(): { piece: number; length: number }[] {
    const way: { piece: number; length: number }[] = []
    for (let place = this.#size; place > 0; place = this.#bestStart[place]) {
      way.push({ piece: this.#pieces[this.#bestEdge[place]], length: place - this.#bestStart[place] })
    }
    return way.reverse()
  }

  /**
   * Adds to `expected[piece]` how often each piece is expected in the word, times `count`: the forward–backward
   * algorithm over all ways.
   *
   * Every edge is weighed against the best way to its end, exp(best(start) + score − best(end)): the weights of a way
   * multiply to its probability over that of the best one, so that nothing underflows and the shares stay what they are.
   *
   * @returns the logarithm of the word's probability
   */
  expect(count: number, expected: Float64Array): number {
    const size = this.#size
    const [forward, backward] = [this.#forward, this.#backward]
    forward.fill(0, 0, size + 1)
    forward[0] = 1
    for (let place = 0; place < size; place++) {
      for (let edge = this.#firsts[place]; edge < this.#firsts[place + 1]; edge++) {
        const end = this.#ends[edge]
        this.#shares[edge] = Math.exp(this.#best[place] + this.#edgeScores[edge] - this.#best[end])
        forward[end] += forward[place] * this.#shares[edge]
      }
    }
    backward[size] = 1
    const scale = count / forward[size]
    for (let place = size - 1; place >= 0; place--) {
      backward[place] = 0
      for (let edge = this.#firsts[place]; edge < this.#firsts[place + 1]; edge++) {
        const share = this.#shares[edge] * backward[this.#ends[edge]]
        backward[place] += share
        if (this.#pieces[edge] >= 0) expected[this.#pieces[edge]] += forward[place] * share * scale
      }
    }
    return this.bestScore + Math.log(forward[size])
  }

  #findBest(): void {
    const best = this.#best
    best.fill(Number.NEGATIVE_INFINITY, 1, this.#size + 1)
    best[0] = 0
    for (let place = 0; place < this.#size; place++) {
      for (let edge = this.#firsts[place]; edge < this.#firsts[place + 1]; edge++) {
        const end = this.#ends[edge]
        const score = best[place] + this.#edgeScores[edge]
        if (score <= best[end]) continue
        best[end] = score
        this.#bestEdge[end] = edge
        this.#bestStart[end] = place
      }
    }
  }

  #addEdge(edge: number, { end, piece, score }: { end: number; piece: number; score: number }): number {
    if (edge === this.#ends.length) {
      this.#ends = enlarged(this.#ends, Int32Array)
      this.#pieces = enlarged(this.#pieces, Int32Array)
      this.#edgeScores = enlarged(this.#edgeScores, Float64Array)
      this.#shares = enlarged(this.#shares, Float64Array)
    }
    this.#ends[edge] = end
    this.#pieces[edge] = piece
    this.#edgeScores[edge] = score
    return edge + 1
  }

  #makeRoom(size: number): void {
    while (size + 1 >= this.#firsts.length) {
      this.#firsts = enlarged(this.#firsts, Int32Array)
      this.#best = enlarged(this.#best, Float64Array)
      this.#bestEdge = enlarged(this.#bestEdge, Int32Array)
      this.#bestStart = enlarged(this.#bestStart, Int32Array)
      this.#forward = enlarged(this.#forward, Float64Array)
      this.#backward = enlarged(this.#backward, Float64Array)
    }
  }
}

function enlarged<T extends Int32Array | Float64Array>(array: T, Type: new (length: number) => T): T {
  const larger = new Type(array.length * 2)
  larger.set(array)
  return larger
}
