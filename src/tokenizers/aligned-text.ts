/**
 * A text that remembers where each of its UTF-16 units comes from in a source text, through changes that make it longer
 * or shorter: what makes it possible to say where in the user's text a token lies.
 */
export class AlignedText {
  readonly text: string
  /** Where in the source the text starts, where it is a plain part of the source. */
  readonly #offset: number
  /** The source's range of each unit, where the text was changed. */
  readonly #ranges: Ranges | undefined

  private constructor(text: string, offset: number, ranges?: Ranges) {
    this.text = text
    this.#offset = offset
    this.#ranges = ranges
  }

  /** A part of the source as it is. @param offset where it starts in the source, in UTF-16 units */
  static of(text: string, offset = 0): AlignedText {
    return new AlignedText(text, offset)
  }

  /**
   * A text put together from pieces, each of which comes from a range of the source.
   *
   * @param pieces calls back with each piece and its range, in order
   */
  static build(pieces: (append: (piece: string, start: number, end: number) => void) => void): AlignedText {
    let text = ''
    const starts: number[] = []
    const ends: number[] = []
    pieces((piece, start, end) => {
      text += piece
      for (let i = 0; i < piece.length; i++) {
        starts.push(start)
        ends.push(end)
      }
    })
    return new AlignedText(text, 0, { starts, ends, first: 0 })
  }

  /** Number of UTF-16 units. */
  get length(): number {
    return this.text.length
  }

  /** Where the unit at `position` starts in the source. */
  startAt(position: number): number {
    return this.#ranges ? this.#ranges.starts[this.#ranges.first + position] : this.#offset + position
  }

  /** Where the unit at `position` ends in the source. */
  endAt(position: number): number {
    return this.#ranges ? this.#ranges.ends[this.#ranges.first + position] : this.#offset + position + 1
  }

  /** A part of the text, which still knows where it comes from. */
  slice(start: number, end = this.length): AlignedText {
    const ranges = this.#ranges && { ...this.#ranges, first: this.#ranges.first + start }
    return new AlignedText(this.text.slice(start, end), this.#offset + start, ranges)
  }

  /** Another spelling of the same length, unit by unit. */
  respelled(text: string): AlignedText {
    return new AlignedText(text, this.#offset, this.#ranges)
  }

  /** The text with something in front that counts as part of its first character. */
  prepended(prefix: string): AlignedText {
    if (this.length === 0) return this
    const first = characterLength(this.text, 0)
    return AlignedText.build((append) => {
      append(prefix, this.startAt(0), this.endAt(first - 1))
      this.copy(0, this.length, append)
    })
  }

  /** Appends a part as it is, character by character. */
  copy(from: number, to: number, append: (piece: string, start: number, end: number) => void): void {
    for (let i = from; i < to; ) {
      const length = characterLength(this.text, i)
      append(this.text.slice(i, i + length), this.startAt(i), this.endAt(i + length - 1))
      i += length
    }
  }
}

interface Ranges {
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  /** Where the text's own ranges begin. */
  readonly first: number
}

/** The number of UTF-16 units of the character at `position`. */
export function characterLength(text: string, position: number): 1 | 2 {
  return (text.codePointAt(position) ?? 0) > 0xffff ? 2 : 1
}
