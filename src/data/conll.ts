import { ConfigError, DataError } from '../errors.js'
import { type ColumnOptions, findColumn, requireColumn, showValue } from './columns.js'
import { firstLines, taggedFormatOf } from './detect-format.js'
import { findFiles } from './find-files.js'
import type { DataFormat } from './formats.js'
import { LineSplitter } from './lines.js'
import { type DataRecord, readFileRecords, splitFile } from './records.js'

/** A sentence as words, each with its tag. */
export interface TaggedSentence {
  readonly words: readonly string[]
  /** One for each word. */
  readonly tags: readonly string[]
  /** The words joined: with spaces, or without where the sentence is written character by character, see {@link joinWords}. */
  readonly text: string
  /** Where each word is in the text, [start, end) in UTF-16 code units. */
  readonly offsets: readonly [start: number, end: number][]
  readonly file: string
  /** The line of the first word, or of the record, from 1. */
  readonly line: number
}

/**
 * How {@link readTagged} reads. The columns `text` (of words) and `tag` are positions in CoNLL files, the first and the
 * last column by default; in JSON and Parquet they are names, by default `tokens` or `words`, and `tags`, `ner_tags`,
 * `pos_tags` or `labels`.
 */
export type TaggedOptions = Pick<ColumnOptions<'text' | 'tag'>, 'format' | 'columns' | 'onBytes'>

const usualWords = ['tokens', 'words', 'text']
const usualTags = ['tags', 'ner_tags', 'pos_tags', 'labels', 'ner']

/** The most words of a sentence: whatever has more has no blank lines between its sentences. */
const maximumWords = 2 ** 20

/**
 * Reads tagged sentences: CoNLL columns, or records with a list of words and a list of tags in JSONL, JSON or Parquet.
 * Which of them a file is shows in its content.
 *
 * A CoNLL file has one word a line and a blank line between sentences. Tabs part its columns where the first word's line
 * has one, else spaces. Lines that begin with `-DOCSTART-` are skipped, and so are comments: lines that begin with `# `,
 * stand before the first word of a sentence, and do not have as many columns as the words. In memory is one sentence at
 * a time.
 *
 * @throws DataError `file:line: problem` where a line has another number of columns than the first, a word or tag is empty,
 * or words and tags differ in number; ConfigError where a column does not fit the format
 */
export async function* readTagged(
  files: string | readonly string[],
  options: TaggedOptions = {},
): AsyncGenerator<TaggedSentence, void, undefined> {
  for (const file of findFiles(files)) {
    const format = options.format === undefined ? await taggedFormatOf(file) : taggedFormat(options.format)
    if (format === 'conll') yield* readConll(file, options)
    else yield* readTaggedRecords(file, { ...options, format })
  }
}

function taggedFormat(format: DataFormat): 'conll' | 'parquet' | 'json' | 'jsonl' {
  if (format === 'csv') {
    throw new ConfigError('data.format: tagged sentences are in columns (tsv), jsonl, json or parquet, got csv')
  }
  return format === 'jsonl' || format === 'json' || format === 'parquet' ? format : 'conll'
}

/** How the lines of a CoNLL file are cut. */
interface ConllSyntax {
  readonly separator: RegExp
  /** How many columns there are. */
  readonly count: number
  /** The positions of the word and its tag. */
  readonly word: number
  readonly tag: number
}

const blankLine = /^[ \t]*$/
const documentStart = /^-DOCSTART-(?:\s|$)/
const commentStart = /^#(?:[ \t]|$)/

async function* readConll(file: string, options: TaggedOptions): AsyncGenerator<TaggedSentence, void, undefined> {
  const syntax = conllSyntax(file, await firstLines(file), options)
  let words: string[] = []
  let tags: string[] = []
  let first = 0
  for await (const { text, line } of splitFile(file, new LineSplitter(file), options.onBytes)) {
    if (blankLine.test(text) || documentStart.test(text)) {
      if (words.length > 0) yield { words, tags, ...joinWords(words), file, line: first }
      ;[words, tags] = [[], []]
      continue
    }
    const columns = cut(text, syntax.separator)
    if (words.length === 0) {
      if (columns.length !== syntax.count && commentStart.test(text)) continue
      first = line
    }
    const [word, tag] = wordAndTag(columns, syntax, `${file}:${line}`)
    if (words.push(word) > maximumWords) {
      throw new DataError(
        `${file}:${first}: a sentence has more than ${maximumWords} words; put a blank line behind each`,
      )
    }
    tags.push(tag)
  }
  if (words.length > 0) yield { words, tags, ...joinWords(words), file, line: first }
}

