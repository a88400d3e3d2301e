import { DataError } from '../errors.js'
import {
  asText,
  type ColumnOptions,
  type Columns,
  cellText,
  findColumn,
  readColumns,
  requireColumn,
  showValue,
} from './columns.js'
import type { DataRecord } from './records.js'

/** A text, or a pair of texts, with the name of its label. */
export interface LabelledText {
  readonly text: string
  readonly pair?: string
  readonly label: string
  readonly file: string
  readonly line: number
}

/** A text, or a pair of texts, with the names of all its labels, of which there may be none. */
export interface MultiLabelledText extends Omit<LabelledText, 'label'> {
  readonly labels: readonly string[]
}

/** Which columns hold what. */
export type LabelledColumns = Columns<'text' | 'pair' | 'label'>

/** How {@link readLabelled} and {@link readMultiLabelled} read. */
export type LabelledOptions = ColumnOptions<'text' | 'pair' | 'label'>

/** Names under which data sets keep two texts, and one text, the likeliest first. */
const usualPairs = [
  { text: 'text', pair: 'pair' },
  { text: 'text', pair: 'text_pair' },
  { text: 'text_a', pair: 'text_b' },
  { text: 'sentence1', pair: 'sentence2' },
  { text: 'premise', pair: 'hypothesis' },
  { text: 'question1', pair: 'question2' },
  { text: 'question', pair: 'sentence' },
]
const usualTexts = ['text', 'sentence', 'sentence1', 'review', 'content', 'premise', 'question']
const usualLabels = ['label', 'labels', 'class', 'category', 'score', 'gold_label', 'target']

/**
 * Reads texts with one label each from CSV, TSV, JSONL, JSON or Parquet; which of them a file is shows in its content.
 *
 * Columns are found by what is given, else by usual names, else by position: `text, label` or `text, pair, label`.
 * Numbers pass as they are written, so that a regression reads its targets here too. A text may be empty, a label not.
 *
 * @throws DataError `file:line: problem` where a column is missing or a label is empty or a list
 */
export async function* readLabelled(
  files: string | readonly string[],
  options: LabelledOptions = {},
): AsyncGenerator<LabelledText, void, undefined> {
  for await (const { record, label, ...texts } of readTexts(files, options)) {
    const value = record.fields[label]
    if (Array.isArray(value)) {
      throw problem(
        record,
        `expected one label, got a list of ${value.length}; is this data with several labels a text?`,
      )
    }
    yield { ...texts, label: nameOfLabel(record, cellText(record, label)) }
  }
}

/**
 * Reads texts with any number of labels each, as {@link readLabelled} reads them with one. Several labels are a JSON array
 * or a list in Parquet; any other value is a single label.
 *
 * @throws DataError `file:line: problem` where a column is missing, or a label is empty or given twice
 */
export async function* readMultiLabelled(
  files: string | readonly string[],
  options: LabelledOptions = {},
): AsyncGenerator<MultiLabelledText, void, undefined> {
  for await (const { record, label, ...texts } of readTexts(files, options)) {
    const value = record.fields[label]
    const labels = Array.isArray(value)
      ? value.map((item) => nameOfLabel(record, listedLabel(record, item)))
      : [nameOfLabel(record, cellText(record, label))]
    const double = labels.find((name, i) => labels.indexOf(name) < i)
    if (double !== undefined) throw problem(record, `the label '${double}' is given twice`)
    yield { ...texts, labels }
  }
}

/** The texts of records, and the column in which the label is to be found. */
async function* readTexts(files: string | readonly string[], options: LabelledOptions) {
  let file: string | undefined
  let columns: ReturnType<typeof chooseColumns> | undefined
  for await (const record of readColumns(files, options, usualLabels)) {
    if (columns === undefined || record.file !== file) columns = chooseColumns(record, options.columns)
    file = record.file
    const pair = columns.pair === undefined ? undefined : cellText(record, columns.pair)
    yield { text: cellText(record, columns.text), pair, file, line: record.line, record, label: columns.label }
  }
}

function chooseColumns(record: DataRecord, given: LabelledColumns = {}) {
  const { text, pair, label } = Object.keys(given).length > 0 ? given : columnsByPosition(record)
  const known = text === undefined && pair === undefined ? knownPair(record) : undefined
  return {
    text: requireColumn(record, 'text', findColumn(record, text, known ? [known.text] : usualTexts)),
    pair: findColumn(record, pair, known ? [known.pair] : []),
    label: requireColumn(record, 'label', findColumn(record, label, usualLabels)),
  }
}

/** The columns of a table without a header; none where there are names, or too many columns to know them by position. */
function columnsByPosition({ fields }: DataRecord): LabelledColumns {
  const names = Object.keys(fields)
  if (names.some((name, position) => name !== String(position))) return {}
  if (names.length === 2) return { text: 0, label: 1 }
  return names.length === 3 ? { text: 0, pair: 1, label: 2 } : {}
}

function knownPair({ fields }: DataRecord): { text: string; pair: string } | undefined {
  const names = Object.keys(fields).map((name) => name.trim().toLowerCase())
  return usualPairs.find(({ text, pair }) => names.includes(text) && names.includes(pair))
}

function nameOfLabel(record: DataRecord, label: string): string {
  if (label.trim() === '') throw problem(record, 'the label is empty')
  return label
}

function listedLabel(record: DataRecord, item: unknown): string {
  const label = asText(item)
  if (label === undefined) throw problem(record, `expected texts or numbers as labels, got ${showValue(item)}`)
  return label
}

function problem({ file, line }: DataRecord, message: string): DataError {
  return new DataError(`${file}:${line}: ${message}`)
}
