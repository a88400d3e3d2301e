import { Buffer } from 'node:buffer'
import { Tokenizer as NativeLibrary } from 'tokenizers'
import { TokenizerError } from '../errors.js'
import { unknownText } from './characters.js'
import { type CutPlace, safeParts, safePlace } from './safe-cut.js'
import { SequenceTemplate } from './sequence-template.js'
import { findSpecialTokens, type SpecialTokens } from './special-tokens.js'
import type { DecodeOptions, EncodeOptions, Encoding, Tokenizer, TokenizerOptions } from './tokenizer.js'
import { addedTokens, messageOf, parseTokenizer, type TokenizerJson, type TokenizerPart } from './tokenizer-json.js'

type NativeEncoding = Awaited<ReturnType<NativeLibrary['encode']>>

/** Texts longer than this many UTF-16 units are encoded in parts: memory does not grow with them, and all cores work. */
const PART = 1 << 16

/** How many texts, and how many UTF-16 units of them, the library is given at once. */
const BATCH = { texts: 1024, units: 1 << 20 }

/** Hugging Face's native library behind our interface. */
export class NativeTokenizer implements Tokenizer {
  readonly vocabularySize: number
  readonly eosTokenId?: number
  readonly specialTokens: SpecialTokens
  readonly template: SequenceTemplate
  readonly #native: NativeLibrary
  readonly #decoder: ReturnType<NativeLibrary['getDecoder']>
  readonly #text: string
  readonly #json: TokenizerJson
  readonly #special: Set<string>
  readonly #tokens: string[]
  readonly #unknownId: number | undefined
  /** Where long texts can be cut, undefined where they cannot. */
  readonly #place: CutPlace | undefined

