import { DataError } from '../errors.js'
import { findJsonProblem, lineAndColumn } from '../hub/json.js'
import { maximumRecordLength } from './lines.js'

/** The text of one JSON value in a file. */
export interface JsonText {
  readonly text: string
  /** The line that it begins in, from 1. */
  readonly line: number
  /** Whether nothing stands before it in this line, so that columns can be counted. */
  readonly startsLine: boolean
}

/**
 * The value of a JSON text.
 *
 * @param file where it comes from, for messages
 * @throws DataError `file:line:column: expected JSON: problem`, without the column where it is not known
 */
export function parseJson({ text, line, startsLine }: JsonText, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const found = findJsonProblem(text) ?? { offset: 0, problem: 'not valid' }
    const [lines, column] = lineAndColumn(text, found.offset).split(':').map(Number)
    const place = startsLine || lines > 1 ? `${line + lines - 1}:${column}` : line
    throw new DataError(`${file}:${place}: expected JSON: ${found.problem}`, { cause })
  }
}

/**
 * Cuts a JSON array that comes in pieces into the texts of its values, so that an array of any length is read a value at
 * a time. Only brackets, quotes and commas are looked at here: whether a value is valid shows when it is parsed.
 */
export class JsonArraySplitter {
  readonly #file: string
  #state: 'before' | 'value' | 'after' = 'before'
  #line = 1
  #depth = 0
  #inString = false
  #escaped = false
  /** The line that the present value began in; undefined where it has not begun. */
  #valueLine: number | undefined
  /** The part of the present value in earlier pieces. */
  #value = ''
  #count = 0

  /** @param file its name, for messages */
  constructor(file: string) {
    this.#file = file
  }

  /**
   * The values that end in the next piece of text.
   *
   * @throws DataError where the text is not an array, or goes on after it
   */
  *push(text: string): Generator<JsonText, void, undefined> {
    let start = 0
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code === 0x0a) this.#line++
      if (this.#inString) {
        this.#insideString(code)
      } else if (!isSpace(code)) {
        if (this.#state !== 'value') this.#open(text, i)
        else if (this.#depth === 0 && (code === comma || code === closingBracket)) {
          yield* this.#take(text.slice(start, i), code)
        } else {
          if (this.#valueLine === undefined) start = i
          this.#insideValue(code)
        }
      }
    }
    if (this.#valueLine !== undefined) this.#keep(text.slice(start))
  }

  /**
   * No further values.
   *
   * @throws DataError where the array has not ended
   */
  end(): JsonText[] {
    if (this.#state !== 'after') throw this.#problem(this.#line, 'the text ends too early')
    return []
  }

  #insideString(code: number): void {
    if (this.#escaped) this.#escaped = false
    else if (code === backslash) this.#escaped = true
    else if (code === quote) this.#inString = false
  }

  #open(text: string, position: number): void {
    const character = String.fromCodePoint(text.codePointAt(position) ?? 0)
    if (this.#state === 'after' || character !== '[') throw this.#unexpected(character)
    this.#state = 'value'
  }

  #insideValue(code: number): void {
    this.#valueLine ??= this.#line
    if (code === quote) this.#inString = true
    else if (code === openingBrace || code === openingBracket) this.#depth++
    else if (code === closingBrace || code === closingBracket) this.#depth--
    if (this.#depth < 0) throw this.#unexpected('}')
  }

  /** Ends a value at the comma or bracket behind it. */
  *#take(text: string, end: number): Generator<JsonText, void, undefined> {
    if (this.#valueLine !== undefined) yield { text: this.#value + text, line: this.#valueLine, startsLine: false }
    else if (this.#count > 0 || end === comma) throw this.#unexpected(String.fromCharCode(end))
    this.#count++
    this.#value = ''
    this.#valueLine = undefined
    if (end === closingBracket) this.#state = 'after'
  }

  #keep(text: string): void {
    this.#value += text
    if (this.#value.length <= maximumRecordLength) return
    throw this.#problem(this.#valueLine ?? 1, `the value is longer than ${maximumRecordLength} characters`)
  }

  #unexpected(character: string): DataError {
    return this.#problem(this.#line, `unexpected character ${JSON.stringify(character)}`)
  }

  #problem(line: number, problem: string): DataError {
    return new DataError(`${this.#file}:${line}: expected a JSON array: ${problem}`)
  }
}

const quote = 0x22
const comma = 0x2c
const openingBracket = 0x5b
const backslash = 0x5c
const closingBracket = 0x5d
const openingBrace = 0x7b
const closingBrace = 0x7d

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}
