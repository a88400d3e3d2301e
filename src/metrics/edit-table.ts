/** How a cell of the table is reached: from above left, from above or from the left. */
const match = 0
const removal = 1
const insertion = 2

/** More than any distance. */
const unreachable = 2 ** 29
/** How far from the diagonal cells are computed. */
const beamWidth = 25

/** Which words of a hypothesis stand where words of the reference do. */
export interface Alignment {
  /** behind[j]: how many words of the hypothesis stand up to the j-th word of the reference, counted from 1; behind[0] = 0. */
  readonly behind: Uint32Array
  /** 1 for words of the hypothesis that are none of the reference there, else 0. */
  readonly hypothesisErrors: Uint8Array
  /** 1 for words of the reference that the hypothesis lacks there, else 0. */
  readonly referenceErrors: Uint8Array
}

/**
 * The table of edit distances between beginnings of a hypothesis and of a reference (Levenshtein 1966), computed only
 * near the diagonal, as Tercom does.
 *
 * Words are numbers. The hypothesis changes, its number of words does not: {@link fill} takes a hypothesis over,
 * {@link distanceOf} asks what another one would have.
 */
export class EditTable {
  readonly #reference: readonly number[]
  readonly #length: number
  readonly #rows: Int32Array[]
  readonly #steps: Uint8Array[]
  readonly #scratch: readonly Int32Array[]
  readonly #columns: number
  readonly #ratio: number
  readonly #beam: number

  /**
   * @param reference its words, at least one
   * @param length how many words hypotheses have
   */
  constructor(reference: readonly number[], length: number) {
    this.#reference = reference
    this.#length = length
    this.#columns = reference.length + 1
    this.#ratio = length === 0 ? 1 : reference.length / length
    // Where lengths differ by a lot, the parts of two rows near the diagonal would not meet.
    this.#beam = beamWidth < this.#ratio / 2 ? Math.ceil(this.#ratio / 2 + beamWidth) : beamWidth
    this.#rows = Array.from({ length: length + 1 }, () => new Int32Array(this.#columns))
    this.#steps = this.#rows.map(() => new Uint8Array(this.#columns))
    this.#scratch = [new Int32Array(this.#columns), new Int32Array(this.#columns)]
    for (let j = 0; j < this.#columns; j++) this.#rows[0][j] = j
    this.#steps[0].fill(insertion)
  }

  /** The edit distance of the hypothesis taken over last. */
  get distance(): number {
    return this.#rows[this.#length][this.#columns - 1]
  }

  /** Takes a hypothesis over. */
  fill(words: readonly number[]): void {
    for (let i = 1; i <= this.#length; i++) {
      this.#nextRow(i, words[i - 1], { above: this.#rows[i - 1], row: this.#rows[i], steps: this.#steps[i] })
    }
  }

  /**
   * The edit distance of another hypothesis, or any larger number where it is more than `limit`.
   *
   * @param from how many words it begins with that the hypothesis taken over has as well
   */
  distanceOf(words: readonly number[], from: number, limit: number): number {
    let above = this.#rows[from]
    for (let i = from + 1; i <= this.#length; i++) {
      const row = this.#scratch[i % 2]
      if (this.#nextRow(i, words[i - 1], { above, row }) > limit) return unreachable
      above = row
    }
    return above[this.#columns - 1]
  }

  /**
   * Fills a row from the one above it, with the steps taken where they are wanted.
   *
   * @returns the least that the distance of all words can be: that of a cell, and an edit for every word that one side
   * has left more than the other
   */
  #nextRow(
    i: number,
    word: number,
    { above, row, steps }: { above: Int32Array; row: Int32Array; steps?: Uint8Array },
  ): number {
    const reference = this.#reference
    const columns = this.#columns
    const diagonal = Math.floor(i * this.#ratio)
    const start = Math.max(0, diagonal - this.#beam)
    const end = i === this.#length ? columns : Math.min(columns, diagonal + this.#beam)
    // The column from which on as many words of the reference are left as of the hypothesis.
    const even = columns - 1 - (this.#length - i)
    row.fill(unreachable)
    let least = unreachable
    for (let j = start; j < end; j++) {
      let distance = above[j] + 1
      let step = removal
      // Of equal distances, Tercom prefers a match or a substitution, then a removal, then an insertion.
      if (j > 0) {
        const substituted = above[j - 1] + (word === reference[j - 1] ? 0 : 1)
        if (substituted <= distance) {
          distance = substituted
          step = match
        }
        if (row[j - 1] + 1 < distance) {
          distance = row[j - 1] + 1
          step = insertion
        }
      }
      row[j] = distance
      if (steps) steps[j] = step
      least = Math.min(least, distance + Math.abs(j - even))
    }
    return least
  }

  /** How the words of the hypothesis taken over last stand beside those of the reference. */
  align(words: readonly number[]): Alignment {
    const behind = new Uint32Array(this.#columns)
    const hypothesisErrors = new Uint8Array(this.#length)
    const referenceErrors = new Uint8Array(this.#reference.length)
    let [i, j] = [this.#length, this.#reference.length]
    while (i > 0 || j > 0) {
      const step = this.#steps[i][j]
      if (step !== removal) behind[j] = i
      const wrong = step === match && words[i - 1] === this.#reference[j - 1] ? 0 : 1
      if (step !== insertion) hypothesisErrors[--i] = wrong
      if (step !== removal) referenceErrors[--j] = wrong
    }
    return { behind, hypothesisErrors, referenceErrors }
  }
}
