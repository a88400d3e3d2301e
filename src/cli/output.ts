import { HeddleError, UsageError } from '../errors.js'

/** The options that every command understands. */
export interface GlobalOptions {
  /** Print one JSON object instead of text. */
  json?: boolean
  /** Print the stack of an error. */
  debug?: boolean
}

/** A value of an option that does not parse: the command line adds the option's name to the message. */
class OptionValueError extends UsageError {
  /** The mark by which commander recognizes an error of an option parser. */
  readonly code = 'commander.invalidArgument'
}

/**
 * Wraps the handler of a command for commander: passes the arguments and the merged options of the command and the
 * program, and prints what it returns as one line of JSON under `--json`; a handler that returns nothing has printed its
 * own. Without `--json` the handler writes its own
 * text to standard output. Errors go on to the program, which prints them and chooses the exit code.
 *
 * @param handler called with the command's arguments and then its options, as commander parsed them
 */
export function action<Arguments extends readonly unknown[], Options extends GlobalOptions>(
  handler: (...input: [...Arguments, Options]) => Promise<object | undefined> | object | undefined | Promise<void>,
): (...input: unknown[]) => Promise<void> {
  return async (...input) => {
    const command = input.at(-1)
    const options = isCommand(command) ? command.optsWithGlobals() : {}
    // Commander's values are untyped: the command's own declarations of arguments and options are what is believed here.
    const typed = [...input.slice(0, -2), options] as [...Arguments, Options]
    const result = await handler(...typed)
    if (options.json && result !== undefined) printJson(result)
  }
}

/**
 * Prints a value as JSON on one line of standard output. Numbers that are not finite become null, typed arrays lists, and
 * bigints numbers.
 */
export function printJson(value: unknown): void {
  process.stdout.write(`${toJson(value)}\n`)
}

/** Prints text and a line break on standard output. */
export function printText(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Prints a message for people and a line break on standard error, where it is not mistaken for a result. */
export function printMessage(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** A value as one line of JSON, see {@link printJson}. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return Number(item)
    if (ArrayBuffer.isView(item) && Symbol.iterator in item) return Array.from(item as Iterable<unknown>)
    return item
  })
}

/**
 * Parses token ids: whole numbers from 0 separated by commas, spaces or both.
 *
 * @throws UsageError naming the part that is not an id
 */
export function parseIds(text: string): number[] {
  const parts = text.trim().split(/\s*,\s*|\s+/)
  return parts.map((part, i) => {
    if (!/^\d+$/.test(part) || !Number.isSafeInteger(Number(part))) {
      throw new OptionValueError(`Expected token ids such as 1,2,3, got ${JSON.stringify(part)} at position ${i + 1}.`)
    }
    return Number(part)
  })
}

/**
 * Option parser for a whole number of 1 or more.
 *
 * @throws UsageError for anything else
 */
export function positiveInteger(text: string): number {
  const value = parseNumber(text)
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new OptionValueError(`Expected a whole number of 1 or more, got ${JSON.stringify(text)}.`)
  }
  return value
}

/**
 * Option parser for a whole number of 0 or more, such as a seed.
 *
 * @throws UsageError for anything else
 */
export function nonNegativeInteger(text: string): number {
  const value = parseNumber(text)
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new OptionValueError(`Expected a whole number of 0 or more, got ${JSON.stringify(text)}.`)
  }
  return value
}

/**
 * Option parser for a number, such as a temperature.
 *
 * @throws UsageError for anything that is not a finite number
 */
export function number(text: string): number {
  const value = parseNumber(text)
  if (!Number.isFinite(value)) throw new OptionValueError(`Expected a number, got ${JSON.stringify(text)}.`)
  return value
}

/** One line that says what went wrong, without the program's name. */
export function describeError(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error)
  const line = message.replace(/\s*\n\s*/g, ' ').trim()
  return error instanceof HeddleError ? line : `${line} (unexpected: --debug shows where)`
}

/** The exit code for an error: that of a HeddleError, 1 for any other. */
export function exitCodeOf(error: unknown): number {
  return error instanceof HeddleError ? error.exitCode : 1
}

/** A stream that reports failures, such as standard output. */
export interface FailingStream {
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown
}

/**
 * Ends the program quietly when nobody reads its output any more (`heddle ... | head`), and with one line when the output
 * cannot be written. Failures of standard error are ignored: a closed terminal is no reason to lose a training.
 *
 * @param exit ends the process; replaced in tests
 */
export function surviveBrokenPipes(
  streams: { stdout: FailingStream; stderr: FailingStream } = process,
  exit: (code: number) => void = process.exit,
): void {
  streams.stdout.on('error', (error) => {
    if (error.code === 'EPIPE') return exit(0)
    printMessage(`heddle: cannot write to standard output: ${describeError(new HeddleError(error.message))}`)
    exit(1)
  })
  streams.stderr.on('error', () => {})
}

// Only decimal notation: Number('') is 0, and 0x10 or Infinity are mistakes on a command line.
function parseNumber(text: string): number {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : Number.NaN
}

function isCommand(value: unknown): value is { optsWithGlobals(): GlobalOptions } {
  return typeof value === 'object' && value !== null && 'optsWithGlobals' in value
}
