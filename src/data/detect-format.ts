import { basename } from 'node:path'
import { DataError } from '../errors.js'
import { type Delimiter, delimiters, type Row, RowSplitter } from './csv.js'
import type { DataFormat } from './formats.js'
import { firstBytes } from './read-bytes.js'

const formatOfEnding: ReadonlyMap<string, DataFormat> = new Map([
  ['txt', 'text'],
  ['text', 'text'],
  ['md', 'text'],
  ['jsonl', 'jsonl'],
  ['ndjson', 'jsonl'],
  ['csv', 'csv'],
  ['tsv', 'tsv'],
  ['tab', 'tsv'],
  ['parquet', 'parquet'],
])

/** Bytes that the format of a file is guessed from. */
const sampleSize = 2 ** 16

/**
 * The format of a data file of which nothing is known: what the ending of its name says (`.gz` left out), else what its
 * content looks like. A `.json` file holds an array or, where it begins with an object, one value a line.
 *
 * @throws DataError where the file cannot be read
 */
export async function formatOf(path: string): Promise<DataFormat> {
  const ending = endingOf(path)
  const known = formatOfEnding.get(ending)
  if (known !== undefined) return known
  const sample = await firstBytes(path, sampleSize)
  if (ending === 'json') return start(sample).startsWith('{') ? 'jsonl' : 'json'
  return formatOfContent(sample)
}

/** A table is not recognized: a text may have as many commas. */
function formatOfContent(sample: Buffer): DataFormat {
  if (isParquet(sample)) return 'parquet'
  const text = start(sample)
  if (/^\[\s*[[{"\]]/.test(text)) return 'json'
  if (!text.startsWith('{')) return 'text'
  const end = text.indexOf('\n')
  if (end < 0) return sample.length === sampleSize || isJson(text) ? 'jsonl' : 'text'
  return isJson(text.slice(0, end)) ? 'jsonl' : 'text'
}

/** How a file is written that is known to hold records with columns. */
export interface RecordSyntax {
  readonly format: Exclude<DataFormat, 'text' | 'lines'>
  /** What stands between the values of a table. */
  readonly delimiter?: Delimiter
}

/**
 * How a file is written that is known to hold records with columns, judged by its content: Parquet, a JSON array, JSON
 * objects line by line, or else a table. A table is split by the delimiter that gives most of the first rows as many
 * columns as the very first one; where that is so for several, by the one that the ending of the name stands for, else
 * the first of tab, comma, semicolon and bar.
 *
 * @throws DataError where the file cannot be read
 */
export async function recordSyntaxOf(path: string): Promise<RecordSyntax> {
  const sample = await firstBytes(path, sampleSize)
  const format = structureOf(sample)
  if (format !== undefined) return { format }
  const ending = formatOfEnding.get(endingOf(path))
  const likely = ending === 'csv' ? ([',', ';', '|', '\t'] as const) : delimiters
  let delimiter: Delimiter = ending === 'tsv' ? '\t' : ','
  let bestShare = 0
  for (const candidate of likely) {
    const share = agreement(sample, candidate)
    if (share > bestShare) [delimiter, bestShare] = [candidate, share]
  }
  return { format: delimiter === '\t' ? 'tsv' : 'csv', delimiter }
}

/** The share of the rows of a sample that have as many columns as the first one; 0 where that has only one. */
function agreement(sample: Buffer, delimiter: Delimiter): number {
  const splitter = new RowSplitter('', { delimiter, quotes: delimiter !== '\t' })
  const text = sample.toString('utf8').replace(/^\ufeff/, '')
  const rows: Row[] = []
  try {
    for (const row of splitter.push(text)) rows.push(row)
    if (sample.length < sampleSize) for (const row of splitter.end()) rows.push(row)
  } catch (error) {
    // A quote that is not closed: with this delimiter, or in the file. The rows before it decide.
    if (!(error instanceof DataError)) throw error
  }
  const count = rows[0]?.values.length ?? 1
  return count === 1 ? 0 : rows.filter(({ values }) => values.length === count).length / rows.length
}

/**
 * How a file of tagged sentences is written, judged by its content: JSON objects or Parquet, else columns in lines.
 *
 * @throws DataError where the file cannot be read
 */
export async function taggedFormatOf(path: string): Promise<'conll' | 'parquet' | 'json' | 'jsonl'> {
  return structureOf(await firstBytes(path, sampleSize)) ?? 'conll'
}

/** An object whose key `data` holds an array, with nothing but single values before it. */
const squadStart = /^\{(?:\s*"[^"\\]*"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[-+.\w]+)\s*,)*\s*"data"\s*:\s*\[/

/**
 * How a file of questions is written, judged by its content: as SQuAD's (one JSON object with `data`), or as rows.
 *
 * @throws DataError where the file cannot be read
 */
export async function questionFormatOf(path: string): Promise<'squad' | RecordSyntax['format']> {
  const sample = await firstBytes(path, sampleSize)
  const text = start(sample)
  const isObject = structureOf(sample) === 'jsonl' && !isJson(text.slice(0, lineEnd(text)))
  const isCut = sample.length === sampleSize && lineEnd(text) === text.length
  const isLines = formatOfEnding.get(endingOf(path)) === 'jsonl'
  if (squadStart.test(text) || (isObject && !isCut && !isLines)) return 'squad'
  return (await recordSyntaxOf(path)).format
}

/** The first lines of a text file, by which the columns in it are told apart. */
export async function firstLines(path: string): Promise<string[]> {
  const sample = await firstBytes(path, sampleSize)
  const lines = sample
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
  return sample.length < sampleSize || lines.length === 1 ? lines : lines.slice(0, -1)
}

/** The format of content that begins as JSON objects or Parquet do; undefined where it does not. */
function structureOf(sample: Buffer): 'parquet' | 'json' | 'jsonl' | undefined {
  if (isParquet(sample)) return 'parquet'
  const text = start(sample)
  if (/^\[\s*(?:\{\s*["}]|\]\s*$)/.test(text)) return 'json'
  // An object that is not valid, or goes on in the next line, is better spoken of as JSON than as a table.
  return /^\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\}\s*(?:\n|$))/.test(text) ? 'jsonl' : undefined
}

function isParquet(sample: Buffer): boolean {
  return sample.subarray(0, 4).toString('latin1') === 'PAR1'
}

function endingOf(path: string): string {
  const name = basename(path).toLowerCase().replace(/\.gz$/, '')
  return name.slice(name.lastIndexOf('.') + 1)
}

function start(sample: Buffer): string {
  return sample.toString('utf8').replace(/^\ufeff?\s*/, '')
}

function lineEnd(text: string): number {
  const end = text.indexOf('\n')
  return end < 0 ? text.length : end
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
