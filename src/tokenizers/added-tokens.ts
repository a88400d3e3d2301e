import type { AlignedText } from './aligned-text.js'
import { spaceEnd, spaceStart } from './character-classes.js'
import type { AddedToken } from './tokenizer-json.js'

/** A part of a text: text for the model, or an added token. */
export interface Section {
  readonly text: AlignedText
  readonly token?: AddedToken | undefined
}

/**
 * Finds added tokens in texts, the leftmost first and of those that begin together the longest; tokens may be bound to
 * whole words and may take the white space on their left or right.
 */
export class AddedTokenFinder {
  readonly #tokens: ReadonlyMap<string, AddedToken>
  readonly #pattern: RegExp | undefined

  /** @param spelling how each token is spelled in the text, normalized or not */
  constructor(tokens: readonly AddedToken[], spelling: (token: AddedToken) => string = ({ content }) => content) {
    this.#tokens = new Map(tokens.map((token) => [spelling(token), token]))
    const spellings = [...this.#tokens.keys()].filter((text) => text !== '').sort((a, b) => b.length - a.length)
    const escaped = spellings.map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
    this.#pattern = escaped.length > 0 ? new RegExp(escaped.join('|'), 'gu') : undefined
  }

  /** Whether there are tokens to find. */
  get isUsed(): boolean {
    return this.#pattern !== undefined
  }

  /** The parts of a text in order, without empty ones. */
  split(text: AlignedText): Section[] {
    if (this.#pattern === undefined) return text.length > 0 ? [{ text }] : []
    const sections: Section[] = []
    let position = 0
    for (const { 0: match, index } of text.text.matchAll(this.#pattern)) {
      const token = this.#tokens.get(match)
      const [start, end] = token ? extent(text.text, { token, start: index, end: index + match.length }) : [0, 0]
      if (token === undefined || end === 0) continue
      const from = Math.max(start, position)
      if (from > position) sections.push({ text: text.slice(position, from) })
      sections.push({ text: text.slice(from, end), token })
      position = end
    }
    if (position < text.length) sections.push({ text: text.slice(position) })
    return sections
  }
}

/** What a found token takes of the text; [0, 0] where it had to be a word of its own and is not. */
function extent(text: string, found: { token: AddedToken; start: number; end: number }): [start: number, end: number] {
  const { token, start, end } = found
  const isWord = (around: string) => /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u.test(around)
  const before = [...text.slice(Math.max(0, start - 2), start)].at(-1) ?? ''
  if (token.single_word && (isWord(before) || isWord(String.fromCodePoint(text.codePointAt(end) ?? 0)))) return [0, 0]
  return [token.lstrip ? spaceStart(text, start) : start, token.rstrip ? spaceEnd(text, end) : end]
}
