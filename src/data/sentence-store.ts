import { DataError } from '../errors.js'
import { BYTE_CHARACTERS } from '../tokenizers/byte-level.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { segmentWords } from '../tokenizers/words.js'
import type { CorpusOptions } from './corpus.js'
import type { DocumentPiece } from './documents.js'
import { findFiles } from './find-files.js'
import { validationShare } from './hold-out.js'
import { readSentences } from './sentences.js'
import { type TokenCacheOptions, tokenizeFiles } from './token-cache.js'
import type { TokenStore } from './token-store.js'
import type { TokenEncoder } from './tokenize.js'

/** Some tokens of a text in order. */
export interface TokenRun {
  readonly ids: ArrayLike<number>
  /** 1 for each token that goes on with the word of the one before it; only where the store knows words. */
  readonly goesOn?: ArrayLike<number> | undefined
}

/** Which sentences a document has: those from number `first` to before `end`. */
export interface SentenceRange {
  readonly first: number
  readonly end: number
}

/**
 * Documents as tokens, sentence by sentence, wherever they lie. Between two documents stands one token, the tokenizer's
 * separator. In memory are 16 bytes a document.
 */
export class SentenceStore {
  readonly #store: TokenStore
  readonly #documents: readonly SentenceRange[]
  readonly #knowsWords: boolean

  private constructor(store: TokenStore, documents: readonly SentenceRange[], knowsWords: boolean) {
    this.#store = store
    this.#documents = documents
    this.#knowsWords = knowsWords
  }

  /**
   * @param store each sentence as a document of its own; one that is the token `border` alone ends a document
   * @param border as the store has it
   * @param knowsWords whether the store has 2 · id + 1 for tokens that go on with a word, 2 · id for others, instead of ids
   */
  static of(store: TokenStore, border: number, knowsWords = false): SentenceStore {
    return new SentenceStore(store, findDocuments(store, border), knowsWords)
  }

  get documents(): number {
    return this.#documents.length
  }

  /** Tokens from the first sentence to the last, the separators between documents included. */
  get length(): number {
    const { first, end } = this.sentences
    const starts = new SentenceStarts(this)
    return starts.at(end) - starts.at(first)
  }

