import { z } from 'zod'
import { DataError } from '../errors.js'
import { codePointPositions } from './code-points.js'
import { asText, type ColumnOptions, cellText, findColumn, readColumns, requireColumn, showValue } from './columns.js'
import { questionFormatOf } from './detect-format.js'
import { findFiles } from './find-files.js'
import { parseJson } from './json-values.js'
import { type DataRecord, readWholeText } from './records.js'

/** An answer to a question about a text. */
export interface Answer {
  readonly text: string
  /**
   * Where it begins in the context, in UTF-16 code units; undefined for an answer in the annotator's own words, which
   * counts when answers are judged and cannot be learnt as a span.
   */
  readonly start: number | undefined
}

/** A question about a text. */
export interface Question {
  /** Its id in the file, or where it stands (`file:line`). */
  readonly id: string
  readonly question: string
  readonly context: string
  /** Of the article that the context is from. */
  readonly title?: string
  /** Counts articles over all files, from 0: contexts of one article are better not split between training and validation. */
  readonly article: number
  /** All that annotators gave, repetitions too. */
  readonly answers: readonly Answer[]
  /** Whether the context has no answer. */
  readonly isImpossible: boolean
  readonly file: string
  /** Where it stands in the file: `data[3].paragraphs[0].qas[2]`, or `line 4`. */
  readonly place: string
}

/** How {@link readQuestions} reads; the columns are those of flat records. */
export type QuestionOptions = ColumnOptions<'question' | 'context' | 'answers'>

/**
 * Reads questions about texts: SQuAD's JSON (1.1 and 2.0; so are XQuAD, CMRC 2018, DRCD), or flat records
 * `{id?, title?, question, context, answers: {text: […], answer_start: […]}}` as JSONL, JSON or Parquet. Which of them a
 * file is shows in its content. Of SQuAD's JSON a whole file is in memory, at most 2²⁹ − 24 characters, else a record.
 *
 * Files count code points up to an answer, and the count is turned into UTF-16 code units. Where the answer's text is not
 * at that place, the occurrence nearest to it is taken, of two equally near ones the first: some annotations are a few
 * characters off. A negative start (CMRC 2018) says that the annotator used words of their own; where they occur in the
 * context nevertheless, the first occurrence is taken.
 *
 * A question is impossible where the file says so, or where its list of answers is empty. Where there is no such list (a
 * test set), it is not.
 *
 * @throws DataError `file: place: problem` where something is missing, or an answer has a start and occurs nowhere
 */
export async function* readQuestions(
  files: string | readonly string[],
  options: QuestionOptions = {},
): AsyncGenerator<Question, void, undefined> {
  let articles = 0
  for (const file of findFiles(files)) {
    let last = articles - 1
    const isOpen = options.format === undefined || options.format === 'json'
    const isSquad = isOpen && (await questionFormatOf(file)) === 'squad'
    for await (const question of isSquad ? readSquad(file, options) : readFlat(file, options)) {
      last = articles + question.article
      yield { ...question, article: last }
    }
    articles = last + 1
  }
}

const position = z.union([z.int(), z.bigint().transform(Number)], 'expected a whole number')
const answer = z.object({ text: z.string(), answer_start: position })
const squadArticle = z.object({
  title: z.string().optional(),
  paragraphs: z.array(
    z.object({
      context: z.string(),
      qas: z.array(
        z.object({
          id: z.union([z.string(), z.int().transform(String)], 'expected a text or number'),
          question: z.string(),
          answers: z.array(answer).optional(),
          is_impossible: z.boolean().optional(),
        }),
      ),
    }),
  ),
})
const squadFile = z.object({ data: z.array(z.unknown()) })

async function* readSquad(file: string, { onBytes }: QuestionOptions): AsyncGenerator<Question, void, undefined> {
  const text = await readWholeText(file, onBytes)
  const { data } = check(squadFile, parseJson({ text, line: 1, startsLine: true }, file), { file })
  for (const [article, content] of data.entries()) {
    const { title, paragraphs } = check(squadArticle, content, { file, place: `data[${article}]` })
    for (const [i, { context, qas }] of paragraphs.entries()) {
      const toUnits = codePointPositions(context)
      for (const [j, { id, question, answers, is_impossible: isImpossible }] of qas.entries()) {
        const place = `data[${article}].paragraphs[${i}].qas[${j}]`
        const found = { context, toUnits, answers, isImpossible, where: `${file}: ${place}` }
        yield { id, question, context, title, article, ...locateAnswers(found), file, place }
      }
    }
  }
}

