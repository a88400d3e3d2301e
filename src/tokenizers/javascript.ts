import { AddedTokenFinder, type Section } from './added-tokens.js'
import { AlignedText } from './aligned-text.js'
import { ByteLevelModel } from './byte-level-model.js'
import { BytePairModel } from './byte-pair-model.js'
import { CharacterTokenizer, isCharacterTokenizer, unknownText } from './characters.js'
import { createDecoder, type DecodeStep } from './decoders.js'
import { createModel } from './models.js'
import { createNormalizer, type Normalizer } from './normalizers.js'
import { type OffsetTrim, offsetTrim, trimOffsets } from './post-processors.js'
import { createPreTokenizer, type PreTokenizer } from './pre-tokenizers.js'
import { type CutPlace, safeParts, safePlace } from './safe-cut.js'
import { SequenceTemplate } from './sequence-template.js'
import { findSpecialTokens, type SpecialTokens } from './special-tokens.js'
import type { DecodeOptions, EncodeOptions, Encoding, Tokenizer, TokenizerOptions } from './tokenizer.js'
import { addedTokens, modelVocabulary, parseTokenizer } from './tokenizer-json.js'
import { IdList, WordEncoder, type WordSplitter } from './word-encoder.js'
import type { WordModel } from './word-model.js'
import { createWordSplitter, isByteLevel } from './word-splitters.js'

/** Longer texts are normalized and encoded in parts of about this many UTF-16 units. */
const PART = 1 << 16

/**
 * A tokenizer from the text of a `tokenizer.json`, in plain JavaScript: what a browser needs, with the same results as
 * Node's native library.
 *
 * @throws TokenizerError where the text is damaged, and for parts that do not exist in JavaScript
 */
