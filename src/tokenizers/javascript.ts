import { AddedTokenFinder, type Section } from './added-tokens.js'
import { AlignedText } from './aligned-text.js'
import { BYTE_CHARACTERS } from './byte-level.js'
import { ByteLevelEncoder, IdList } from './byte-level-encoder.js'
import { BytePairModel } from './byte-pair-model.js'
import { unknownText } from './characters.js'
import { createDecoder, type DecodeStep } from './decoders.js'
import { createModel, type WordModel } from './models.js'
import { createNormalizer, type Normalizer } from './normalizers.js'
import { createPostProcessor, type PostProcessor, trimOffsets } from './post-processors.js'
import { createPreTokenizer, type PreTokenizer } from './pre-tokenizers.js'
import type { DecodeOptions, EncodeOptions, Encoding, Tokenizer } from './tokenizer.js'
import { addedTokens, endOfSequenceId, modelVocabulary, parseTokenizer, type TokenizerJson } from './tokenizer-json.js'

/**
 * Whether a tokenizer is byte-level byte-pair encoding as GPT-2's, without normalization: then a text's words can be
 * looked up as they are.
 */
export function isByteLevel({ model, normalizer, pre_tokenizer: split }: TokenizerJson): boolean {
  const isPlain = model.type === 'BPE' && !model.unk_token && !model.byte_fallback && !model.dropout
  const hasAffixes = Boolean(model.continuing_subword_prefix || model.end_of_word_suffix || model.ignore_merges)
  const splits = split?.type === 'ByteLevel' && split.add_prefix_space === false && split.use_regex !== false
  const vocabulary = model.vocab
  if (!isPlain || hasAffixes || normalizer || !splits || typeof vocabulary !== 'object' || !vocabulary) return false
  return BYTE_CHARACTERS.every((character) => Object.hasOwn(vocabulary, character))
}

/**
 * A `tokenizer.json` in plain JavaScript, equal to Hugging Face's native library in ids, tokens, offsets and decoding.
 *
 * Limits: engines know other versions of Unicode than the library's tables, so that BERT's cleaning and NFKC may differ
 * for characters of rare scripts that came after Unicode 8; SentencePiece's own normalization tables (`Precompiled`) are
 * taken for nmt_nfkc; byte-pair dropout is ignored.
 */
export class JavaScriptTokenizer implements Tokenizer {
  readonly vocabularySize: number
  readonly eosTokenId?: number
  readonly #text: string
  readonly #ids: Map<string, number>
  readonly #tokens: string[]
  readonly #special: ReadonlySet<number>
  readonly #unknownId: number | undefined
  readonly #isUnigram: boolean
  readonly #verbatim: AddedTokenFinder
  readonly #normalized: AddedTokenFinder
  readonly #normalizer: Normalizer | undefined
  readonly #preTokenizer: PreTokenizer | undefined
  readonly #postProcessor: PostProcessor
  readonly #decoder: DecodeStep | undefined
  readonly #model: WordModel
  /** Set where the tokenizer is {@link isByteLevel}: many times faster than the general way. */
  readonly #byteLevel: ByteLevelEncoder | undefined

