import { DataError, nearestName } from '../errors.js'
import { formatOf } from './detect-format.js'
import { findFiles } from './find-files.js'
import { readText } from './read-text.js'
import { type DataRecord, type RecordOptions, readFileRecords, textField } from './records.js'

/** A document's text, or a part of it: long texts come in several pieces, so that they are never in memory as a whole. */
export interface DocumentPiece {
  readonly text: string
  /** Whether the document ends here. */
  readonly ends: boolean
}

/** How documents are read. */
export interface DocumentOptions extends Omit<RecordOptions, 'columns'> {
  /** The column that holds the text; `text` by default. */
  readonly column?: string
}

/**
 * Reads the texts of data files: each text file is one document, each record of any other file another. Empty documents
 * are left out.
 *
 * @param files paths or glob patterns, see {@link findFiles}
 * @throws DataError as {@link readRecords}, and where a record has no text in the column
 */
export async function* readDocuments(
  files: string | readonly string[],
  options: DocumentOptions = {},
): AsyncGenerator<DocumentPiece, void, undefined> {
  const { column = textField } = options
  for (const file of findFiles(files)) {
    const format = options.format ?? (await formatOf(file))
    if (format === 'text') {
      yield* textPieces(file, options)
      continue
    }
    for await (const record of readFileRecords(file, { ...options, format, columns: [column] })) {
      const text = textOf(record, column)
      if (text !== '') yield { text, ends: true }
    }
  }
}

/**
 * The text in a column of a record; a list of texts is joined with line ends.
 *
 * @throws DataError where there is no such column, or no text in it
 */
export function textOf({ fields, file, line }: DataRecord, column: string): string {
  const value = Object.hasOwn(fields, column) ? fields[column] : undefined
  if (typeof value === 'string') return value
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join('\n')
  if (value !== undefined) {
    throw new DataError(`${file}:${line}: expected a text in the column '${column}', got ${show(value)}`)
  }
  const names = Object.keys(fields)
  const nearest = nearestName(column, names)
  const hint = nearest === undefined ? '' : `, did you mean '${nearest}'?`
  throw new DataError(`${file}:${line}: there is no column '${column}'${hint} (columns: ${names.join(', ')})`)
}

/** Every character that occurs in documents, each once, by code point; halves of surrogate pairs (of JSON) are left out. */
export async function distinctCharacters(documents: AsyncIterable<DocumentPiece>): Promise<string> {
  const seen = new Uint8Array(0x110000)
  for await (const { text } of documents) {
    for (let i = 0; i < text.length; i++) {
      const point = text.codePointAt(i) ?? 0
      seen[point] = 1
      if (point > 0xffff) i++
    }
  }
  seen.fill(0, 0xd800, 0xe000)
  let characters = ''
  for (let point = seen.indexOf(1); point >= 0; point = seen.indexOf(1, point + 1)) {
    characters += String.fromCodePoint(point)
  }
  return characters
}

async function* textPieces(file: string, { onBytes }: DocumentOptions): AsyncGenerator<DocumentPiece, void, undefined> {
  let previous = ''
  for await (const text of readText(file, onBytes)) {
    if (previous !== '') yield { text: previous, ends: false }
    previous = text
  }
  if (previous !== '') yield { text: previous, ends: true }
}

function show(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  return JSON.stringify(value).slice(0, 60)
}