/** @param lines the first lines of the file */
function conllSyntax(file: string, lines: readonly string[], { columns = {} }: TaggedOptions): ConllSyntax {
  const rows = lines.filter((line) => !blankLine.test(line) && !documentStart.test(line))
  const row = rows.find((line) => !commentStart.test(line)) ?? rows[0] ?? ''
  const separator = row.includes('\t') ? /\t/ : /[ \t]+/
  const count = cut(row, separator).length
  const { text: word = 0, tag = count - 1 } = columns
  for (const column of [word, tag]) {
    if (typeof column === 'number' && (column < count || row === '')) continue
    const given = JSON.stringify(column)
    throw new ConfigError(
      `${file}: expected the position of a column, from 0 to ${count - 1}, as data.columns of a CoNLL file, got ${given}`,
    )
  }
  return { separator, count, word: Number(word), tag: Number(tag) }
}

function cut(line: string, separator: RegExp): string[] {
  return (separator.source === '\\t' ? line : line.replace(/[ \t]+$/, '')).split(separator)
}

function wordAndTag(columns: readonly string[], syntax: ConllSyntax, where: string): [word: string, tag: string] {
  const { count, word, tag } = syntax
  if (count === 1) {
    throw new DataError(`${where}: expected a word and its tag, separated by a tab or spaces, got ${show(columns[0])}`)
  }
  if (columns.length !== count) {
    throw new DataError(
      `${where}: expected ${count} columns as in the first row, got ${columns.length}: ${show(columns.join(' '))}`,
    )
  }
  if (columns[word] === '') throw new DataError(`${where}: the word in column ${word} is empty`)
  if (columns[tag] === '') {
    throw new DataError(`${where}: the tag of ${show(columns[word])} in column ${tag} is missing`)
  }
  return [columns[word], columns[tag]]
}

async function* readTaggedRecords(
  file: string,
  { format, columns = {}, onBytes }: TaggedOptions,
): AsyncGenerator<TaggedSentence, void, undefined> {
  for await (const record of readFileRecords(file, { format, onBytes })) {
    const { line } = record
    const words = listOfTexts(record, requireColumn(record, 'text', findColumn(record, columns.text, usualWords)))
    const tags = listOfTexts(record, requireColumn(record, 'tag', findColumn(record, columns.tag, usualTags)))
    if (words.length !== tags.length) {
      throw new DataError(`${file}:${line}: expected as many tags as words (${words.length}), got ${tags.length}`)
    }
    if (words.length > 0) yield { words, tags, ...joinWords(words), file, line }
  }
}

function listOfTexts(record: DataRecord, column: string): string[] {
  const value = record.fields[column]
  const where = `${record.file}:${record.line}`
  if (!Array.isArray(value)) {
    throw new DataError(`${where}: expected a list of texts in the column '${column}', got ${showValue(value)}`)
  }
  return value.map((item, i) => {
    if (typeof item === 'string' && item !== '') return item
    const hint = typeof item === 'number' || typeof item === 'bigint' ? '; write the names of tags, not numbers' : ''
    throw new DataError(`${where}: expected a text in the column '${column}' at ${i}, got ${showValue(item)}${hint}`)
  })
}

/**
 * The text that words make, and where each of them is in it.
 *
 * Words are joined with spaces, but not in a sentence that is written character by character: where every word is one
 * character and one of them is Chinese or Japanese, or where at least half of the words are single characters of these
 * scripts. In such a sentence only two words that are both longer than a character have a space between them.
 *
 * @returns offsets as [start, end) in UTF-16 code units
 */
export function joinWords(words: readonly string[]): Pick<TaggedSentence, 'text' | 'offsets'> {
  const inCharacters = isWrittenInCharacters(words)
  const offsets: [start: number, end: number][] = []
  let text = ''
  for (const [i, word] of words.entries()) {
    const isApart = i > 0 && (!inCharacters || !(isSingle(words[i - 1]) || isSingle(word)))
    if (isApart) text += ' '
    offsets.push([text.length, text.length + word.length])
    text += word
  }
  return { text, offsets }
}

function isWrittenInCharacters(words: readonly string[]): boolean {
  const count = words.filter((word) => eastAsian.test(word)).length
  return words.every(isSingle) ? count > 0 : count * 2 >= words.length
}

function isSingle(word: string): boolean {
  return /^.$/su.test(word)
}

/** One character of Chinese or Japanese, or of their punctuation and full-width forms. */
const eastAsian =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\u3000-\u303f\uff00-\uffef]$/u

function show(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 39)}…` : text)
}