  /**
   * @param text a `tokenizer.json`
   * @param options.where what to call it in errors
   * @param options.eosToken the token that ends a text; by default one of the usual names
   * @throws TokenizerError where it is damaged, and for parts that do not exist in JavaScript
   */
  constructor(text: string, { where = 'tokenizer.json', eosToken }: { where?: string; eosToken?: string } = {}) {
    const json = parseTokenizer(text, where)
    const added = addedTokens(json)
    this.#text = text
    this.#ids = new Map(modelVocabulary(json))
    for (const { content, id } of added) this.#ids.set(content, id)
    this.#tokens = new Array(this.#ids.size)
    for (const [token, id] of this.#ids) this.#tokens[id] = token
    this.#special = new Set(added.flatMap(({ special, id }) => (special ? [id] : [])))
    this.#unknownId = json.model.unk_id ?? (json.model.unk_token ? this.#ids.get(json.model.unk_token) : undefined)
    this.#isUnigram = Array.isArray(json.model.vocab)
    this.#normalizer = json.normalizer ? createNormalizer(json.normalizer) : undefined
    this.#preTokenizer = json.pre_tokenizer ? createPreTokenizer(json.pre_tokenizer) : undefined
    this.#postProcessor = json.post_processor ? createPostProcessor(json.post_processor) : noAffixes
    this.#decoder = json.decoder ? createDecoder(json.decoder) : undefined
    this.#model = createModel(json)
    if (isByteLevel(json) && this.#model instanceof BytePairModel) {
      this.#byteLevel = new ByteLevelEncoder(this.#model, this.#ids)
    }
    const isNormalized = (token: (typeof added)[number]) => token.normalized ?? !token.special
    this.#verbatim = new AddedTokenFinder(added.filter((token) => !isNormalized(token)))
    this.#normalized = new AddedTokenFinder(
      added.filter(isNormalized),
      ({ content }) => this.#normalizer?.apply(content) ?? content,
    )
    this.vocabularySize = this.#ids.size
    this.eosTokenId = endOfSequenceId(json, eosToken) ?? (eosToken === undefined ? undefined : this.#ids.get(eosToken))
  }

  async encode(text: string, options: EncodeOptions = {}): Promise<Encoding> {
    const { addSpecialTokens = true } = options
    const encoding = this.#encodeText(text)
    this.#checkUnknown(encoding, text, options)
    const { before, after, trim } = this.#postProcessor
    if (trim) trimOffsets(encoding, trim)
    if (!addSpecialTokens || before.length + after.length === 0) return encoding
    const ids = [...before, ...encoding.ids, ...after]
    const none = (some: readonly number[]): [number, number][] => some.map(() => [0, 0])
    return {
      ids,
      tokens: [...before.map(this.#tokenOf), ...encoding.tokens, ...after.map(this.#tokenOf)],
      offsets: [...none(before), ...encoding.offsets, ...none(after)],
    }
  }

  async encodeBatch(texts: readonly string[], options?: EncodeOptions): Promise<Encoding[]> {
    return Promise.all(texts.map((text) => this.encode(text, options)))
  }

  async encodeToArray(text: string, options: EncodeOptions = {}): Promise<Uint32Array> {
    if (this.#byteLevel === undefined) return Uint32Array.from((await this.encode(text, options)).ids)
    const { before, after } = options.addSpecialTokens === false ? noAffixes : this.#postProcessor
    const ids = new IdList(text.length / 3)
    ids.append(before, 0, before.length)
    for (const { text: part, token } of this.#sections(text)) {
      if (token) ids.append([token.id], 0, 1)
      else this.#byteLevel.appendIds(part.text, ids)
    }
    ids.append(after, 0, after.length)
    return ids.toArray()
  }

  decode(ids: readonly number[] | Uint32Array, options: DecodeOptions = {}): string {
    const tokens: string[] = []
    for (const id of ids) {
      const token = this.#tokens[id]
      if (token !== undefined && !(options.skipSpecialTokens && this.#special.has(id))) tokens.push(token)
    }
    if (tokens.length === 0) return ''
    return this.#decoder ? this.#decoder(tokens).join('') : tokens.join(' ')
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

  readonly #tokenOf = (id: number) => this.#tokens[id] ?? ''

  /** The tokens of the text alone. */
  #encodeText(text: string): Encoding {
    const encoding: Encoding = { ids: [], tokens: [], offsets: [] }
    for (const { text: part, token } of this.#sections(text)) {
      if (token) append(encoding, part, { id: token.id, token: part.text })
      else if (this.#byteLevel) this.#encodeBytes(part, encoding)
      else for (const word of this.#preTokenizer?.(part) ?? [part]) this.#encodeWord(word, encoding)
    }
    return encoding
  }

  /** The normalized text between added tokens, and these. */
  #sections(text: string): Section[] {
    return this.#verbatim
      .split(AlignedText.of(wellFormed(text)))
      .flatMap((section) =>
        section.token ? [section] : this.#normalized.split(this.#normalizer?.align(section.text) ?? section.text),
      )
  }

  #encodeBytes(part: AlignedText, encoding: Encoding): void {
    const offset = part.startAt(0)
    this.#byteLevel?.forEachToken(part.text, (id, start, end) => {
      encoding.ids.push(id)
      encoding.tokens.push(this.#tokens[id])
      encoding.offsets.push([offset + start, offset + end])
    })
  }

  #encodeWord(word: AlignedText, encoding: Encoding): void {
    const { ids, ends } = this.#model.encode(word.text)
    let start = 0
    for (let i = 0; i < ids.length; i++) {
      // Tokens for the bytes of one character end together, and all stand for the whole of it.
      if (i > 0 && ends[i] > ends[i - 1]) start = ends[i - 1]
      encoding.ids.push(ids[i])
      // Unigram models spell unknown text as it is.
      const isSpelled = this.#isUnigram && ids[i] === this.#unknownId
      encoding.tokens.push(isSpelled ? word.text.slice(start, ends[i]) : this.#tokenOf(ids[i]))
      encoding.offsets.push([word.startAt(start), word.endAt(ends[i] - 1)])
    }
  }

  #checkUnknown({ ids, offsets }: Encoding, text: string, options: EncodeOptions): void {
    if (options.onUnknown !== 'error' || this.#unknownId === undefined) return
    const unknownToken = this.#tokenOf(this.#unknownId)
    const found = ids.findIndex((id, i) => id === this.#unknownId && text.slice(...offsets[i]) !== unknownToken)
    if (found >= 0) throw unknownText(text, offsets[found][0])
  }
}

const noAffixes: PostProcessor = { before: [], after: [] }

function append(encoding: Encoding, text: AlignedText, { id, token }: { id: number; token: string }): void {
  encoding.ids.push(id)
  encoding.tokens.push(token)
  encoding.offsets.push([text.startAt(0), text.endAt(text.length - 1)])
}

/** A text without halves of surrogate pairs, which UTF-8 cannot express: replacement characters stand for them. */
function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd')
}
