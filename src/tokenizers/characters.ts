import { TokenizerError } from '../errors.js'
import { SequenceTemplate } from './sequence-template.js'
import { findSpecialTokens, type SpecialTokens } from './special-tokens.js'
import type { DecodeOptions, EncodeOptions, Encoding, Tokenizer, TokenizerOptions } from './tokenizer.js'
import { addedTokens, modelVocabulary, parseTokenizer, type TokenizerJson } from './tokenizer-json.js'

/** The token for characters that a character tokenizer does not know. */
export const UNKNOWN_TOKEN = '<unk>'

/** Makes every code point, line ends included, a word of its own. */
const EVERY_CHARACTER = { type: 'Split', pattern: { Regex: '[\\s\\S]' }, behavior: 'Isolated', invert: false }

/**
 * A tokenizer with one token for each Unicode code point of a text, in code point order, after `<unk>` (id 0) and the
 * special tokens.
 *
 * @param text what to take the characters from
 * @param specialTokens further tokens that text is not encoded to, like '<|endoftext|>'
 * @returns a `tokenizer.json` that every Hugging Face implementation opens
 * @throws TokenizerError for half of a surrogate pair, which no file can hold, and for a special token given twice
 */
export function trainCharacterTokenizer(text: string, specialTokens: readonly string[] = []): string {
  const characters = new Set(text)
  for (const character of characters) {
    if (isLoneSurrogate(character)) {
      throw new TokenizerError(
        `Character tokenizer: expected well-formed text, got half a surrogate pair (${codePointName(character)}) at position ${text.search(/\p{Surrogate}/u)}; replace it`,
      )
    }
  }
  const special = [UNKNOWN_TOKEN, ...specialTokens]
  if (new Set(special).size < special.length || special.some((token) => token === '' || characters.has(token))) {
    throw new TokenizerError(
      `Character tokenizer: expected special tokens that differ from each other, ${UNKNOWN_TOKEN} and all characters, got ${specialTokens.join(' ')}`,
    )
  }
  const sorted = [...characters].sort((a, b) => codePoint(a) - codePoint(b))
  const vocabulary = Object.fromEntries([...special, ...sorted].map((token, id) => [token, id]))
  return JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: EVERY_CHARACTER,
    post_processor: null,
    decoder: { type: 'Fuse' },
    model: { type: 'WordLevel', vocab: vocabulary, unk_token: UNKNOWN_TOKEN },
  })
}

/** Whether a `tokenizer.json` is of the kind that {@link trainCharacterTokenizer} writes. */
export function isCharacterTokenizer(json: TokenizerJson): boolean {
  const split = JSON.stringify(json.pre_tokenizer) === JSON.stringify(EVERY_CHARACTER)
  const plain = !json.normalizer && !json.post_processor && json.model.type === 'WordLevel'
  const verbatim = addedTokens(json).every((token) => !token.single_word && !token.lstrip && !token.rstrip)
  return split && plain && verbatim && json.decoder?.type === 'Fuse'
}

/**
 * A character tokenizer in plain JavaScript, equal to the native one and many times faster: for one token a character a
 * table is enough.
 */
export class CharacterTokenizer implements Tokenizer {
  readonly vocabularySize: number
  readonly eosTokenId?: number
  readonly specialTokens: SpecialTokens
  readonly template = new SequenceTemplate()
  readonly #text: string
  readonly #ids = new Map<string, number>()
  readonly #tokens: string[] = []
  readonly #special: Set<number>
  readonly #unknownId: number
  /** Ids of the characters that are one UTF-16 unit, -1 for none. */
  readonly #unitIds = new Int32Array(0x10000).fill(-1)
  /** Finds added tokens, the longest first; undefined where there are none. */
  readonly #added: RegExp | undefined

