import { DataError } from '../errors.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { formatOf } from './detect-format.js'
import { type DocumentOptions, type DocumentPiece, readDocuments } from './documents.js'
import { findFiles } from './find-files.js'
import type { DataFormat } from './formats.js'
import { validationShare } from './hold-out.js'
import { type TokenCacheOptions, tokenizeFiles } from './token-cache.js'
import { sliceTokens, type TokenStore } from './token-store.js'

/** Data to train a language model on, as a recipe describes it. */
export interface CorpusOptions {
  /** Files or glob patterns to train on. */
  readonly train: string | readonly string[]
  /** Files or glob patterns to validate on; by default the end of `train`. */
  readonly validation?: string | readonly string[]
  readonly format?: DataFormat
  /** Which column plays which part: `text` by default. A number counts columns from 0, in a table without a header. */
  readonly columns?: { readonly text?: string | number }
  /** Whether the first row of a table names the columns; by default unless a column is given as a number. */
  readonly header?: boolean
  readonly quotes?: boolean
  /** The most tokens to validate on, 1,048,576 by default. */
  readonly validationTokens?: number
}

/** Tokens to train and to validate on. */
export interface Corpus {
  readonly train: TokenStore
  readonly validation: TokenStore
}

const defaultValidationTokens = 2 ** 20

/**
 * Tokenizes the data to train and to validate on. Without validation files, the end of the training data is split off:
 * of a single text file the last tenth of its characters (the first ⌊0.9 · n⌋ UTF-16 units train), else the last tenth of
 * the documents, at least one.
 *
 * Documents end with the tokenizer's end-of-sequence token where it has one; a single text file counts as running text
 * and has none.
 *
 * @throws DataError where a file is missing or malformed, or there is too little to split
 */
export async function loadCorpus(
  data: CorpusOptions,
  tokenizer: Tokenizer,
  cache: TokenCacheOptions = {},
): Promise<Corpus> {
  const maximumTokens = data.validationTokens ?? defaultValidationTokens
  const options = documentOptions(data)
  const load = async (files: readonly string[], cutAt?: number) => {
    const endDocuments = !(await isSingleText(files, data.format))
    return tokenizeFiles({ files, tokenizer, endDocuments, cutAt, ...options }, cache)
  }
  const files = findFiles(data.train)
  if (data.validation !== undefined) {
    const train = await load(files)
    return { train, validation: sliceTokens(await load(findFiles(data.validation)), { maximumTokens }) }
  }
  const isText = await isSingleText(files, data.format)
  const all = await load(files, isText ? 1 - validationShare : undefined)
  if (all.documents < 2) throw tooFew(data, isText, all)
  const held = isText ? 1 : Math.max(1, Math.floor(all.documents * validationShare))
  const firstDocument = all.documents - held
  return {
    train: sliceTokens(all, { endDocument: firstDocument }),
    validation: sliceTokens(all, { firstDocument, maximumTokens }),
  }
}

/**
 * The tokens of a text to measure a model on: as {@link loadCorpus} reads validation data.
 *
 * @param files files or glob patterns
 * @throws DataError where a file is missing or malformed
 */
export async function loadText(files: string | readonly string[], tokenizer: Tokenizer): Promise<TokenStore> {
  const found = findFiles(files)
  const endDocuments = !(await isSingleText(found, undefined))
  return tokenizeFiles({ files: found, tokenizer, endDocuments, ...documentOptions({ train: files }) })
}

/** The documents to train on, for what learns from text: a tokenizer. */
export function trainingDocuments(data: CorpusOptions): AsyncIterable<DocumentPiece> {
  return readDocuments(data.train, documentOptions(data))
}

function documentOptions({ format, columns, header, quotes }: CorpusOptions): DocumentOptions {
  const { text = 'text' } = columns ?? {}
  return { format, column: String(text), header: header ?? typeof text === 'string', quotes }
}

async function isSingleText(files: readonly string[], format: DataFormat | undefined): Promise<boolean> {
  return files.length === 1 && (format ?? (await formatOf(files[0]))) === 'text'
}

function tooFew({ train }: CorpusOptions, isText: boolean, { length, documents }: TokenStore): DataError {
  const found = isText ? `${length} tokens` : `${documents} document${documents === 1 ? '' : 's'}`
  const where = [train].flat().join(', ')
  return new DataError(`${where}: ${found} are too few to split off a tenth for validation; name data.validation files`)
}
