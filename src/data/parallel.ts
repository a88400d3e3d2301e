import { DataError } from '../errors.js'
import { type ColumnOptions, type Columns, cellText, findColumn, readColumns, requireColumn } from './columns.js'
import { formatOf } from './detect-format.js'
import { findFiles } from './find-files.js'
import { type Line, LineSplitter } from './lines.js'
import { type DataRecord, splitFile } from './records.js'

/** A text and what is to be made of it: a sentence and its translation, a document and its summary. */
export interface ParallelText {
  readonly source: string
  readonly target: string
  /** Of the source, where the two are in files of their own. */
  readonly file: string
  readonly line: number
}

/** How {@link readParallel} reads. */
export interface ParallelOptions extends ColumnOptions<'source' | 'target'> {
  /** Hears of pairs that are left out. */
  readonly onWarning?: ((message: string) => void) | undefined
}

/** Names under which data sets keep sources and targets, the likeliest first. */
const usualPairs = [
  { source: 'source', target: 'target' },
  { source: 'src', target: 'tgt' },
  { source: 'document', target: 'summary' },
  { source: 'article', target: 'highlights' },
  { source: 'text', target: 'summary' },
  { source: 'dialogue', target: 'summary' },
]
const usualSources = usualPairs.map(({ source }) => source)
const usualTargets = usualPairs.map(({ target }) => target)

/**
 * Reads parallel texts: from two files of plain text, whose lines belong together, or from the columns of one or more
 * tables (CSV, TSV, JSONL, JSON, Parquet; which of them a file is shows in its content).
 *
 * Two files are a source and a target file where both hold plain text, by their names' endings or their content, or where
 * the format is `lines` or `text`; either may be a pattern that matches as many files as the other. Any other files are
 * tables. Their columns are found by what is given, else by usual names (`source` and `target`, `document` and `summary`,
 * `article` and `highlights`, …), else the first two of a table of two or three columns without a header are taken. The
 * texts of an object `translation` count as columns: `{"translation": {"de": …, "en": …}}`.
 *
 * Texts have no white space around them. Where one of the two is empty the pair is left out, and one warning counts all.
 *
 * @param files paths or glob patterns, see {@link findFiles}
 * @throws DataError where the two files have different numbers of lines, and `file:line: problem` where a column is missing
 */
export async function* readParallel(
  files: string | readonly string[],
  options: ParallelOptions = {},
): AsyncGenerator<ParallelText, void, undefined> {
  const empty: ParallelText[] = []
  const lineFiles = await lineFilesOf(files, options)
  for await (const { source, target, ...place } of lineFiles
    ? readLines(lineFiles, options)
    : readTable(files, options)) {
    const pair = { source: source.trim(), target: target.trim(), ...place }
    if (pair.source !== '' && pair.target !== '') yield pair
    else empty.push(pair)
  }
  if (empty.length > 0) options.onWarning?.(emptyWarning(empty))
}

function emptyWarning(empty: readonly ParallelText[]): string {
  const [{ file, line, source }] = empty
  const others = empty.length - 1
  const more = others === 0 ? '' : ` (and ${others} other${others === 1 ? '' : 's'})`
  return `${file}:${line}: the ${source === '' ? 'source' : 'target'} is empty and the pair is left out${more}`
}

/** The source files and the target files, where two names stand for them. */
async function lineFilesOf(
  files: string | readonly string[],
  { format }: ParallelOptions,
): Promise<[sources: string[], targets: string[]] | undefined> {
  if (typeof files === 'string' || files.length !== 2) return undefined
  const [sources, targets] = files.map((name) => findFiles(name))
  for (const file of [...sources, ...targets]) {
    const found = format ?? (await formatOf(file))
    if (found !== 'text' && found !== 'lines') return undefined
  }
  if (sources.length === targets.length) return [sources, targets]
  throw new DataError(
    `${files.join(', ')}: expected as many source files as target files, got ${sources.length} and ${targets.length}`,
  )
}

async function* readLines(
  [sources, targets]: readonly [string[], string[]],
  { onBytes }: ParallelOptions,
): AsyncGenerator<ParallelText, void, undefined> {
  for (const [i, file] of sources.entries()) {
    const [source, target] = [file, targets[i]].map((path) => splitFile(path, new LineSplitter(path), onBytes))
    let lines = 0
    try {
      for await (const { text, line } of source) {
        const { value: other } = await target.next()
        if (!other) throw differentLengths([file, line + (await count(source))], [targets[i], lines])
        lines = line
        yield { source: text, target: other.text, file, line }
      }
      const more = await count(target)
      if (more > 0) throw differentLengths([file, lines], [targets[i], lines + more])
    } finally {
      await target.return()
    }
  }
}

async function count(lines: AsyncIterator<Line>): Promise<number> {
  let rest = 0
  while (!(await lines.next()).done) rest++
  return rest
}

function differentLengths(source: [file: string, lines: number], target: [file: string, lines: number]): DataError {
  const [first, second] = [source, target].map(([file, lines]) => `${file} has ${lines} line${lines === 1 ? '' : 's'}`)
  return new DataError(`${first}, ${second}: expected as many, each line with its translation in the other file`)
}

async function* readTable(
  files: string | readonly string[],
  options: ParallelOptions,
): AsyncGenerator<ParallelText, void, undefined> {
  let columns: Record<'source' | 'target', string> | undefined
  let last: string | undefined
  for await (const given of readColumns(files, options, [...usualSources, ...usualTargets])) {
    const record = withTranslation(given)
    if (columns === undefined || record.file !== last) columns = chooseColumns(record, options.columns)
    const { file, line } = record
    last = file
    yield { source: cellText(record, columns.source), target: cellText(record, columns.target), file, line }
  }
}

/** The texts of a record's `translation`, by language, beside its other columns. */
function withTranslation(record: DataRecord): DataRecord {
  const { translation } = record.fields
  if (typeof translation !== 'object' || translation === null || Array.isArray(translation)) return record
  const { translation: _taken, ...others } = record.fields
  return { ...record, fields: { ...others, ...translation } }
}

function chooseColumns(
  record: DataRecord,
  given: Columns<'source' | 'target'> = {},
): Record<'source' | 'target', string> {
  const { source, target } = Object.keys(given).length > 0 ? given : columnsByPosition(record)
  const known = source === undefined && target === undefined ? knownPair(record) : undefined
  const chosen = {
    source: requireColumn(record, 'source', findColumn(record, source, known ? [known.source] : usualSources)),
    target: requireColumn(record, 'target', findColumn(record, target, known ? [known.target] : usualTargets)),
  }
  if (chosen.source !== chosen.target) return chosen
  throw new DataError(
    `${record.file}:${record.line}: the column '${chosen.source}' cannot be both source and target; give data.columns.source and data.columns.target their names or positions from 0`,
  )
}

/** The first two columns of a table without a header; a third one says where a sentence comes from, as in Tatoeba's files. */
function columnsByPosition({ fields }: DataRecord): Columns<'source' | 'target'> {
  const names = Object.keys(fields)
  const isTable = names.every((name, position) => name === String(position))
  return isTable && (names.length === 2 || names.length === 3) ? { source: 0, target: 1 } : {}
}

function knownPair({ fields }: DataRecord) {
  const names = Object.keys(fields).map((name) => name.trim().toLowerCase())
  return usualPairs.find(({ source, target }) => names.includes(source) && names.includes(target))
}
