import { basename } from 'node:path'
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
 * The format of a data file: what the ending of its name says (`.gz` left out), else what its content looks like. A
 * `.json` file holds an array or, where it begins with an object, one value a line.
 *
 * @throws DataError where the file cannot be read
 */
export async function formatOf(path: string): Promise<DataFormat> {
  const name = basename(path).toLowerCase().replace(/\.gz$/, '')
  const ending = name.slice(name.lastIndexOf('.') + 1)
  const known = formatOfEnding.get(ending)
  if (known !== undefined) return known
  const sample = await firstBytes(path, sampleSize)
  if (ending === 'json') return start(sample).startsWith('{') ? 'jsonl' : 'json'
  return formatOfContent(sample)
}

/** A table is not recognized: a text may have as many commas. */
function formatOfContent(sample: Buffer): DataFormat {
  if (sample.subarray(0, 4).toString('latin1') === 'PAR1') return 'parquet'
  const text = start(sample)
  if (/^\[\s*[[{"\]]/.test(text)) return 'json'
  if (!text.startsWith('{')) return 'text'
  const end = text.indexOf('\n')
  if (end < 0) return sample.length === sampleSize || isJson(text) ? 'jsonl' : 'text'
  return isJson(text.slice(0, end)) ? 'jsonl' : 'text'
}

function start(sample: Buffer): string {
  return sample.toString('utf8').replace(/^\ufeff?\s*/, '')
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
