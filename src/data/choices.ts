import { DataError } from '../errors.js'
import {
  asText,
  type ColumnOptions,
  cellText,
  findColumn,
  missingColumn,
  readColumns,
  requireColumn,
  showValue,
} from './columns.js'
import type { DataRecord } from './records.js'

/** A question with several answers to choose from, one of which is right. */
export interface Choice {
  readonly prompt: string
  /** At least two. */
  readonly choices: readonly string[]
  /** The position of the right choice, from 0. */
  readonly label: number
  readonly file: string
  readonly line: number
}

/** How {@link readChoices} reads; the column `text` holds the prompt. */
export type ChoiceOptions = ColumnOptions<'text' | 'choices' | 'label'>

const usualPrompts = ['question', 'prompt', 'sent1', 'ctx', 'context', 'text', 'sentence']
const usualChoices = ['choices', 'endings', 'options']
const usualLabels = ['label', 'answerkey', 'answer', 'gold_label']

/** A column of one of several choices: `ending0`, `choice_1`. */
const numberedChoice = /^(?:ending|choice|option)[ _]?(\d+)$/i

/**
 * Reads multiple-choice questions from JSONL, JSON, CSV, TSV or Parquet; which of them a file is shows in its content.
 *
 * The choices are a list of texts, or CommonsenseQA's `{label: […], text: […]}` or `[{label, text}, …]`, or in columns of
 * their own (`ending0`, `ending1`, …). SWAG's `sent2`, with which every ending begins, is put before each of them. The
 * label is the position of the right choice from 0, or its name among the labels of the choices, by default A, B, C, ….
 *
 * @throws DataError `file:line: problem` where a column is missing, there are fewer than two choices, one is empty, or the
 * label is none of them
 */
export async function* readChoices(
  files: string | readonly string[],
  options: ChoiceOptions = {},
): AsyncGenerator<Choice, void, undefined> {
  const { columns = {} } = options
  for await (const record of readColumns(files, options, [...usualLabels, 'ending0'])) {
    const prompt = cellText(record, requireColumn(record, 'text', findColumn(record, columns.text, usualPrompts)))
    const { texts, names } = choicesOf(record, findColumn(record, columns.choices, usualChoices))
    const label = requireColumn(record, 'label', findColumn(record, columns.label, usualLabels))
    const { file, line } = record
    yield { prompt, choices: texts, label: labelOf(record, cellText(record, label), names), file, line }
  }
}

interface NamedChoices {
  readonly texts: string[]
  readonly names: readonly string[]
}

function choicesOf(record: DataRecord, column: string | undefined): NamedChoices {
  const { texts, names } = column === undefined ? numberedChoices(record) : listedChoices(record, column)
  if (texts.length < 2) throw problem(record, `expected at least two choices, got ${texts.length}`)
  const empty = texts.indexOf('')
  if (empty >= 0) throw problem(record, `choice ${empty} is empty`)
  if (names === undefined) return { texts, names: texts.map((_, i) => String.fromCharCode(0x41 + i)) }
  if (names.length === texts.length) return { texts, names }
  throw problem(record, `expected as many labels of choices as texts (${texts.length}), got ${names.length}`)
}

interface FoundChoices {
  readonly texts: string[]
  readonly names?: string[]
}

function numberedChoices(record: DataRecord): FoundChoices {
  const numbered = Object.keys(record.fields).flatMap((column) => {
    const number = numberedChoice.exec(column)?.[1]
    return number === undefined ? [] : [{ column, number: Number(number) }]
  })
  if (numbered.length === 0) throw missingColumn(record, 'choices')
  const start = asText(record.fields.sent2) ?? ''
  const texts = numbered.sort((a, b) => a.number - b.number).map(({ column }) => cellText(record, column))
  return { texts: start === '' ? texts : texts.map((text) => `${start} ${text}`) }
}

function listedChoices(record: DataRecord, column: string): FoundChoices {
  const value = record.fields[column]
  const list = (items: unknown): string[] => {
    const texts = Array.isArray(items) ? items.map(asText) : [undefined]
    return texts.map((text) => {
      if (text !== undefined) return text
      throw problem(record, `expected a list of texts in the column '${column}', got ${showValue(value)}`)
    })
  }
  if (isObject(value)) return { texts: list(value.text), names: list(value.label) }
  if (!Array.isArray(value) || !value.every(isObject)) return { texts: list(value) }
  return { texts: list(value.map(({ text }) => text)), names: list(value.map(({ label }) => label)) }
}

function labelOf(record: DataRecord, label: string, names: readonly string[]): number {
  const named = names.indexOf(label.trim())
  if (named >= 0) return named
  const position = /^\d+$/.test(label.trim()) ? Number(label) : -1
  if (position >= 0 && position < names.length) return position
  throw problem(
    record,
    `expected as label a position from 0 to ${names.length - 1} or one of ${names.join(', ')}, got ${showValue(label)}`,
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function problem({ file, line }: DataRecord, message: string): DataError {
  return new DataError(`${file}:${line}: ${message}`)
}
