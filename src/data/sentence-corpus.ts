import { DataError } from '../errors.js'
import { BYTE_CHARACTERS } from '../tokenizers/byte-level.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { segmentWords } from '../tokenizers/words.js'
import type { CorpusOptions } from './corpus.js'
import type { DocumentOptions, DocumentPiece } from './documents.js'
import { findFiles } from './find-files.js'
import { validationShare } from './hold-out.js'
import { SentenceStore } from './sentence-store.js'
import { readSentences } from './sentences.js'
import { type TokenCacheOptions, tokenizeFiles } from './token-cache.js'
import type { TokenEncoder } from './tokenize.js'

/** How sentences become tokens. */
export interface SentenceOptions {
  readonly tokenizer: Tokenizer
  /** Whether to know which tokens are of one word; Chinese and Japanese words are those of `Intl.Segmenter`. */
  readonly wholeWords: boolean
  /** The fewest documents that there is use for (default 1). */
  readonly documentsNeeded?: number
}

/** Sentences to train and to validate on. */
export interface SentenceCorpus {
  readonly train: SentenceStore
  readonly validation: SentenceStore
}

const defaultValidationTokens = 2 ** 20

/**
 * Tokenizes the data to train and to validate on, sentence by sentence. Without validation files, the last tenth of the
 * documents is split off, at least `documentsNeeded`; of a single document, where one is enough, the last tenth of its
 * sentences.
 *
 * @throws DataError where a file is missing or malformed, or there is too little
 */
export async function loadSentences(
  data: CorpusOptions,
  options: SentenceOptions,
  cache: TokenCacheOptions = {},
): Promise<SentenceCorpus> {
  const { documentsNeeded = 1 } = options
  const maximum = data.validationTokens ?? defaultValidationTokens
  const all = await loadSentenceFiles(data.train, { ...options, ...data }, cache)
  if (data.validation !== undefined) {
    const validation = await loadSentenceFiles(data.validation, { ...options, ...data }, cache)
    return { train: all, validation: validation.limit(maximum) }
  }
  if (documentsNeeded === 1 && all.documents === 1) {
    const [train, validation] = all.splitDocument(1 - validationShare)
    checkDocuments(train, 1, data.train)
    return { train, validation: validation.limit(maximum) }
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
 * @throws DataError where a file is missing or malformed, or there are too few documents
 */
export async function loadSentenceFiles(
  files: string | readonly string[],
  { tokenizer, wholeWords, documentsNeeded = 1, ...data }: SentenceOptions & Omit<CorpusOptions, 'train'>,
  cache: TokenCacheOptions = {},
): Promise<SentenceStore> {
  const { sep, eos } = tokenizer.specialTokens
  const border = sep ?? eos
  if (border === undefined) {
    throw new DataError('sentences: expected a tokenizer with a separator such as [SEP], or with an end of texts')
  }
  const encoder = sentenceEncoder(tokenizer, border.token, wholeWords)
  const source = { files: findFiles(files), tokenizer: encoder, endDocuments: false, documentBorder: border.token }
  const store = await tokenizeFiles({ ...source, ...readingOptions(data) }, cache)
  const found = SentenceStore.of(store, wholeWords ? 2 * border.id : border.id, wholeWords)
  checkDocuments(found, documentsNeeded, files)
  return found
}

/** The documents to train on as texts, for what learns from them: a tokenizer. */
export async function* sentenceDocuments(data: CorpusOptions): AsyncGenerator<DocumentPiece> {
  for await (const { sentences, ends } of readSentences(data.train, readingOptions(data))) {
    yield { text: `${sentences.join(' ')}${ends ? '' : ' '}`, ends }
  }
}

function readingOptions({ format, columns, header, quotes }: Omit<CorpusOptions, 'train'>): DocumentOptions {
  const { text = 'text' } = columns ?? {}
  return { format, column: String(text), header: header ?? typeof text === 'string', quotes }
}

/** What byte-level tokens begin with that stand behind a blank. */
const blank = BYTE_CHARACTERS[0x20]

/** Languages that are written without blanks, whose words only a dictionary finds. */
const withoutBlanks = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u

/** A tokenizer of sentences as they stand behind others; with whole words it gives what {@link SentenceStore} expects. */
function sentenceEncoder(tokenizer: Tokenizer, border: string, wholeWords: boolean): TokenEncoder {
  const { vocabularySize } = tokenizer
  const tellsBlanks = tokenizer.tokenToId(blank) !== undefined
  const inText = (sentence: string) => (tellsBlanks && sentence !== border ? ` ${sentence}` : sentence)
  if (!wholeWords) {
    const encodeToArray: TokenEncoder['encodeToArray'] = (text, options) =>
      tokenizer.encodeToArray(inText(text), options)
    return { vocabularySize, encodeToArray, toJSON: () => tokenizer.toJSON() }
  }
  const encodeToArray: TokenEncoder['encodeToArray'] = async (text, options) => {
    const sentence = inText(text)
    const encoding = await tokenizer.encode(sentence, options)
    const { ids, words } = withoutBlanks.test(sentence) ? segmentWords(sentence, encoding) : encoding
    const goesOn = (i: number) => i > 0 && words[i] >= 0 && words[i] === words[i - 1]
    return Uint32Array.from(ids, (id, i) => 2 * id + Number(goesOn(i)))
  }
  return { vocabularySize: 2 * vocabularySize, encodeToArray, toJSON: () => `${tokenizer.toJSON()}\nwhole words` }
}

function checkDocuments(store: SentenceStore, needed: number, files: string | readonly string[]): void {
  const { first, end } = store.sentences
  if (store.documents >= needed && end > first) return
  const where = [files].flat().join(', ')
  if (needed === 1) throw new DataError(`${where}: expected text, at least two sentences; got less`)
  throw new DataError(
    `${where}: expected at least ${needed} documents, got ${store.documents}; in a text file blank lines part documents, in others each record is one`,
  )
}
