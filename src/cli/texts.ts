import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { type Command, Option } from 'commander'
import { DataError, UsageError } from '../errors.js'
import { systemProblem } from '../hub/files.js'
import { type GlobalOptions, printJson, printText } from './output.js'

/** The options of a command that works on texts. */
export interface TextOptions extends GlobalOptions {
  text?: string
  file?: string
}

/** Texts that a command works on at once: enough to fill a batch, few enough to see results come. */
const textsAtOnce = 128

/** How long standard input may keep a command waiting for more texts, in milliseconds, when it has some. */
const patience = 20

/** Adds `--text` and `--file` to a command that works on texts; without either it reads standard input. */
export function addTextOptions(command: Command): Command {
  return command
    .addOption(new Option('--text <text>', 'one text').conflicts('file'))
    .option('--file <file>', 'a file with one text a line (default: standard input)')
}

/**
 * Works on one text, or on the lines of a file or of standard input, and prints the results in their order: with `--json`
 * one JSON object a line, else what `show` makes of them. Lines are worked on in groups; of standard input those that have
 * come, so that who types a line or writes one into a pipe gets its result.
 *
 * @throws UsageError where there is no text, DataError where the file cannot be read
 */
export async function forEachText<Result>(
  options: TextOptions,
  work: (texts: readonly string[]) => Promise<readonly Result[]>,
  show: (result: Result, text: string) => string,
): Promise<void> {
  const print = async (texts: readonly string[]) => {
    const results = await work(texts)
    for (const [i, result] of results.entries()) {
      if (options.json) printJson(result)
      else printText(show(result, texts[i]))
    }
  }
  if (options.text !== undefined) return print([options.text])
  if (options.file === undefined && process.stdin.isTTY) {
    throw new UsageError('give --text TEXT, a file, or texts on standard input, one a line')
  }
  for await (const texts of groupsOf(linesOf(options.file), options.file === undefined)) await print(texts)
}

/** Lines in groups. @param isLive whether to go on with those that are there when the next one does not come */
async function* groupsOf(lines: AsyncGenerator<string>, isLive: boolean): AsyncGenerator<string[]> {
  let next = lines.next()
  for (;;) {
    const group: string[] = []
    while (group.length < textsAtOnce) {
      const line = isLive && group.length > 0 ? await Promise.race([next, pause()]) : await next
      if (line === undefined) break
      if (line.done) {
        if (group.length > 0) yield group
        return
      }
      group.push(line.value)
      next = lines.next()
    }
    yield group
  }
}

function pause(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, patience))
}

/** The lines of a file, or of standard input. @throws DataError where the file cannot be read */
export async function* linesOf(file: string | undefined): AsyncGenerator<string> {
  const stream = file === undefined ? process.stdin : createReadStream(file)
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) yield line
  } catch (cause) {
    const problem = systemProblem(cause, file ?? 'standard input')
    throw new DataError(`cannot read ${file ?? 'standard input'}: ${problem ?? String(cause)}`, { cause })
  }
}
