import { DataError } from '../errors.js'
import { maximumRecordLength } from './lines.js'

/** One row of a table. */
export interface Row {
  readonly values: string[]
  /** The line that it begins in, from 1: a quoted value can span lines. */
  readonly line: number
}

/** The characters that can stand between the values of a row, the likeliest first. */
export const delimiters = ['\t', ',', ';', '|'] as const

/** One of {@link delimiters}. */
export type Delimiter = (typeof delimiters)[number]

/** How a table is written. */
export interface TableSyntax {
  readonly delimiter: Delimiter
  /** Whether a value may stand between `"`, with `""` for a quote in it. */
  readonly quotes: boolean
}

/** What {@link RowSplitter} found at one place: a row and where the next one begins, or nothing that has ended yet. */
type Found = { values: string[]; next: number; lineEnds: number } | undefined

/**
 * Cuts delimiter-separated text that comes in pieces into rows (RFC 4180; text/tab-separated-values, which has no
 * quotes). Rows end with `\n` or `\r\n`, empty lines are skipped, and a quote within an unquoted value is a character
 * like any other.
 */
export class RowSplitter {
  readonly #file: string
  readonly #quotes: boolean
  readonly #valueEnd: RegExp
  #text = ''
  #line = 1

  /** @param file its name, for messages */
  constructor(file: string, { delimiter, quotes }: TableSyntax) {
    this.#file = file
    this.#quotes = quotes
    this.#valueEnd = new RegExp(`[${delimiter}\\n]`, 'g')
  }

  /**
   * The rows that end in the next piece of text.
   *
   * @throws DataError where a quoted value goes on behind its closing quote, or a row is too long
   */
  *push(text: string): Generator<Row, void, undefined> {
    this.#text += text
    yield* this.#rows(false)
    if (this.#text.length > maximumRecordLength) {
      throw new DataError(
        `${this.#file}:${this.#line}: the row is longer than ${maximumRecordLength} characters; is a quote not closed?`,
      )
    }
  }

  /**
   * The last row, where the text does not end with a line end.
   *
   * @throws DataError where a quote is not closed
   */
  *end(): Generator<Row, void, undefined> {
    yield* this.#rows(true)
  }

  *#rows(isEnd: boolean): Generator<Row, void, undefined> {
    let start = 0
    while (start < this.#text.length) {
      const found = this.#row(start, isEnd)
      if (found === undefined) break
      const { values, next, lineEnds } = found
      const isEmptyLine = values.length === 1 && values[0] === '' && this.#text[start] !== '"'
      if (!isEmptyLine) yield { values, line: this.#line }
      start = next
      this.#line += lineEnds
    }
    this.#text = this.#text.slice(start)
  }

  #row(start: number, isEnd: boolean): Found {
    const values: string[] = []
    let lineEnds = 0
    for (let position = start; ; ) {
      const isQuoted = this.#quotes && this.#text[position] === '"'
      const from = isQuoted ? this.#closingQuote(position, isEnd, lineEnds) : position
      if (from === undefined) return undefined
      this.#valueEnd.lastIndex = from
      const found = this.#valueEnd.exec(this.#text)
      if (found === null && !isEnd) return undefined
      const end = found?.index ?? this.#text.length
      let value = this.#text.slice(position, end)
      const endsRow = found === null || found[0] === '\n'
      if (endsRow && value.endsWith('\r')) value = value.slice(0, -1)
      if (isQuoted) {
        lineEnds += count(value, '\n')
        value = this.#unquote(value, from - position, lineEnds)
      }
      values.push(value)
      position = end + 1
      if (endsRow) return { values, next: position, lineEnds: lineEnds + 1 }
    }
  }

  /** Where the quoted value that opens at `start` has its closing quote; undefined where that is still to come. */
  #closingQuote(start: number, isEnd: boolean, lineEnds: number): number | undefined {
    let position = start + 1
    for (;;) {
      position = this.#text.indexOf('"', position)
      if (position < 0) {
        if (!isEnd) return undefined
        throw new DataError(`${this.#file}:${this.#line + lineEnds}: the quote that opens a value here is not closed`)
      }
      if (this.#text[position + 1] !== '"') return position
      position += 2
    }
  }

  #unquote(value: string, closing: number, lineEnds: number): string {
    const behind = value.slice(closing + 1)
    if (behind === '') return value.slice(1, -1).replaceAll('""', '"')
    throw new DataError(
      `${this.#file}:${this.#line + lineEnds}: expected a delimiter or the end of the line behind a closing quote, got ${JSON.stringify(behind.slice(0, 20))}; write a quote within a quoted value twice`,
    )
  }
}

function count(text: string, character: string): number {
  let found = 0
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) found++
  return found
}
