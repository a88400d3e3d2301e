/** The arrays of a table, flat. */
export interface TableArrays {
  readonly gradient: Float32Array
  readonly firstMoment: Float32Array
  readonly secondMoment: Float32Array
}

/** A row that never had a gradient: its moments are zero. */
const untouched = 0
/** A row with moments, whose gradient is zero now. */
const touched = 1
/** A row that has a gradient. */
const current = 2

/**
 * Which rows of a table have gradients and moments, where few have: an embedding's. Then neither clearing the gradient,
 * nor its norm, nor an update has to go through the whole table.
 *
 * Unless it is told to track them, any row may have a gradient.
 */
export class TableRows {
  /** One byte a row, 0 for those whose moments and gradient are zero; in the memory of the table's kernels. */
  readonly states: Uint8Array
  #isTracking = false

  constructor(states: Uint8Array) {
    this.states = states
  }

  /** Whether only the rows that were added to have gradients. */
  get isTracking(): boolean {
    return this.#isTracking
  }

  /** Sets the gradient to zero, and tracks which rows are added to from now on. */
  clear(table: TableArrays): void {
    if (!this.#isTracking) this.#begin(table)
    const { states } = this
    const width = table.gradient.length / states.length
    for (let row = 0; row < states.length; row++) {
      if (states[row] !== current) continue
      table.gradient.fill(0, row * width, (row + 1) * width)
      states[row] = touched
    }
  }

  /** Says that a row has a gradient. */
  add(row: number): void {
    this.states[row] = current
  }

  /** The rows that have gradients, in order. */
  *current(): Generator<number> {
    for (let row = 0; row < this.states.length; row++) if (this.states[row] === current) yield row
  }

  /** Any row may have a gradient, and any moments, as after they were read from a file. */
  forget(): void {
    this.#isTracking = false
  }

  #begin({ gradient, firstMoment, secondMoment }: TableArrays): void {
    gradient.fill(0)
    const width = gradient.length / this.states.length
    for (let row = 0; row < this.states.length; row++) {
      const [start, end] = [row * width, (row + 1) * width]
      const hasMoments = !isZero(firstMoment, start, end) || !isZero(secondMoment, start, end)
      this.states[row] = hasMoments ? touched : untouched
    }
    this.#isTracking = true
  }
}

function isZero(x: Float32Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (x[i] !== 0) return false
  return true
}
