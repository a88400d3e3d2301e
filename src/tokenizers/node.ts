import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Tokenizer as NativeTokenizer } from 'tokenizers'
import { TokenizerError } from '../errors.js'
import { CharacterTokenizer, isCharacterTokenizer, unknownText } from './characters.js'
import type { DecodeOptions, EncodeOptions, Encoding, Tokenizer } from './tokenizer.js'
import {
  addedTokens,
  byteLevelBpe,
  endOfSequenceId,
  messageOf,
  parseTokenizer,
  type TokenizerJson,
} from './tokenizer-json.js'

/** The names under which GPT-2's two-file format is published. */
const VOCABULARY_AND_MERGES = [
  ['vocab.json', 'merges.txt'],
  ['encoder.json', 'vocab.bpe'],
] as const

type NativeEncoding = Awaited<ReturnType<NativeTokenizer['encode']>>

/**
 * Opens the tokenizer of a checkpoint directory: `tokenizer.json`, or else `vocab.json` with `merges.txt` (GPT-2). The
 * end-of-sequence token is the one that `tokenizer_config.json` or `special_tokens_map.json` names.
 *
 * @throws TokenizerError where the files are missing or damaged
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer> {
  const eosToken = await configuredEosToken(directory)
  const path = join(directory, 'tokenizer.json')
  if (existsSync(path)) return createTokenizer(await read(path), { where: path, eosToken })
  for (const names of VOCABULARY_AND_MERGES) {
    const [vocabulary, merges] = names.map((name) => join(directory, name))
    if (!existsSync(vocabulary) || !existsSync(merges)) continue
    const json = byteLevelBpe(await read(vocabulary), await read(merges), `${vocabulary}, ${merges}`)
    return createTokenizer(json, { where: vocabulary, eosToken })
  }
  throw new TokenizerError(
    `${directory}: expected tokenizer.json, or vocab.json with merges.txt, found none of them; give the directory of a checkpoint`,
  )
}

/**
 * A tokenizer from the text of a `tokenizer.json`: character tokenizers in JavaScript, all others in native code.
 *
 * @param options.where what to call it in errors
 * @param options.eosToken the token that ends a text; by default one of the usual names
 * @throws TokenizerError where the text is damaged
 */
export function createTokenizer(text: string, options: { where?: string; eosToken?: string } = {}): Tokenizer {
  const { where = 'tokenizer.json', eosToken } = options
  const json = parseTokenizer(text, where)
  if (isCharacterTokenizer(json)) return new CharacterTokenizer(text, eosToken)
  let native: NativeTokenizer
  try {
    native = NativeTokenizer.fromString(text)
  } catch (cause) {
    throw new TokenizerError(`${where}: not a usable tokenizer.json: ${messageOf(cause)}`, { cause })
  }
  return new NodeTokenizer(native, text, json, eosToken)
}

/** Hugging Face's native library behind our interface. */
class NodeTokenizer implements Tokenizer {
  readonly vocabularySize: number
  readonly eosTokenId?: number
  readonly #native: NativeTokenizer
  readonly #decoder: ReturnType<NativeTokenizer['getDecoder']>
  readonly #text: string
  readonly #special: Set<string>
  readonly #unknownId: number | undefined

  constructor(native: NativeTokenizer, text: string, json: TokenizerJson, eosToken: string | undefined) {
    // Files keep the padding and truncation of whoever saved them; ours are the collators' business.
    native.disablePadding()
    native.disableTruncation()
    this.#native = native
    this.#decoder = native.getDecoder()
    this.#text = text
    this.#special = new Set(addedTokens(json).flatMap(({ special, content }) => (special ? [content] : [])))
    this.#unknownId = json.model.unk_id ?? (json.model.unk_token ? this.tokenToId(json.model.unk_token) : undefined)
    this.vocabularySize = native.getVocabSize(true)
    this.eosTokenId = endOfSequenceId(json, eosToken) ?? (eosToken === undefined ? undefined : this.tokenToId(eosToken))
  }