  /**
   * @param text a `tokenizer.json`
   * @throws TokenizerError where the text is damaged
   */
  constructor(text: string, { where = 'tokenizer.json', specialTokens }: TokenizerOptions = {}) {
    const json = parseTokenizer(text, where)
    checkCharacterMaps(json.normalizer, where)
    try {
      this.#native = NativeLibrary.fromString(text)
    } catch (cause) {
      throw new TokenizerError(`${where}: not a usable tokenizer.json: ${messageOf(cause)}`, { cause })
    }
    // Files keep the padding and truncation of whoever saved them; ours are the collators' business.
    this.#native.disablePadding()
    this.#native.disableTruncation()
    this.#decoder = this.#native.getDecoder()
    this.#text = text
    this.#json = json
    this.#special = new Set(addedTokens(json).flatMap(({ special, content }) => (special ? [content] : [])))
    this.vocabularySize = this.#native.getVocabSize(true)
    this.#tokens = new Array(this.vocabularySize)
    for (const [token, id] of Object.entries(this.#native.getVocab(true))) this.#tokens[id] = token
    this.#unknownId = json.model.unk_id ?? (json.model.unk_token ? this.tokenToId(json.model.unk_token) : undefined)
    this.#place = safePlace(json)
    this.template = new SequenceTemplate(json.post_processor)
    this.specialTokens = findSpecialTokens(json, (token) => this.tokenToId(token), specialTokens)
    this.eosTokenId = this.specialTokens.eos?.id
  }

  async encode(text: string, options: EncodeOptions = {}): Promise<Encoding> {
    const [encoding] = await this.encodeBatch([text], options)
    return encoding
  }

  async encodeBatch(texts: readonly string[], options: EncodeOptions = {}): Promise<Encoding[]> {
    return this.#encodeAll(texts, options, (encoding, text) => {
      const ids = encoding.getIds()
      this.#checkUnknown(ids, encoding, { text, options })
      const words = encoding.getWordIds().map((word) => word ?? -1)
      return { ids, tokens: this.#tokensOf(ids, encoding), offsets: utf16Offsets(encoding, text), words }
    })
  }

  async encodeToArray(text: string, options: EncodeOptions = {}): Promise<Uint32Array> {
    if (this.#place === undefined || text.length <= PART) return joined(await this.#encodeIds([text], options))
    const { before, after } = this.template
    const parts = [...safeParts(text, PART, this.#place)]
    const ids = await this.#encodeIds(parts, { ...options, addSpecialTokens: false })
    return joined(options.addSpecialTokens === false ? ids : [before, ...ids, after])
  }

  decode(ids: readonly number[] | Uint32Array, options: DecodeOptions = {}): string {
    const tokens: string[] = []
    for (const id of ids) {
      const token = this.#tokens[id]
      if (token !== undefined && !(options.skipSpecialTokens && this.#special.has(token))) tokens.push(token)
    }
    return this.#decoder ? this.#decoder.decode(tokens) : tokens.join(' ')
  }

  tokenToId(token: string): number | undefined {
    return this.#native.tokenToId(token) ?? undefined
  }

  idToToken(id: number): string | undefined {
    return this.#tokens[id]
  }

  toJSON(): string {
    return this.#text
  }

  /** The ids of parts of one text, which follow each other in it. */
  #encodeIds(parts: readonly string[], options: EncodeOptions): Promise<number[][]> {
    let offset = 0
    return this.#encodeAll(parts, options, (encoding, text) => {
      const ids = encoding.getIds()
      this.#checkUnknown(ids, encoding, { text, options, offset })
      offset += text.length
      return ids
    })
  }

  /** Encodes in batches: while one is converted for JavaScript the library's threads work on the next. */
  async #encodeAll<Result>(
    texts: readonly string[],
    { addSpecialTokens = true }: EncodeOptions,
    convert: (encoding: NativeEncoding, text: string) => Result,
  ): Promise<Result[]> {
    const results: Result[] = []
    let pending: { texts: string[]; encodings: Promise<NativeEncoding[]> } | undefined
    const finish = async () => {
      if (pending === undefined) return
      const current = pending
      const encodings = await current.encodings
      current.texts.forEach((text, i) => {
        results.push(convert(encodings[i], text))
      })
    }
    for (const batch of batchesOf(texts)) {
      const encodings = this.#native.encodeBatch(batch, { addSpecialTokens })
      // Where the batch before fails, nobody waits for this one any more.
      encodings.catch(() => {})
      await finish()
      pending = { texts: batch, encodings }
    }
    await finish()
    return results
  }

  /** The tokens of ids; asking the library for them is slow, and needed only where it spells tokens as the text does. */
  #tokensOf(ids: readonly number[], encoding: NativeEncoding): string[] {
    const isUnigram = Array.isArray(this.#json.model.vocab)
    const isSpelled = addedTokens(this.#json).some((token) => token.lstrip || token.rstrip || token.normalized)
    if (isSpelled || (isUnigram && this.#unknownId !== undefined && ids.includes(this.#unknownId))) {
      return encoding.getTokens()
    }
    return ids.map((id) => this.#tokens[id])
  }

  #checkUnknown(
    ids: readonly number[],
    encoding: NativeEncoding,
    { text, options, offset = 0 }: { text: string; options: EncodeOptions; offset?: number },
  ): void {
    if (options.onUnknown !== 'error' || this.#unknownId === undefined || !ids.includes(this.#unknownId)) return
    const unknownToken = this.idToToken(this.#unknownId)
    const offsets = utf16Offsets(encoding, text)
    const found = ids.findIndex((id, i) => id === this.#unknownId && text.slice(...offsets[i]) !== unknownToken)
    if (found >= 0) throw unknownText(text, offsets[found][0], offset)
  }
}

/**
 * Checks the tables of SentencePiece's normalization: the library ends the process where they are damaged.
 *
 * A table is base64 of the length of a trie in bytes (4 bytes, the lowest first), the trie, and texts.
 */
function checkCharacterMaps(part: TokenizerPart | null | undefined, where: string): void {
  if (part?.type === 'Sequence' && Array.isArray(part.normalizers)) {
    for (const step of part.normalizers) checkCharacterMaps(step, where)
  }
  if (part?.type !== 'Precompiled') return
  const map = part.precompiled_charsmap
  const bytes = Buffer.from(typeof map === 'string' ? map : '', 'base64')
  const trie = bytes.length >= 4 ? bytes.readUInt32LE() : 0
  if (trie > 0 && trie % 4 === 0 && trie <= bytes.length - 4) return
  throw new TokenizerError(`${where}: not a usable tokenizer.json: its precompiled_charsmap is damaged`)
}

/** The native library counts code points; strings of JavaScript count UTF-16 units. */
function utf16Offsets(encoding: NativeEncoding, text: string): [number, number][] {
  const offsets = encoding.getOffsets()
  if (!/[\u{10000}-\u{10FFFF}]/u.test(text)) return offsets.map(([start, end]) => [start, end])
  const unitOf = [0]
  for (const character of text) unitOf.push(unitOf[unitOf.length - 1] + character.length)
  return offsets.map(([start, end]) => [unitOf[start], unitOf[end]])
}

function* batchesOf(texts: readonly string[]): Generator<string[]> {
  let batch: string[] = []
  let units = 0
  for (const text of texts) {
    batch.push(text)
    units += text.length
    if (batch.length < BATCH.texts && units < BATCH.units) continue
    yield batch
    batch = []
    units = 0
  }
  if (batch.length > 0) yield batch
}

function joined(lists: readonly (readonly number[])[]): Uint32Array {
  const all = new Uint32Array(lists.reduce((length, ids) => length + ids.length, 0))
  let length = 0
  for (const ids of lists) {
    all.set(ids, length)
    length += ids.length
  }
  return all
}