export function createJavaScriptTokenizer(text: string, options: TokenizerOptions = {}): Tokenizer {
  const json = parseTokenizer(text, options.where ?? 'tokenizer.json')
  return isCharacterTokenizer(json) ? new CharacterTokenizer(text, options) : new JavaScriptTokenizer(text, options)
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
  readonly specialTokens: SpecialTokens
  readonly template: SequenceTemplate
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
  readonly #trim: OffsetTrim | undefined
  readonly #decoder: DecodeStep | undefined
  readonly #model: WordModel
  /** Set where words are slices of the text: several times faster than the general way. */
  readonly #fast: { readonly splitter: WordSplitter; readonly encoder: WordEncoder } | undefined
  /** Where long texts can be cut, undefined where they cannot. */
  readonly #place: CutPlace | undefined

  /**
   * @param text a `tokenizer.json`
   * @throws TokenizerError where it is damaged, and for parts that do not exist in JavaScript
   */
  constructor(text: string, { where = 'tokenizer.json', specialTokens }: TokenizerOptions = {}) {
    const json = parseTokenizer(text, where)
    const added = addedTokens(json)
    this.#text = text
    this.#ids = new Map(modelVocabulary(json))
    for (const { content, id } of added) if (!this.#ids.has(content)) this.#ids.set(content, id)
    this.#tokens = new Array(this.#ids.size)
    for (const [token, id] of this.#ids) this.#tokens[id] = token
    this.#special = new Set(added.flatMap(({ special, id }) => (special ? [id] : [])))
    this.#unknownId = json.model.unk_id ?? (json.model.unk_token ? this.#ids.get(json.model.unk_token) : undefined)
    this.#isUnigram = Array.isArray(json.model.vocab)
    this.#normalizer = json.normalizer ? createNormalizer(json.normalizer) : undefined
    this.#preTokenizer = json.pre_tokenizer ? createPreTokenizer(json.pre_tokenizer) : undefined
    this.template = new SequenceTemplate(json.post_processor)
    this.#trim = offsetTrim(json.post_processor)
    this.#decoder = json.decoder ? createDecoder(json.decoder) : undefined
    this.#model = createModel(json)
    const splitter = createWordSplitter(json)
    const isBytes = isByteLevel(json) && this.#model instanceof BytePairModel
    const model = isBytes ? new ByteLevelModel(this.#model, this.#ids) : this.#model
    this.#fast = splitter && { splitter, encoder: new WordEncoder(splitter, model) }
    this.#place = safePlace(json)
    const isNormalized = (token: (typeof added)[number]) => token.normalized ?? !token.special
    this.#verbatim = new AddedTokenFinder(added.filter((token) => !isNormalized(token)))
    this.#normalized = new AddedTokenFinder(
      added.filter(isNormalized),
      ({ content }) => this.#normalizer?.apply(content) ?? content,
    )
    this.vocabularySize = this.#ids.size
    this.specialTokens = findSpecialTokens(json, (token) => this.#ids.get(token), specialTokens)
    this.eosTokenId = this.specialTokens.eos?.id
  }

  async encode(text: string, options: EncodeOptions = {}): Promise<Encoding> {
    const { addSpecialTokens = true } = options
    const encoding = this.#encodeText(text)
    this.#checkUnknown(encoding, text, options)
    if (this.#trim) trimOffsets(text, encoding, this.#trim)
    if (!addSpecialTokens || this.template.addedTokens(false) === 0) return encoding
    const { ids, tokens, offsets, words } = this.template.join(encoding)
    return { ids, tokens, offsets, words }
  }

  async encodeBatch(texts: readonly string[], options?: EncodeOptions): Promise<Encoding[]> {
    return Promise.all(texts.map((text) => this.encode(text, options)))
  }

  async encodeToArray(text: string, options: EncodeOptions = {}): Promise<Uint32Array> {
    if (this.#fast === undefined || (this.#normalized.isUsed && this.#normalizer)) {
      return Uint32Array.from((await this.encode(text, options)).ids)
    }
    const { addSpecialTokens = true } = options
    const ids = new IdList(text.length / 3)
    if (addSpecialTokens) ids.append(this.template.before)
    const source = AlignedText.of(wellFormed(text))
    for (const { text: section, token } of this.#normalizer ? this.#verbatim.split(source) : this.#sections(source)) {
      if (token) ids.append([token.id])
      else this.#appendIds(section.text, ids)
    }
    if (addSpecialTokens) ids.append(this.template.after)
    const result = ids.toArray()
    // Where unknown text lies is only found out with offsets.
    if (options.onUnknown === 'error' && this.#unknownId !== undefined && result.includes(this.#unknownId)) {
      this.#checkUnknown(this.#encodeText(text), text, options)
    }
    return result
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

  #appendIds(text: string, ids: IdList): void {
    if (this.#fast === undefined) return
    const { splitter, encoder } = this.#fast
    for (const part of this.#place ? safeParts(text, PART, this.#place) : [text]) {
      encoder.appendIds(splitter.prepare(this.#normalizer?.apply(part) ?? part), ids)
    }
  }

  /** The tokens of the text alone. */
  #encodeText(text: string): Encoding {
    const encoding: Encoding = { ids: [], tokens: [], offsets: [], words: [] }
    let word = 0
    for (const { text: section, token } of this.#sections(AlignedText.of(wellFormed(text)))) {
      if (token) {
        this.#append(encoding, section, { id: token.id, start: 0, end: section.length, word: word++, isSpelled: true })
      } else if (this.#fast) {
        const { splitter, encoder } = this.#fast
        const words = splitter.align(section)
        word = encoder.forEachToken(words.text, word, (id, start, end, word) =>
          this.#append(encoding, words, { id, start, end, word }),
        )
      } else {
        for (const part of this.#preTokenizer?.(section) ?? [section]) this.#encodeWord(part, word++, encoding)
      }
    }
    return encoding
  }

  /** The normalized text between added tokens, and these. */
  #sections(text: AlignedText): Section[] {
    return this.#verbatim
      .split(text)
      .flatMap((section) =>
        section.token ? [section] : this.#normalized.split(this.#normalizer?.align(section.text) ?? section.text),
      )
  }

  #encodeWord(text: AlignedText, word: number, encoding: Encoding): void {
    const { ids, starts, ends } = this.#model.encode(text.text)
    ids.forEach((id, i) => {
      this.#append(encoding, text, { id, start: starts[i], end: ends[i], word })
    })
  }

  /** Appends a token for a part of a text; added tokens and unknown text of unigram models are spelled as the text is. */
  #append(
    encoding: Encoding,
    text: AlignedText,
    { id, start, end, word, isSpelled = this.#isUnigram && id === this.#unknownId }: TokenPlace,
  ): void {
    encoding.ids.push(id)
    encoding.tokens.push(isSpelled ? text.text.slice(start, end) : this.#tokenOf(id))
    encoding.offsets.push([text.startAt(start), text.endAt(end - 1)])
    encoding.words.push(word)
  }

  #checkUnknown({ ids, offsets }: Encoding, text: string, options: EncodeOptions): void {
    if (options.onUnknown !== 'error' || this.#unknownId === undefined) return
    const unknownToken = this.#tokenOf(this.#unknownId)
    const found = ids.findIndex((id, i) => id === this.#unknownId && text.slice(...offsets[i]) !== unknownToken)
    if (found >= 0) throw unknownText(text, offsets[found][0])
  }
}

interface TokenPlace {
  readonly id: number
  readonly start: number
  readonly end: number
  readonly word: number
  readonly isSpelled?: boolean
}

/** A text without halves of surrogate pairs, which UTF-8 cannot express: replacement characters stand for them. */
function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd')
}
