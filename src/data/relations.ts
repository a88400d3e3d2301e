import { DataError } from '../errors.js'
import { codePointPositions } from './code-points.js'
import { type ColumnOptions, cellText, findColumn, readColumns, requireColumn, showValue } from './columns.js'
import type { DataRecord } from './records.js'

/** A part of a text, [start, end) in UTF-16 code units. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A text with two things in it and the relation of the first to the second. */
export interface Relation {
  readonly text: string
  readonly head: Span
  readonly tail: Span
  readonly label: string
  readonly file: string
  readonly line: number
}

/** How {@link readRelations} reads. */
export type RelationOptions = ColumnOptions<'text' | 'head' | 'tail' | 'label'>

const usualTexts = ['text', 'sentence', 'content']
const usualHeads = ['head', 'subject', 'e1']
const usualTails = ['tail', 'object', 'e2']
const usualLabels = ['label', 'relation', 'class']

/**
 * Reads relations from JSONL, JSON, CSV, TSV or Parquet; which of them a file is shows in its content.
 *
 * Head and tail are columns of their own, `{start, end}` or `[start, end]` in code points with the end exclusive, or are
 * marked in the text: `[E1]Ada[/E1] was born in [E2]London[/E2]`, or with `<e1>…</e1>` as in SemEval-2010 task 8. Markers
 * are taken out of the text, with the space that parts them from what they mark.
 *
 * @throws DataError `file:line: problem` where a column or marker is missing, or a span is empty or not in the text
 */
export async function* readRelations(
  files: string | readonly string[],
  options: RelationOptions = {},
): AsyncGenerator<Relation, void, undefined> {
  const { columns = {} } = options
  for await (const record of readColumns(files, options, usualLabels)) {
    const text = cellText(record, requireColumn(record, 'text', findColumn(record, columns.text, usualTexts)))
    const label = cellText(record, requireColumn(record, 'label', findColumn(record, columns.label, usualLabels)))
    if (label.trim() === '') throw problem(record, 'the label is empty')
    const head = findColumn(record, columns.head, usualHeads)
    const tail = findColumn(record, columns.tail, usualTails)
    const { file, line } = record
    if (head === undefined && tail === undefined) {
      yield { ...unmark(record, text), label, file, line }
      continue
    }
    const toUnits = codePointPositions(text)
    const span = (column: string) => givenSpan(record, column, { text, toUnits })
    const spans = { head: span(requireColumn(record, 'head', head)), tail: span(requireColumn(record, 'tail', tail)) }
    yield { text, ...spans, label, file, line }
  }
}

function givenSpan(
  record: DataRecord,
  column: string,
  { text, toUnits }: { text: string; toUnits: (position: number) => number },
): Span {
  const [first, second] = bounds(record.fields[column])
  if (Number.isInteger(first) && Number.isInteger(second)) {
    const [start, end] = [toUnits(first), toUnits(second)]
    if (start >= 0 && start < end && end <= text.length) return { start, end }
  }
  throw problem(
    record,
    `expected {"start", "end"} or [start, end] of a part of the text in the column '${column}', got ${showValue(record.fields[column])}`,
  )
}

/** The two numbers of a span; NaN where there are none. */
function bounds(value: unknown): [start: number, end: number] {
  if (Array.isArray(value)) return value.length === 2 ? [numberOf(value[0]), numberOf(value[1])] : [NaN, NaN]
  if (typeof value !== 'object' || value === null || !('start' in value && 'end' in value)) return [NaN, NaN]
  return [numberOf(value.start), numberOf(value.end)]
}

function numberOf(value: unknown): number {
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : NaN
}

/** A marker, with the space inside of it where there is a border outside as well. */
const marker = /(?<=^|\s)(?:\[E[12]\]|<e[12]>) | (?:\[\/E[12]\]|<\/e[12]>)(?![\p{L}\p{N}])|\[\/?E[12]\]|<\/?e[12]>/gu

/** Takes the markers out of a text. */
function unmark(record: DataRecord, marked: string): Pick<Relation, 'text' | 'head' | 'tail'> {
  const places = new Map<string, number>()
  let text = ''
  let last = 0
  for (const { 0: found, index } of marked.matchAll(marker)) {
    text += marked.slice(last, index)
    last = index + found.length
    const name = found.trim().slice(1, -1).toUpperCase()
    if (places.has(name)) throw problem(record, `the marker ${found.trim()} stands twice in the text`)
    places.set(name, text.length)
  }
  text += marked.slice(last)
  const span = (number: string) => markedSpan(record, number, { text, places })
  return { text, head: span('1'), tail: span('2') }
}

function markedSpan(
  record: DataRecord,
  number: string,
  { text, places }: { text: string; places: ReadonlyMap<string, number> },
): Span {
  const [from, to] = [places.get(`E${number}`), places.get(`/E${number}`)]
  if (from !== undefined && to !== undefined) {
    const inside = text.slice(from, to)
    const start = from + inside.length - inside.trimStart().length
    const end = from + inside.trimEnd().length
    if (start < end) return { start, end }
  }
  const part = number === '1' ? 'head' : 'tail'
  throw problem(
    record,
    `expected a column '${part}', or the ${part} between [E${number}] and [/E${number}] in the text, got ${showValue(text)}`,
  )
}

function problem({ file, line }: DataRecord, message: string): DataError {
  return new DataError(`${file}:${line}: ${message}`)
}
