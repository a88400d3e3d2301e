import { DataError } from '../errors.js'
import { type Delimiter, RowSplitter } from './csv.js'
import { formatOf } from './detect-format.js'
import { findFiles } from './find-files.js'
import type { DataFormat } from './formats.js'
import { JsonArraySplitter, type JsonText, parseJson } from './json-values.js'
import { LineSplitter } from './lines.js'
import { readParquet } from './parquet.js'
import type { OnBytes } from './read-bytes.js'
import { readText } from './read-text.js'

/** One record of a data file: a row of a table, an object of JSON, a line, or a whole text. */
export interface DataRecord {
  /** Values by column name; by position (`0`, `1`, …) in a table without a header; `text` where there are no columns. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly file: string
  /** The line that the record begins in, from 1; in a Parquet file, which has no lines, the row. */
  readonly line: number
}

/** How data files are read. */
export interface RecordOptions {
  /** By default what the name's ending says, else what the content looks like. */
  readonly format?: DataFormat
  /** Whether the first row of a CSV or TSV file names the columns; true by default. */
  readonly header?: boolean
  /** Whether values of a table may stand in quotes; by default they may in CSV and may not in TSV. */
  readonly quotes?: boolean
  /** What stands between the values of a CSV file; a comma by default. */
  readonly delimiter?: Delimiter
  /** The columns that are needed: Parquet files then read no others. */
  readonly columns?: readonly string[]
  readonly onBytes?: OnBytes
}

/** The field of records that are only a text: of text files, lines, and strings in JSON. */
export const textField = 'text'

/**
 * Reads data files record by record, in bounded memory: one record, one piece of a file or one row group of a Parquet
 * file at a time. Every format may be gzip-compressed.
 *
 * @param files paths or glob patterns, see {@link findFiles}
 * @throws DataError `file:line: problem` where a record is malformed, or a file cannot be read or is not UTF-8
 */
export async function* readRecords(
  files: string | readonly string[],
  options: RecordOptions = {},
): AsyncGenerator<DataRecord, void, undefined> {
  for (const file of findFiles(files)) yield* readFileRecords(file, options)
}

/** Reads the records of one file, see {@link readRecords}. */
export async function* readFileRecords(
  file: string,
  options: RecordOptions = {},
): AsyncGenerator<DataRecord, void, undefined> {
  const format = options.format ?? (await formatOf(file))
  const { quotes = format === 'csv', delimiter = ',' } = options
  switch (format) {
    case 'text':
      return yield* wholeText(file, options)
    case 'lines':
      return yield* lines(file, options)
    case 'jsonl':
      return yield* jsonLines(file, options)
    case 'json':
      return yield* jsonArray(file, options)
    case 'csv':
      return yield* table(file, new RowSplitter(file, { delimiter, quotes }), options)
    case 'tsv':
      return yield* table(file, new RowSplitter(file, { delimiter: '\t', quotes }), options)
    case 'parquet':
      for await (const { fields, row } of readParquet(file, options)) yield { fields, file, line: row }
  }
}

/** The longest string that V8 makes. */
const maximumTextLength = 2 ** 29 - 24

/**
 * The whole text of a file.
 *
 * @throws DataError where the file cannot be read, is not UTF-8, or has more than 2²⁹ − 24 characters
 */
export async function readWholeText(file: string, onBytes?: OnBytes): Promise<string> {
  let text = ''
  for await (const piece of readText(file, onBytes)) {
    if (text.length + piece.length > maximumTextLength) {
      throw new DataError(
        `${file}: more than ${maximumTextLength} characters are too many to read at once; split the file`,
      )
    }
    text += piece
  }
  return text
}

async function* wholeText(file: string, { onBytes }: RecordOptions): AsyncGenerator<DataRecord, void, undefined> {
  const text = await readWholeText(file, onBytes)
  if (text !== '') yield { fields: { [textField]: text }, file, line: 1 }
}

async function* lines(file: string, { onBytes }: RecordOptions): AsyncGenerator<DataRecord, void, undefined> {
  const splitter = new LineSplitter(file)
  for await (const { text, line } of splitFile(file, splitter, onBytes)) {
    if (text !== '') yield { fields: { [textField]: text }, file, line }
  }
}

async function* jsonLines(file: string, { onBytes }: RecordOptions): AsyncGenerator<DataRecord, void, undefined> {
  const splitter = new LineSplitter(file)
  for await (const line of splitFile(file, splitter, onBytes)) {
    if (line.text.trim() !== '') yield jsonRecord({ ...line, startsLine: true }, file)
  }
}

async function* jsonArray(file: string, { onBytes }: RecordOptions): AsyncGenerator<DataRecord, void, undefined> {
  const splitter = new JsonArraySplitter(file)
  for await (const value of splitFile(file, splitter, onBytes)) yield jsonRecord(value, file)
}

function jsonRecord(value: JsonText, file: string): DataRecord {
  const parsed = parseJson(value, file)
  const { line } = value
  if (typeof parsed === 'string') return { fields: { [textField]: parsed }, file, line }
  if (isObject(parsed)) return { fields: parsed, file, line }
  throw new DataError(`${file}:${line}: expected an object or a string, got ${value.text.slice(0, 40)}`)
}

async function* table(
  file: string,
  splitter: RowSplitter,
  { header = true, onBytes }: RecordOptions,
): AsyncGenerator<DataRecord, void, undefined> {
  let names: readonly string[] | undefined
  for await (const { values, line } of splitFile(file, splitter, onBytes)) {
    if (names === undefined) {
      names = header ? columnNames(values, `${file}:${line}`) : values.map((_, position) => String(position))
      if (header) continue
    }
    if (values.length !== names.length) {
      throw new DataError(`${file}:${line}: expected ${names.length} columns as in the first row, got ${values.length}`)
    }
    yield { fields: Object.fromEntries(names.map((name, i) => [name, values[i]])), file, line }
  }
}

function columnNames(values: readonly string[], where: string): readonly string[] {
  const double = values.find((name, i) => values.indexOf(name) < i)
  if (double === undefined) return values
  throw new DataError(
    `${where}: two columns are named ${JSON.stringify(double)}; name each once, or set header: false where this is no header`,
  )
}

/**
 * The parts of a file that a splitter cuts its text into.
 *
 * @throws DataError where the file cannot be read or is not UTF-8, and what the splitter throws
 */
export async function* splitFile<Part>(
  file: string,
  splitter: { push(text: string): Iterable<Part>; end(): Iterable<Part> },
  onBytes?: OnBytes,
): AsyncGenerator<Part, void, undefined> {
  for await (const piece of readText(file, onBytes)) for (const part of splitter.push(piece)) yield part
  for (const part of splitter.end()) yield part
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
