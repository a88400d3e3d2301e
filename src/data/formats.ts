/**
 * The formats of data files: a whole text, one text a line, one JSON value a line, a JSON array, a table with commas or
 * tabs, Parquet.
 */
export const dataFormats = ['text', 'lines', 'jsonl', 'json', 'csv', 'tsv', 'parquet'] as const

/** One of {@link dataFormats}. */
export type DataFormat = (typeof dataFormats)[number]
