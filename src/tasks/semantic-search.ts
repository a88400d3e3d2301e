import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Column, type ColumnOptions, cellText, findColumn, readColumns } from '../data/columns.js'
import { formatOf } from '../data/detect-format.js'
import type { DataRecord } from '../data/records.js'
import { DataError, UsageError } from '../errors.js'
import { readIndex, writeIndex } from './semantic-search-index.js'
import { dot, type EmbedOptions, normalize, type TextEmbedder } from './text-embedder.js'

/** A text that was found. */
export interface SearchResult {
  /** Cosine of the angle between the vectors of the query and the text, between −1 and 1. */
  readonly score: number
  readonly text: string
  /** The line that the text begins in, from 1; in a Parquet file the row. */
  readonly line: number
}

/** What is searched, and how it is read. */
export interface SemanticSearchOptions extends Omit<ColumnOptions<'text'>, 'columns'> {
  /** The column of a table or of JSON objects that holds the text; by default one of a usual name, or the only one. */
  readonly column?: Column | undefined
  /** A file to keep the vectors in, and to take them from where it was made of the same texts by the same model. */
  readonly index?: string | undefined
  /** Hears how many of the texts have vectors. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined
  /** Hears what is worth knowing: texts that were cut, an index that is made anew. */
  readonly onWarning?: ((message: string) => void) | undefined
}

/** How texts are looked for. */
export interface FindOptions extends EmbedOptions {
  /** How many texts to find (default 5). */
  readonly topK?: number
}

interface Line {
  readonly text: string
  readonly line: number
}

/** Texts that are embedded at a time. */
const textsAtOnce = 512

/** Columns that usually hold a text, the likeliest first. */
const usualTexts = ['text', 'sentence', 'content', 'document', 'passage', 'body', 'review', 'title', 'question']

/**
 * Finds the texts of a file that mean the same as a query.
 *
 * ```ts
 * const search = await SemanticSearch.open(embedder, 'notes.txt')
 * const [[best]] = await search.find(['where is the key?'])
 * ```
 */
export class SemanticSearch {
  readonly #embedder: TextEmbedder
  readonly #lines: readonly Line[]
  /** Of length 1 each [texts, C]. */
  readonly #vectors: Float32Array

  private constructor(embedder: TextEmbedder, lines: readonly Line[], vectors: Float32Array) {
    this.#embedder = embedder
    this.#lines = lines
    this.#vectors = vectors
  }

  /**
   * Makes a vector of each text of a file, or takes them from an index.
   *
   * @param file lines of text; or CSV, TSV, JSONL, JSON or Parquet with a text in each record. Empty ones are left out
   * @throws DataError `file:line: problem` for what cannot be read, or where there is no text; UsageError where the index
   * cannot be written or is another kind of file
   */
  static async open(
    embedder: TextEmbedder,
    file: string,
    options: SemanticSearchOptions = {},
  ): Promise<SemanticSearch> {
    const { index, onWarning } = options
    const lines = await readLines(file, options)
    if (index === undefined) return new SemanticSearch(embedder, lines, await embedAll(embedder, lines, file, options))
    if (!existsSync(dirname(index))) throw new UsageError(`${index}: its folder does not exist; create it first`)
    const hash = digest(embedder, lines)
    const known = readIndex(index, hash)
    if (known !== undefined) return new SemanticSearch(embedder, lines, known)
    if (existsSync(index)) onWarning?.(`${index}: made of other texts or by another model; it is made anew`)
    const vectors = await embedAll(embedder, lines, file, options)
    writeIndex(index, { vectors, width: embedder.width, hash })
    return new SemanticSearch(embedder, lines, vectors)
  }

  /** How many texts there are to find. */
  get size(): number {
    return this.#lines.length
  }

  /**
   * The texts nearest to each query by the cosine of the angle, the nearest first.
   *
   * @param options `topK`: how many (default 5)
   */
  async find(queries: readonly string[], { topK = 5, ...options }: FindOptions = {}): Promise<SearchResult[][]> {
    const vectors = await this.#embedder.embed(queries, options)
    return vectors.map((query) =>
      this.#nearest(normalize(query), topK).map(({ row, score }) => ({ score, ...this.#lines[row] })),
    )
  }

  #nearest(query: Float32Array, count: number): { row: number; score: number }[] {
    const best: { row: number; score: number }[] = []
    for (let row = 0; row < this.#lines.length; row++) {
      const score = dot(query, this.#vectors.subarray(row * query.length, (row + 1) * query.length))
      if (best.length === count && score <= best[count - 1].score) continue
      const place = best.findIndex((other) => score > other.score)
      best.splice(place < 0 ? best.length : place, 0, { row, score })
      best.length = Math.min(best.length, count)
    }
    return best
  }
}

/** The texts of a file that are not empty. */
async function readLines(file: string, { column, ...options }: SemanticSearchOptions): Promise<Line[]> {
  const format = options.format ?? ((await formatOf(file)) === 'text' ? 'lines' : undefined)
  const lines: Line[] = []
  for await (const record of readColumns(file, { ...options, format, columns: { text: column } }, usualTexts)) {
    const text = cellText(record, textColumn(record, column))
    if (text.trim() !== '') lines.push({ text, line: record.line })
  }
  if (lines.length > 0) return lines
  throw new DataError(`${file}: there is no text in it; expected one a line, or records with a text each`)
}

function textColumn(record: DataRecord, column: Column | undefined): string {
  const names = Object.keys(record.fields)
  const found = findColumn(record, column, usualTexts) ?? (names.length === 1 ? names[0] : undefined)
  if (found !== undefined) return found
  throw new DataError(
    `${record.file}:${record.line}: which column is the text? Choose one of ${names.join(', ')} by its name or position`,
  )
}

/** The vector of each text, of length 1: [texts, C]. */
async function embedAll(
  embedder: TextEmbedder,
  lines: readonly Line[],
  file: string,
  { onProgress, onWarning }: SemanticSearchOptions,
): Promise<Float32Array> {
  const { width } = embedder
  const vectors = new Float32Array(lines.length * width)
  const cut: Line[] = []
  for (let start = 0; start < lines.length; start += textsAtOnce) {
    const some = lines.slice(start, start + textsAtOnce)
    const texts = some.map(({ text }) => text)
    const found = await embedder.embed(texts, { onCut: ({ index }) => cut.push(some[index]) })
    for (const [i, vector] of found.entries()) vectors.set(normalize(vector), (start + i) * width)
    onProgress?.({ done: start + some.length, total: lines.length })
  }
  const more = cut.length - 1
  const others = more === 0 ? '' : ` (and ${more} other${more === 1 ? '' : 's'})`
  if (cut.length > 0)
    onWarning?.(`${file}:${cut[0].line}: only its first ${embedder.maxLength} tokens are looked at${others}`)
  return vectors
}

/** A digest of the texts and of what makes vectors of them. */
function digest(embedder: TextEmbedder, lines: readonly Line[]): string {
  const hash = createHash('sha256').update(embedder.fingerprint())
  // A line end in JSON is never a part of a text.
  for (const { text } of lines) hash.update(JSON.stringify(text)).update('\n')
  return hash.digest('hex')
}