const flatAnswers = z.union(
  [
    z.array(answer),
    z
      .object({ text: z.array(z.string()), answer_start: z.array(position) })
      .refine(({ text, answer_start: starts }) => text.length === starts.length)
      .transform(({ text, answer_start: starts }) => text.map((text, i) => ({ text, answer_start: starts[i] }))),
  ],
  'expected {"text": […], "answer_start": […]}, as many texts as numbers',
)

const usualNames = { question: ['question'], context: ['context', 'passage', 'paragraph'], answers: ['answers'] }

async function* readFlat(file: string, options: QuestionOptions): AsyncGenerator<Question, void, undefined> {
  let article = -1
  let last: string | undefined
  for await (const record of readColumns(file, options, usualNames.question)) {
    const { fields, line } = record
    const column = (part: keyof typeof usualNames) => findColumn(record, options.columns?.[part], usualNames[part])
    const context = cellText(record, requireColumn(record, 'context', column('context')))
    const question = cellText(record, requireColumn(record, 'question', column('question')))
    const title = asText(fields.title)
    if ((title ?? context) !== last) article++
    last = title ?? context
    const where = `${file}:${line}`
    const id = asText(fields.id) ?? where
    const found = { context, toUnits: codePointPositions(context), ...answersOf(record, column('answers')), where }
    yield { id, question, context, title, article, ...locateAnswers(found), file, place: `line ${line}` }
  }
}

function answersOf({ fields, file, line }: DataRecord, column: string | undefined) {
  const at = { file: `${file}:${line}`, place: column }
  const answers = column === undefined ? undefined : check(flatAnswers, fields[column], at)
  return { answers, isImpossible: fields.is_impossible === true }
}

/** What a file says of the answers to a question. */
interface GivenAnswers {
  readonly context: string
  /** From code points to UTF-16 code units. */
  readonly toUnits: (position: number) => number
  readonly answers: readonly z.infer<typeof answer>[] | undefined
  readonly isImpossible: boolean | undefined
  readonly where: string
}

function locateAnswers(given: GivenAnswers): Pick<Question, 'answers' | 'isImpossible'> {
  const { context, toUnits, answers = [], where } = given
  const isImpossible = given.isImpossible === true || given.answers?.length === 0
  if (isImpossible) return { answers: [], isImpossible }
  const located = answers.map(({ text, answer_start: start }, i) => {
    if (text === '') throw new DataError(`${where}: answers[${i}]: the answer is empty`)
    const expected = start < 0 ? start : toUnits(start)
    const found = nearestOccurrence(context, text, expected)
    if (found !== undefined || start < 0) return { text, start: found }
    const there = showValue(context.slice(expected, expected + text.length))
    throw new DataError(
      `${where}: answers[${i}]: expected the answer ${showValue(text)} at character ${start} of its context, got ${there}, and it occurs nowhere else in it`,
    )
  })
  return { answers: located, isImpossible }
}

/** Where a text begins in another: of all places the nearest to the one expected, of two equally near ones the first. */
function nearestOccurrence(text: string, part: string, expected: number): number | undefined {
  const before = expected < 0 ? -1 : text.lastIndexOf(part, expected)
  const after = text.indexOf(part, Math.max(0, expected))
  if (before < 0) return after < 0 ? undefined : after
  return after < 0 || expected - before <= after - expected ? before : after
}

/** @param place the path to the value in the file */
function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  { file, place = '' }: { file: string; place?: string },
): z.infer<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [{ path, message }] = result.error.issues
  const steps = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')
  const where = `${place}${steps}`.replace(/^\./, '')
  throw new DataError(`${file}: ${where === '' ? '' : `${where}: `}${message.replace(/^Invalid input: /, '')}`)
}
