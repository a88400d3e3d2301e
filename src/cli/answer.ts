import { type Command, Option } from 'commander'
import { z } from 'zod'
import { readQuestions } from '../data/squad.js'
import { DataError, UsageError } from '../errors.js'
import { readTextFile } from '../hub/files.js'
import type { Device } from '../runtime/index.js'
import { type AnswerResult, type AskedQuestion, QuestionAnswering } from '../tasks/question-answering.js'
import { deviceOption, modelOption } from './options.js'
import { action, type GlobalOptions, number, positiveInteger, printJson, printText } from './output.js'
import { linesOf } from './texts.js'

interface AnswerCommandOptions extends GlobalOptions {
  model: string
  question?: string
  context?: string
  contextFile?: string
  file?: string
  topK: number
  maxAnswerLength: number
  threshold: number
  device: Device
}

/** Adds `heddle answer`. */
export function register(program: Command): void {
  program
    .command('answer')
    .summary('find the answers to questions in texts')
    .description(
      'Find the part of a text that answers a question: of one text, of the questions of a file, or of JSON lines {"question", "context"} on standard input, one result a line.',
    )
    .addOption(modelOption())
    .addOption(new Option('--question <text>', 'the question').conflicts('file'))
    .addOption(new Option('--context <text>', 'the text that the answer is in').conflicts(['contextFile', 'file']))
    .addOption(new Option('--context-file <file>', 'a file with that text').conflicts('file'))
    .option('--file <file>', 'questions in the format of SQuAD, or records with question and context (JSONL, CSV, …)')
    .option('--top-k <n>', 'how many answers to show, the likeliest first', positiveInteger, 1)
    .option('--max-answer-length <n>', 'most tokens of an answer', positiveInteger, 30)
    .option('--threshold <p>', 'answer nothing where it is likelier than this that there is no answer', number, 1)
    .addOption(deviceOption())
    .action(action(answer))
}

async function answer(options: AnswerCommandOptions): Promise<void> {
  const questions = questionsOf(options)
  const { topK, maxAnswerLength, threshold: noAnswerThreshold } = options
  const answering = await QuestionAnswering.load(options.model, options)
  for await (const some of groups(questions)) {
    const results = await answering.answerBatch(some, { topK, maxAnswerLength, noAnswerThreshold })
    for (const [i, result] of results.entries()) {
      const { id } = some[i]
      if (options.json) printJson(id === undefined ? result : { id, ...result })
      else printText(show(result, topK))
    }
  }
  await answering.dispose()
}

/** A question with the id that the file gives it. */
interface NamedQuestion extends AskedQuestion {
  readonly id?: string
}

function questionsOf(options: AnswerCommandOptions): Iterable<NamedQuestion> | AsyncIterable<NamedQuestion> {
  const { question, context, contextFile, file } = options
  if (file !== undefined) return readQuestions(file)
  if (question === undefined && context === undefined && contextFile === undefined && !process.stdin.isTTY) {
    return standardInput()
  }
  const text = context ?? (contextFile === undefined ? undefined : readTextFile(contextFile))
  if (question !== undefined && text !== undefined) return [{ question, context: text }]
  throw new UsageError(
    'answer: give --question TEXT with --context TEXT or --context-file FILE, or --file FILE, or JSON lines on standard input',
  )
}

const line = z.object({ id: z.string().optional(), question: z.string(), context: z.string() })

/** @throws DataError for a line that is no question */
async function* standardInput(): AsyncGenerator<NamedQuestion> {
  let count = 0
  for await (const text of linesOf(undefined)) {
    count++
    if (text.trim() === '') continue
    const result = line.safeParse(parsed(text))
    if (result.success) yield result.data
    else
      throw new DataError(`standard input:${count}: expected {"question": …, "context": …}, got ${text.slice(0, 60)}`)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Questions that are answered at once: enough to fill batches, few enough to see results come. */
const questionsAtOnce = 64

async function* groups<T>(items: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T[]> {
  let group: T[] = []
  for await (const item of items) {
    group.push(item)
    if (group.length < questionsAtOnce) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}

/** The answer on one line, or several with their probabilities, a line each. */
function show({ answer, noAnswerScore, alternatives }: AnswerResult, topK: number): string {
  const oneLine = (text: string) => text.replace(/\s+/g, ' ')
  if (topK === 1) return oneLine(answer)
  const shown = alternatives.map((each) => `${each.score.toFixed(4)}\t${oneLine(each.answer)}`)
  return [...shown, `${noAnswerScore.toFixed(4)}\t(no answer)`].join('\n')
}