  async encode(text: string, options: EncodeOptions = {}): Promise<Encoding> {
    const { addSpecialTokens = true } = options
    return this.#convert(await this.#native.encode(text, null, { addSpecialTokens }), text, options)
  }

  async encodeBatch(texts: readonly string[], options: EncodeOptions = {}): Promise<Encoding[]> {
    const { addSpecialTokens = true } = options
    const encodings = await this.#native.encodeBatch([...texts], { addSpecialTokens })
    return encodings.map((encoding, i) => this.#convert(encoding, texts[i], options))
  }

  async encodeToArray(text: string, options: EncodeOptions = {}): Promise<Uint32Array> {
    const { addSpecialTokens = true } = options
    const encoding = await this.#native.encode(text, null, { addSpecialTokens })
    const ids = encoding.getIds()
    this.#checkUnknown(ids, encoding, text, options)
    return Uint32Array.from(ids)
  }

  decode(ids: readonly number[] | Uint32Array, options: DecodeOptions = {}): string {
    const tokens: string[] = []
    for (const id of ids) {
      const token = this.#native.idToToken(id)
      if (token !== null && !(options.skipSpecialTokens && this.#special.has(token))) tokens.push(token)
    }
    return this.#decoder ? this.#decoder.decode(tokens) : tokens.join(' ')
  }

  tokenToId(token: string): number | undefined {
    return this.#native.tokenToId(token) ?? undefined
  }

  idToToken(id: number): string | undefined {
    return this.#native.idToToken(id) ?? undefined
  }

  toJSON(): string {
    return this.#text
  }

  #convert(encoding: NativeEncoding, text: string, options: EncodeOptions): Encoding {
    const ids = encoding.getIds()
    this.#checkUnknown(ids, encoding, text, options)
    return { ids, tokens: encoding.getTokens(), offsets: utf16Offsets(encoding, text) }
  }

  #checkUnknown(ids: readonly number[], encoding: NativeEncoding, text: string, options: EncodeOptions): void {
    if (options.onUnknown !== 'error' || this.#unknownId === undefined || !ids.includes(this.#unknownId)) return
    const unknownToken = this.idToToken(this.#unknownId)
    const offsets = utf16Offsets(encoding, text)
    const found = ids.findIndex((id, i) => id === this.#unknownId && text.slice(...offsets[i]) !== unknownToken)
    if (found >= 0) throw unknownText(text, offsets[found][0])
  }
}

/** The native library counts code points; strings of JavaScript count UTF-16 units. */
function utf16Offsets(encoding: NativeEncoding, text: string): [number, number][] {
  const offsets = encoding.getOffsets()
  if (!/[\u{10000}-\u{10FFFF}]/u.test(text)) return offsets.map(([start, end]) => [start, end])
  const unitOf = [0]
  for (const character of text) unitOf.push(unitOf[unitOf.length - 1] + character.length)
  return offsets.map(([start, end]) => [unitOf[start], unitOf[end]])
}

async function configuredEosToken(directory: string): Promise<string | undefined> {
  for (const name of ['tokenizer_config.json', 'special_tokens_map.json']) {
    const path = join(directory, name)
    if (!existsSync(path)) continue
    const eosToken = eosTokenOf(await read(path), path)
    if (eosToken !== undefined) return eosToken
  }
  return undefined
}

/** The `eos_token` of a configuration: a text, or an object with the text as `content`. */
function eosTokenOf(text: string, path: string): string | undefined {
  let config: { eos_token?: string | { content?: string } | null }
  try {
    config = JSON.parse(text)
  } catch (cause) {
    throw new TokenizerError(`${path}: expected JSON, got ${messageOf(cause)}; the file is damaged`, { cause })
  }
  const eosToken = config?.eos_token
  return typeof eosToken === 'object' ? eosToken?.content : eosToken
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new TokenizerError(`${path}: cannot be read: ${messageOf(cause)}`, { cause })
  }
}
