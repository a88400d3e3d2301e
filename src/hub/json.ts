/** Where a JSON text is not valid, found by {@link findJsonProblem}. */
export interface JsonProblem {
  /** Index of the first character that does not belong, in UTF-16 units; the text's length where it ends too early. */
  offset: number
  /** What is wrong there: `unexpected character "x"`, `the text ends too early`, `duplicate key "x"`. */
  problem: string
}

type State = 'value' | 'item-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' | 'end'

interface Scan {
  /** The containers that are open: the keys seen so far of an object, null for an array. */
  stack: Array<Set<string> | null>
  state: State
}

/**
 * The first syntax error or duplicate key of a JSON text (RFC 8259), or undefined where there is none.
 *
 * `JSON.parse` silently keeps the last of two equal keys, and its messages name a position only sometimes.
 */
export function findJsonProblem(text: string): JsonProblem | undefined {
  const token = /[{}[\],:]|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null/y
  const scan: Scan = { stack: [], state: 'value' }
  let offset = skipSpace(text, 0)
  while (offset < text.length) {
    let end: number
    if (text[offset] === '"') {
      const string = scanString(text, offset)
      if (!string.closed) return unexpected(text, string.end)
      end = string.end
      const problem = advanceString(scan, text.slice(offset, end))
      if (problem) return problem === 'unexpected' ? unexpected(text, offset) : { offset, problem }
    } else {
      token.lastIndex = offset
      const match = token.exec(text)
      if (!match || !advance(scan, match[0])) return unexpected(text, offset)
      end = token.lastIndex
    }
    offset = skipSpace(text, end)
  }
  return scan.state === 'end' ? undefined : unexpected(text, offset)
}

/**
 * Where an index lies in a text, as editors count.
 *
 * @param offset index in UTF-16 units
 * @returns `line:column`, both from 1
 */
export function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split('\n')
  return `${before.length}:${before[before.length - 1].length + 1}`
}

function unexpected(text: string, offset: number): JsonProblem {
  if (offset >= text.length) return { offset: text.length, problem: 'the text ends too early' }
  const character = String.fromCodePoint(text.codePointAt(offset) ?? 0)
  return { offset, problem: `unexpected character ${JSON.stringify(character)}` }
}

function skipSpace(text: string, offset: number): number {
  let end = offset
  while (end < text.length && ' \t\n\r'.includes(text[end])) end++
  return end
}

/** The string that opens at `start`: a loop, because a regular expression overflows its stack on very long ones. */
function scanString(text: string, start: number): { closed: boolean; end: number } {
  const escaped = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y
  let end = start + 1
  while (end < text.length) {
    const code = text.charCodeAt(end)
    if (code === 0x22) return { closed: true, end: end + 1 }
    if (code < 0x20) break
    if (code === 0x5c) {
      escaped.lastIndex = end
      if (!escaped.test(text)) break
      end = escaped.lastIndex
    } else {
      end++
    }
  }
  return { closed: false, end }
}

/** Takes one string; returns what is wrong with it, if anything. */
function advanceString(scan: Scan, literal: string): string | undefined {
  if (scan.state !== 'key' && scan.state !== 'key-or-end') return advance(scan, literal) ? undefined : 'unexpected'
  const key: string = JSON.parse(literal)
  const keys = scan.stack.at(-1)
  if (keys?.has(key)) return `duplicate key ${JSON.stringify(key)}`
  keys?.add(key)
  scan.state = 'colon'
  return undefined
}

/** Takes one token that is not a key; false where it does not belong. */
function advance(scan: Scan, token: string): boolean {
  const { stack, state } = scan
  const valueFits = state === 'value' || state === 'item-or-end'
  switch (token) {
    case '{':
    case '[':
      stack.push(token === '{' ? new Set() : null)
      scan.state = token === '{' ? 'key-or-end' : 'item-or-end'
      return valueFits
    case ':':
      scan.state = 'value'
      return state === 'colon'
    case ',':
      scan.state = stack.at(-1) === null ? 'value' : 'key'
      return state === 'comma-or-end'
    case '}':
    case ']':
      if (state !== 'comma-or-end' && state !== (token === '}' ? 'key-or-end' : 'item-or-end')) return false
      if ((stack.pop() === null) !== (token === ']')) return false
      break
    default:
      if (!valueFits) return false
  }
  scan.state = stack.length === 0 ? 'end' : 'comma-or-end'
  return true
}
