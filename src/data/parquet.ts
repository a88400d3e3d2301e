import { type AsyncBuffer, asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { DataError } from '../errors.js'
import { isGzip, type OnBytes, readBytes } from './read-bytes.js'

/** One row of a Parquet file. */
export interface ParquetRow {
  readonly fields: Record<string, unknown>
  /** From 1. */
  readonly row: number
}

/** What {@link readParquet} reads. */
export interface ParquetOptions {
  /** These columns only, where the file has all of them; by default all. */
  readonly columns?: readonly string[]
  readonly onBytes?: OnBytes
}

/**
 * The rows of a Parquet file, of which one row group is in memory at a time (a gzip-compressed file: all of it, because
 * Parquet is read from its end).
 *
 * @throws DataError where the file is damaged or uses a feature that is not supported
 */
export async function* readParquet(
  path: string,
  { columns = [], onBytes }: ParquetOptions = {},
): AsyncGenerator<ParquetRow, void, undefined> {
  let row = 0
  try {
    const file = await openParquet(path)
    const metadata = await parquetMetadataAsync(file)
    const names = metadata.schema.map(({ name }) => name)
    const wanted = columns.length > 0 && columns.every((name) => names.includes(name)) ? [...columns] : undefined
    for (const group of metadata.row_groups) {
      const range = { rowStart: row, rowEnd: row + Number(group.num_rows) }
      for (const fields of await parquetReadObjects({ file, metadata, compressors, columns: wanted, ...range })) {
        yield { fields, row: ++row }
      }
      onBytes?.(file.byteLength / metadata.row_groups.length)
    }
  } catch (error) {
    if (error instanceof DataError) throw error
    const message = error instanceof Error ? error.message : String(error)
    throw new DataError(`${path}: not a readable Parquet file (after row ${row}): ${message}`, { cause: error })
  }
}

async function openParquet(path: string): Promise<AsyncBuffer> {
  if (!(await isGzip(path))) return asyncBufferFromFile(path)
  const parts: Buffer[] = []
  for await (const part of readBytes(path)) parts.push(part)
  const bytes = new Uint8Array(Buffer.concat(parts))
  return { byteLength: bytes.length, slice: (start, end) => bytes.buffer.slice(start, end) }
}