  /** All sentences; those that are a separator alone lie between the documents'. */
  get sentences(): SentenceRange {
    return { first: this.#documents.at(0)?.first ?? 0, end: this.#documents.at(-1)?.end ?? 0 }
  }

  /** @param index from 0 to before `documents` */
  document(index: number): SentenceRange {
    return this.#documents[index]
  }

  /** Where sentences begin, from number `first` on; behind the last one stands where it ends. */
  sentenceStarts(first: number, count: number): Float64Array {
    return this.#store.documentStarts(first, Math.min(count, this.#store.documents + 1 - first))
  }

  /** The tokens at positions `start` to before `end`. */
  tokens(start: number, end: number): TokenRun {
    const stored = this.#store.read(start, end - start)
    if (!this.#knowsWords) return { ids: stored }
    return { ids: stored.map((mark) => mark >>> 1), goesOn: stored.map((mark) => mark & 1) }
  }

  /** The documents from number `first` to before `end`, which share the store. */
  slice(first: number, end: number = this.documents): SentenceStore {
    return new SentenceStore(this.#store, this.#documents.slice(first, end), this.#knowsWords)
  }

  /** The sentences of the only document up to a share of them, and the others. */
  splitDocument(share: number): { before: SentenceStore; behind: SentenceStore } {
    const { first, end } = this.#documents[0]
    const cut = first + Math.floor((end - first) * share)
    const only = (range: SentenceRange) => new SentenceStore(this.#store, [range], this.#knowsWords)
    return { before: only({ first, end: cut }), behind: only({ first: cut, end }) }
  }

  /** The first documents, so many that they have at most `maximum` tokens; the last of them is cut behind a sentence. */
  limit(maximum: number): SentenceStore {
    const starts = new SentenceStarts(this)
    const limit = starts.at(this.sentences.first) + maximum
    const kept: SentenceRange[] = []
    for (const { first, end } of this.#documents) {
      let last = end
      while (last > first && starts.at(last) > limit) last--
      if (last > first) kept.push({ first, end: last })
      if (last < end) break
    }
    return new SentenceStore(this.#store, kept, this.#knowsWords)
  }
}

/** Where single sentences begin: neighbours are read together. */
export class SentenceStarts {
  readonly #store: SentenceStore
  #first = 0
  #block = new Float64Array(0)

  constructor(store: SentenceStore) {
    this.#store = store
  }

  /** @param sentence its number; that behind the last one gives the end */
  at(sentence: number): number {
    const offset = sentence - this.#first
    if (offset >= 0 && offset < this.#block.length) return this.#block[offset]
    this.#first = sentence - (sentence % blockLength)
    this.#block = this.#store.sentenceStarts(this.#first, blockLength)
    return this.#block[sentence - this.#first]
  }
}

/** Sentences that are looked up together. */
const blockLength = 1024

function findDocuments(store: TokenStore, border: number): SentenceRange[] {
  const found: SentenceRange[] = []
  let first = 0
  const endAt = (end: number, next: number) => {
    if (end > first) found.push({ first, end })
    first = next
  }
  for (let block = 0; block < store.documents; block += blockLength) {
    const count = Math.min(blockLength, store.documents - block)
    const starts = store.documentStarts(block, count + 1)
    for (let i = 0; i < count; i++) {
      const isBorder = starts[i + 1] - starts[i] === 1 && store.read(starts[i], 1)[0] === border
      if (isBorder) endAt(block + i, block + i + 1)
    }
  }
  endAt(store.documents, store.documents)
  return found
}

/** How sentences become tokens. */
export interface SentenceOptions {
  readonly tokenizer: Tokenizer
  /** Whether to know which tokens are of one word: Chinese words are those of `Intl.Segmenter`. */
  readonly wholeWords: boolean
}

const defaultValidationTokens = 2 ** 20

/** Sentences to train and to validate on. */
export interface SentenceCorpus {
  readonly train: SentenceStore
  readonly validation: SentenceStore
}

/**
 * Tokenizes the data to train and to validate on, sentence by sentence. Without validation files, the last tenth of the
 * documents is split off, at least `documentsNeeded`; of a single document the last tenth of its sentences.
 *
 * @param options.documentsNeeded the fewest documents that either part has use for (default 1)
 * @throws DataError where a file is missing or malformed, or there is too little
 */
export async function loadSentences(
  data: CorpusOptions,
  options: SentenceOptions & { readonly documentsNeeded?: number },
  cache: TokenCacheOptions = {},
): Promise<SentenceCorpus> {
  const { documentsNeeded = 1 } = options
  const maximum = data.validationTokens ?? defaultValidationTokens
  const all = await loadSentenceFiles(data.train, data, options, cache)
  if (data.validation !== undefined) {
    checkDocuments(all, documentsNeeded, data.train)
    const validation = await loadSentenceFiles(data.validation, data, options, cache)
    checkDocuments(validation, documentsNeeded, data.validation)
    return { train: all, validation: validation.limit(maximum) }
  }
  if (documentsNeeded === 1 && all.documents === 1) {
    const { before, behind } = all.splitDocument(1 - validationShare)
    checkDocuments(before, 1, data.train)
    return { train: before, validation: behind.limit(maximum) }
  }
  checkDocuments(all, 2 * documentsNeeded, data.train)
  const held = Math.max(documentsNeeded, Math.floor(all.documents * validationShare))
  const border = all.documents - held
  return { train: all.slice(0, border), validation: all.slice(border).limit(maximum) }
}

/**
 * Tokenizes files sentence by sentence, or takes their tokens from the cache.
 *
 * @param files paths or glob patterns
 * @throws DataError where a file is missing, malformed or without text
 */
export async function loadSentenceFiles(
  files: string | readonly string[],
  data: Omit<CorpusOptions, 'train'>,
  { tokenizer, wholeWords }: SentenceOptions,
  cache: TokenCacheOptions = {},
): Promise<SentenceStore> {
  const { sep } = tokenizer.specialTokens
  if (sep === undefined) throw new DataError('sentences: the tokenizer has no separator such as [SEP]')
  const store = await tokenizeFiles(
    {
      files: findFiles(files),
      tokenizer: sentenceEncoder(tokenizer, wholeWords),
      endDocuments: false,
      documentBorder: sep.token,
      ...readingOptions(data),
    },
    cache,
  )
  const found = SentenceStore.of(store, wholeWords ? 2 * sep.id : sep.id, wholeWords)
  checkDocuments(found, 1, files)
  return found
}

/** The documents to train on as texts, for what learns from them: a tokenizer. */
export async function* sentenceDocuments(data: CorpusOptions): AsyncGenerator<DocumentPiece> {
  for await (const { sentences, ends } of readSentences(data.train, readingOptions(data))) {
    yield { text: sentences.join(' '), ends }
  }
}

function readingOptions({ format, columns, header, quotes }: Omit<CorpusOptions, 'train'>) {
  const { text = 'text' } = columns ?? {}
  return { format, column: String(text), header: header ?? typeof text === 'string', quotes }
}

/** What byte-level tokens begin with that stand behind a blank. */
const blank = BYTE_CHARACTERS[0x20]

/** A tokenizer of sentences that stand behind others, and so behind a blank where the vocabulary tells. */
function sentenceEncoder(tokenizer: Tokenizer, wholeWords: boolean): TokenEncoder {
  const border = tokenizer.specialTokens.sep?.token
  const hasBlanks = tokenizer.tokenToId(blank) !== undefined
  const inText = (sentence: string) => (hasBlanks && sentence !== border ? ` ${sentence}` : sentence)
  const { vocabularySize } = tokenizer
  if (!wholeWords) {
    const encodeToArray: TokenEncoder['encodeToArray'] = (text, options) =>
      tokenizer.encodeToArray(inText(text), options)
    return { vocabularySize, encodeToArray, toJSON: () => tokenizer.toJSON() }
  }
  const encodeToArray: TokenEncoder['encodeToArray'] = async (text, options) => {
    const sentence = inText(text)
    const encoding = await tokenizer.encode(sentence, options)
    const { ids, words } = han.test(sentence) ? segmentWords(sentence, encoding) : encoding
    const goesOn = (i: number) => i > 0 && words[i] >= 0 && words[i] === words[i - 1]
    return Uint32Array.from(ids, (id, i) => 2 * id + Number(goesOn(i)))
  }
  return { vocabularySize: 2 * vocabularySize, encodeToArray, toJSON: () => `${tokenizer.toJSON()}\nwords` }
}

/** Text of languages that are written without blanks, whose words only a dictionary finds. */
const han = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u

function checkDocuments(store: SentenceStore, needed: number, files: string | readonly string[]): void {
  const { first, end } = store.sentences
  if (store.documents >= needed && end > first) return
  const where = [files].flat().join(', ')
  if (needed === 1) throw new DataError(`${where}: there is too little text; expected at least two sentences`)
  throw new DataError(
    `${where}: expected at least ${needed} documents, got ${store.documents}; part documents of a text by blank lines, or give each its record`,
  )
}
