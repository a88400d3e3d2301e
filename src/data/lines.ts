import { DataError } from '../errors.js'

/** One line of a text file, without its line end. */
export interface Line {
  readonly text: string
  /** From 1. */
  readonly line: number
}

/** The longest line or record that is read: whatever is longer is not what its file's name says. */
export const maximumRecordLength = 2 ** 26

/** Cuts text that comes in pieces into lines, which end with `\n` or `\r\n`. */
export class LineSplitter {
  readonly #file: string
  #rest = ''
  #line = 0

  /** @param file its name, for messages */
  constructor(file: string) {
    this.#file = file
  }

  /**
   * The lines that end in the next piece of text.
   *
   * @throws DataError where a line is too long
   */
  *push(text: string): Generator<Line, void, undefined> {
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      yield this.#next(this.#rest + text.slice(start, end))
      this.#rest = ''
      start = end + 1
    }
    this.#rest += text.slice(start)
    if (this.#rest.length > maximumRecordLength) {
      throw new DataError(
        `${this.#file}:${this.#line + 1}: the line is longer than ${maximumRecordLength} characters; is this a file of lines?`,
      )
    }
  }

  /** The last line, where the text does not end with a line end. */
  *end(): Generator<Line, void, undefined> {
    if (this.#rest !== '') yield this.#next(this.#rest)
    this.#rest = ''
  }

  #next(text: string): Line {
    return { text: text.endsWith('\r') ? text.slice(0, -1) : text, line: ++this.#line }
  }
}
