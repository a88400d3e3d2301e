import { DataError, nearestName } from '../errors.js'
import { type RecordSyntax, recordSyntaxOf } from './detect-format.js'
import { findFiles } from './find-files.js'
import type { DataFormat } from './formats.js'
import type { OnBytes } from './read-bytes.js'
import { type DataRecord, readFileRecords } from './records.js'

/** A column: its name, or its position from 0. */
export type Column = string | number

/** Which columns play which parts; those that are left out are found by their usual names. */
export type Columns<Part extends string> = { readonly [Name in Part]?: Column }

/** How records are read whose columns play parts. */
export interface ColumnOptions<Part extends string> {
  /** By default what the content looks like, whatever the name's ending says. */
  readonly format?: DataFormat
  readonly columns?: Columns<Part>
  /**
   * Whether the first row of a table names the columns. By default it does where a column is given by its name, and does
   * not where one is given by its position; where none is given, it does if it holds one of the usual names.
   */
  readonly header?: boolean
  /** Whether values of a table may stand in quotes; by default they may in CSV and may not in TSV. */
  readonly quotes?: boolean
  readonly onBytes?: OnBytes
}

/**
 * The records of data files, whatever tells their columns apart: CSV (with commas, semicolons or bars), TSV, JSONL, a JSON
 * array or Parquet, see {@link recordSyntaxOf}. Files are judged one by one.
 *
 * @param headerNames names, in lower case, of which a header has one
 * @throws DataError as `readRecords`
 */
export async function* readColumns<Part extends string>(
  files: string | readonly string[],
  { columns = {}, header, ...reading }: ColumnOptions<Part>,
  headerNames: readonly string[],
): AsyncGenerator<DataRecord, void, undefined> {
  for (const file of findFiles(files)) {
    const syntax = reading.format === undefined ? await recordSyntaxOf(file) : { format: reading.format }
    const given = Object.values<Column | undefined>(columns).filter((column) => column !== undefined)
    const decided = header ?? (given.length > 0 ? given.every((column) => typeof column === 'string') : undefined)
    const hasNames = decided ?? (await hasHeader(file, { ...syntax, quotes: reading.quotes }, headerNames))
    yield* readFileRecords(file, { ...reading, ...syntax, header: hasNames })
  }
}

async function hasHeader(
  file: string,
  syntax: { format: DataFormat; delimiter?: RecordSyntax['delimiter']; quotes?: boolean },
  names: readonly string[],
): Promise<boolean> {
  if (syntax.format !== 'csv' && syntax.format !== 'tsv') return true
  for await (const { fields } of readFileRecords(file, { ...syntax, header: false })) {
    return Object.values(fields).some((value) => names.includes(nameOf(String(value))))
  }
  return true
}

function nameOf(column: string): string {
  return column.trim().toLowerCase()
}

/**
 * The name under which a record has a column.
 *
 * @param column the column that was asked for; by default the first of the usual names that the record has
 * @param usual names in lower case, the likeliest first
 * @returns undefined where no column was asked for and none has a usual name
 * @throws DataError where the record does not have the column that was asked for
 */
export function findColumn(
  record: DataRecord,
  column: Column | undefined,
  usual: readonly string[],
): string | undefined {
  const names = Object.keys(record.fields)
  if (column === undefined) {
    const known = new Map(names.map((name) => [nameOf(name), name]))
    const found = usual.find((name) => known.has(name))
    return found === undefined ? undefined : known.get(found)
  }
  if (Object.hasOwn(record.fields, column)) return String(column)
  if (typeof column === 'number' && column < names.length) return names[column]
  throw missingColumn(record, column)
}

/** What to throw where a record does not have a column. */
export function missingColumn({ fields, file, line }: DataRecord, column: Column): DataError {
  const names = Object.keys(fields)
  if (typeof column === 'number') {
    return new DataError(`${file}:${line}: there is no column ${column}, the row has ${names.length}, counted from 0`)
  }
  const nearest = nearestName(column, names)
  const hint = nearest === undefined ? '' : `, did you mean '${nearest}'?`
  return new DataError(`${file}:${line}: there is no column '${column}'${hint} (columns: ${names.join(', ')})`)
}

/**
 * The column that plays a part, which must be there.
 *
 * @param part its key in `data.columns`, for the message
 * @throws DataError where no column has been found for it
 */
export function requireColumn(record: DataRecord, part: string, column: string | undefined): string {
  if (column !== undefined) return column
  const names = Object.keys(record.fields)
  const where = `${record.file}:${record.line}`
  if (names.length < 2) {
    throw new DataError(`${where}: expected a table or JSON objects with a ${part}, got a row of one column`)
  }
  throw new DataError(
    `${where}: no column for the ${part} among ${names.join(', ')}; give data.columns.${part} its name or its position from 0`,
  )
}

/**
 * The text in a column of a record; numbers and truth values as JavaScript writes them.
 *
 * @throws DataError where there is no such column, or something else in it
 */
export function cellText(record: DataRecord, column: string): string {
  const value = Object.hasOwn(record.fields, column) ? record.fields[column] : undefined
  const text = asText(value)
  if (text !== undefined) return text
  if (value === undefined) throw missingColumn(record, column)
  throw new DataError(
    `${record.file}:${record.line}: expected a text or number in the column '${column}', got ${showValue(value)}`,
  )
}

/** A text, number or truth value as text; undefined for anything else. */
export function asText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  return undefined
}

/** A value of a record as messages show it. */
export function showValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  const shown = JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? Number(item) : item))
  return shown.length > 60 ? `${shown.slice(0, 57)}...` : shown
}
