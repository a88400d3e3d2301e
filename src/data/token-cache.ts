import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DataError, HeddleError } from '../errors.js'
import { makeFolder, removeQuietly, systemProblem } from '../hub/files.js'
import { cacheDirectory } from './cache-directory.js'
import { formatOf } from './detect-format.js'
import { type DocumentOptions, type DocumentPiece, readDocuments } from './documents.js'
import { cutDocument } from './pieces.js'
import { readSentences } from './sentences.js'
import { openTokenFile, TokenFileWriter } from './token-file.js'
import type { TokenStore } from './token-store.js'
import { MemoryTokenSink, type TokenEncoder, tokenizeInto } from './tokenize.js'

/** Data files and how they become tokens. */
export interface TokenSource extends Omit<DocumentOptions, 'onBytes'> {
  /** Paths, not patterns. */
  readonly files: readonly string[]
  readonly tokenizer: TokenEncoder
  /** Whether the tokenizer's end-of-sequence token follows every document, where it has one. */
  readonly endDocuments: boolean
  /** Makes two documents of one: the first has ⌊share · characters⌋ UTF-16 units. */
  readonly cutAt?: number
  /** Makes a document of every sentence, and puts this text behind the last one of each document, as one more. */
  readonly documentBorder?: string
}

/** Bytes of the data files that were tokenized, of all. */
export interface TokenizeProgress {
  readonly done: number
  readonly total: number
}

/** Where tokens are kept. */
export interface TokenCacheOptions {
  /** The folder of the token files; `tokens` in the user's cache by default, see {@link cacheDirectory}. */
  readonly directory?: string
  /** Data files of fewer bytes than this in all are tokenized anew every time (4 MiB by default). */
  readonly cacheFrom?: number
  /** Token files of at most this many bytes are read into memory (64 MiB by default). */
  readonly memoryLimit?: number
  readonly onProgress?: (progress: TokenizeProgress) => void
}

/** Changes whenever the same data would get other tokens than before. */
const cacheVersion = 1

const aside = '.tmp'
const staleMilliseconds = 24 * 3600 * 1000

/**
 * The tokens of data files: from the cache where they were tokenized before, with the same content, tokenizer and
 * options; else tokenized now and, if there are many, cached. A damaged cache file is made anew.
 *
 * @throws DataError for data that cannot be read; HeddleError where the cache cannot be written
 */
export async function tokenizeFiles(source: TokenSource, options: TokenCacheOptions = {}): Promise<TokenStore> {
  const { cacheFrom = 2 ** 22, memoryLimit = 2 ** 26, onProgress } = options
  const total = source.files.reduce((sum, file) => sum + statSync(file).size, 0)
  const documents = progressing(source, total, onProgress)
  if (total < cacheFrom) {
    const sink = new MemoryTokenSink()
    await tokenizeInto(sink, await documents(), source.tokenizer, source)
    return sink.finish()
  }
  const directory = options.directory ?? join(cacheDirectory(), 'tokens')
  const path = join(directory, `${await cacheKey(source)}.tokens`)
  try {
    makeFolder(directory)
    const cached = openTokenFile(path, memoryLimit)
    if (cached !== undefined) return cached
    removeStale(directory)
    await writeTokenFile(path, source, documents)
    const store = openTokenFile(path, memoryLimit)
    if (store !== undefined) return store
  } catch (error) {
    throw explained(error, directory)
  }
  throw new HeddleError(`${path}: was damaged while it was written; check the disk`)
}

/** Where the folder of the cache is what fails, an error that says so and how to choose another. */
function explained(error: unknown, directory: string): unknown {
  if (error instanceof DataError) return error
  const cause = error instanceof HeddleError ? error.cause : error
  const problem = systemProblem(cause, directory)
  if (problem === undefined) return error
  const message = `cannot keep tokens in ${directory}: ${problem}; HEDDLE_CACHE names another folder`
  return new HeddleError(message, { cause })
}

/** Tokenizes into a file of its own and renames it: of several builders the last one's file stays, and all are equal. */
async function writeTokenFile(
  path: string,
  { tokenizer, endDocuments }: TokenSource,
  documents: () => Promise<AsyncIterable<DocumentPiece>>,
): Promise<void> {
  const writer = new TokenFileWriter(path, `${path}.${randomUUID().slice(0, 8)}${aside}`, tokenizer.vocabularySize)
  try {
    await tokenizeInto(writer, await documents(), tokenizer, { endDocuments })
  } catch (error) {
    writer.discard()
    throw error
  }
  try {
    writer.finish()
  } catch (error) {
    writer.discard()
    // Windows does not replace a file that is open: then another builder was first.
    const existing = openTokenFile(path, 0)
    if (existing === undefined) throw error
    existing.close()
  }
}

/** The documents of a source, cut where it asks for it, as a function because they may never be needed. */
function progressing(
  { files, cutAt, tokenizer: _tokenizer, endDocuments: _ends, documentBorder: border, ...options }: TokenSource,
  total: number,
  onProgress?: (progress: TokenizeProgress) => void,
): () => Promise<AsyncIterable<DocumentPiece>> {
  return async () => {
    const cut =
      cutAt === undefined ? undefined : Math.floor((await countCharacters(readDocuments(files, options))) * cutAt)
    let done = 0
    const onBytes = (count: number) => {
      done = Math.min(total, done + count)
      onProgress?.({ done, total })
    }
    if (border !== undefined) return sentencesAsDocuments(files, border, { ...options, onBytes })
    const documents = readDocuments(files, { ...options, onBytes })
    return cut === undefined ? documents : cutDocument(documents, cut)
  }
}

async function* sentencesAsDocuments(
  files: readonly string[],
  border: string,
  options: DocumentOptions,
): AsyncGenerator<DocumentPiece> {
  for await (const { sentences, ends } of readSentences(files, options)) {
    for (const text of sentences) yield { text, ends: true }
    if (ends) yield { text: border, ends: true }
  }
}

async function countCharacters(documents: AsyncIterable<DocumentPiece>): Promise<number> {
  let count = 0
  for await (const { text } of documents) count += text.length
  return count
}

async function cacheKey({ files, tokenizer, endDocuments, cutAt, ...options }: TokenSource): Promise<string> {
  const contents: unknown[] = []
  for (const file of files) {
    contents.push([options.format ?? (await formatOf(file)), statSync(file).size, await contentHash(file)])
  }
  const { column, header, quotes, documentBorder } = options
  const { eosTokenId } = tokenizer
  const key = { cacheVersion, contents, column, header, quotes, endDocuments, cutAt, documentBorder, eosTokenId }
  return sha256(`${JSON.stringify(key)}\n${tokenizer.toJSON()}`).slice(0, 32)
}

async function contentHash(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk)
  return hash.digest('hex')
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Removes what builders left behind that were killed. */
function removeStale(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    if (!name.includes(aside)) continue
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (age > staleMilliseconds) removeQuietly(path)
  }
}