  /**
   * @param text a `tokenizer.json` for which {@link isCharacterTokenizer} holds
   * @throws TokenizerError for another kind of tokenizer
   */
  constructor(text: string, { where = 'Character tokenizer', specialTokens }: TokenizerOptions = {}) {
    const json = parseTokenizer(text, where)
    if (!isCharacterTokenizer(json)) {
      throw new TokenizerError(`${where}: expected one token a character, got a ${json.model.type} tokenizer`)
    }
    this.#text = text
    for (const [token, id] of modelVocabulary(json)) this.#add(token, id)
    for (const { content, id } of addedTokens(json)) this.#add(content, id)
    for (const [token, id] of this.#ids) if (token.length === 1) this.#unitIds[token.charCodeAt(0)] = id
    this.#special = new Set(addedTokens(json).flatMap(({ special, id }) => (special ? [id] : [])))
    this.#unknownId = this.#ids.get(json.model.unk_token ?? UNKNOWN_TOKEN) ?? -1
    this.#added = patternOf(addedTokens(json).map(({ content }) => content))
    this.vocabularySize = this.#ids.size
    this.specialTokens = findSpecialTokens(json, (token) => this.#ids.get(token), specialTokens)
    this.eosTokenId = this.specialTokens.eos?.id
  }

  async encode(text: string, options?: EncodeOptions): Promise<Encoding> {
    const ids = await this.encodeToArray(text, options)
    const encoding: Encoding = { ids: Array.from(ids), tokens: [], offsets: [], words: [] }
    let position = 0
    for (const id of ids) {
      const token = this.#tokens[id]
      const end = position + (text.startsWith(token, position) ? token.length : codePointLength(text, position))
      encoding.tokens.push(token)
      encoding.words.push(encoding.offsets.length)
      encoding.offsets.push([position, end])
      position = end
    }
    return encoding
  }

  async encodeBatch(texts: readonly string[], options?: EncodeOptions): Promise<Encoding[]> {
    return Promise.all(texts.map((text) => this.encode(text, options)))
  }

  async encodeToArray(text: string, options: EncodeOptions = {}): Promise<Uint32Array> {
    const ids = new Uint32Array(text.length)
    let count = 0
    let start = 0
    for (const match of this.#added ? text.matchAll(this.#added) : []) {
      count = this.#encodeCharacters(text, { start, end: match.index, ids, count }, options)
      ids[count++] = this.#ids.get(match[0])!
      start = match.index + match[0].length
    }
    count = this.#encodeCharacters(text, { start, end: text.length, ids, count }, options)
    return ids.slice(0, count)
  }

  decode(ids: readonly number[] | Uint32Array, options: DecodeOptions = {}): string {
    let text = ''
    for (const id of ids) {
      if (!(options.skipSpecialTokens && this.#special.has(id))) text += this.#tokens[id] ?? ''
    }
    return text
  }

  tokenToId(token: string): number | undefined {
    return this.#ids.get(token)
  }

  idToToken(id: number): string | undefined {
    return this.#tokens[id]
  }

  toJSON(): string {
    return this.#text
  }

  #add(token: string, id: number): void {
    this.#ids.set(token, id)
    this.#tokens[id] = token
  }

  /** Writes the ids of `text` from `start` to `end` at `count`; returns the new count. */
  #encodeCharacters(
    text: string,
    range: { start: number; end: number; ids: Uint32Array; count: number },
    options: EncodeOptions,
  ): number {
    const { end, ids } = range
    let count = range.count
    for (let i = range.start; i < end; ) {
      const length = codePointLength(text, i)
      const known = length === 1 ? this.#unitIds[text.charCodeAt(i)] : (this.#ids.get(text.slice(i, i + 2)) ?? -1)
      const id = known >= 0 ? known : this.#unknown(text, i, options)
      ids[count++] = id
      i += length
    }
    return count
  }

  #unknown(text: string, position: number, options: EncodeOptions): number {
    if (this.#unknownId < 0 || options.onUnknown === 'error') throw unknownText(text, position)
    return this.#unknownId
  }
}

/**
 * The error for a character that a vocabulary lacks.
 *
 * @param position in UTF-16 units
 * @param offset where `text` starts in what the user gave
 */
export function unknownText(text: string, position: number, offset = 0): TokenizerError {
  const character = String.fromCodePoint(text.codePointAt(position) ?? 0)
  return new TokenizerError(
    `Tokenizer: the vocabulary has no token for ${JSON.stringify(character)} (${codePointName(character)}) at position ${offset + position}; train the tokenizer on text that contains it, or allow the unknown token`,
  )
}

function patternOf(tokens: string[]): RegExp | undefined {
  const present = tokens.filter((token) => token !== '').sort((a, b) => b.length - a.length)
  if (present.length === 0) return undefined
  return new RegExp(present.map((token) => token.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g')
}

function codePoint(character: string): number {
  return character.codePointAt(0) ?? 0
}

function codePointLength(text: string, position: number): 1 | 2 {
  return (text.codePointAt(position) ?? 0) > 0xffff ? 2 : 1
}

function codePointName(character: string): string {
  return `U+${codePoint(character).toString(16).toUpperCase().padStart(4, '0')}`
}

function isLoneSurrogate(character: string): boolean {
  return character.length === 1 && codePoint(character) >= 0xd800 && codePoint(character) <= 0xdfff
}
