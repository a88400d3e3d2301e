import { DataError } from '../errors.js'
import type { DataFormat } from './formats.js'
import { type DataRecord, type RecordOptions, readRecords } from './records.js'

/** A text, or a pair of texts, with the name of its label. */
export interface LabelledText {
  readonly text: string
  readonly pair?: string
  readonly label: string
  readonly file: string
  readonly line: number
}

/** Which columns hold what: a name, or a position from 0 in a table without a header. */
export interface LabelledColumns {
  readonly text?: string | number
  readonly pair?: string | number
  readonly label?: string | number
}

/** How {@link readLabelled} reads. */
export interface LabelledOptions {
  readonly format?: DataFormat
  readonly columns?: LabelledColumns
  /** Whether the first row of a table names the columns; by default where it holds the name of the label's column. */
  readonly header?: boolean
  readonly quotes?: boolean
}

/** Names under which data sets keep their texts and labels, tried in this order. */
const usualNames = {
  text: ['text', 'sentence', 'sentence1', 'review', 'content', 'premise', 'question'],
  pair: ['pair', 'sentence2', 'text_pair', 'hypothesis'],
  label: ['label', 'labels', 'class', 'category', 'score'],
}

/**
 * Reads labelled texts from CSV, TSV, JSONL, JSON or Parquet.
 *
 * Columns are found by the names given, else by usual names, else by position: `text, label` or `text, pair, label`.
 *
 * @throws DataError `file:line: problem` where a column is missing, or a text or label is empty
 */
export async function* readLabelled(
  files: string | readonly string[],
  options: LabelledOptions = {},
): AsyncGenerator<LabelledText> {
  const { columns: given = {}, ...reading } = options
  const header = options.header ?? (await hasHeader(files, options))
  let columns: Columns | undefined
  for await (const record of readRecords(files, { ...reading, header })) {
    columns ??= chooseColumns(record, given)
    const pair = columns.pair === undefined ? undefined : textOf(record, columns.pair)
    const label = textOf(record, columns.label)
    if (label.trim() === '') throw new DataError(`${record.file}:${record.line}: the label is empty`)
    yield { text: textOf(record, columns.text), pair, label, file: record.file, line: record.line }
  }
}

interface Columns {
  readonly text: string
  readonly pair: string | undefined
  readonly label: string
}

/** Whether the first row holds the name of the label's column; in formats with names the question does not arise. */
async function hasHeader(
  files: string | readonly string[],
  { columns = {}, ...reading }: LabelledOptions,
): Promise<boolean> {
  const wanted = [columns.text, columns.pair, columns.label].filter((column) => column !== undefined)
  if (wanted.some((column) => typeof column === 'number')) return false
  if (wanted.length > 0) return true
  const options: RecordOptions = { ...reading, header: false }
  for await (const { fields } of readRecords(files, options)) {
    return Object.values(fields).some((value) => usualNames.label.includes(String(value).trim().toLowerCase()))
  }
  return true
}

function chooseColumns({ fields, file, line }: DataRecord, given: LabelledColumns): Columns {
  const names = Object.keys(fields)
  const find = (role: 'text' | 'pair' | 'label') =>
    given[role] === undefined
      ? names.find((name) => usualNames[role].includes(name.trim().toLowerCase()))
      : String(given[role])
  const byPosition = names.length === 3 ? ['0', '1', '2'] : ['0', undefined, '1']
  const positional = names.every((name) => /^\d+$/.test(name)) && (names.length === 2 || names.length === 3)
  const [text, pair, label] = (['text', 'pair', 'label'] as const).map(
    (role, i) => find(role) ?? (positional ? byPosition[i] : undefined),
  )
  if (text !== undefined && label !== undefined) return { text, pair, label }
  const what = text === undefined ? 'text' : 'label'
  throw new DataError(
    `${file}:${line}: no column for the ${what} among ${names.join(', ')}; name it with data.columns.${what}`,
  )
}

function textOf({ fields, file, line }: DataRecord, column: string): string {
  const value = fields[column]
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  const names = Object.keys(fields).join(', ')
  throw new DataError(
    `${file}:${line}: expected a text or number in column '${column}', got ${typeof value} (columns: ${names})`,
  )
}
