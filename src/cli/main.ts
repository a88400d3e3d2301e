import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { register as answer } from './answer.js'
import { register as classify } from './classify.js'
import { register as embed } from './embed.js'
import { register as evaluate } from './eval.js'
import { register as fill } from './fill.js'
import { register as generate } from './generate.js'
import { register as inspect } from './inspect.js'
import { localModel } from './local-model.js'
import { register as logits } from './logits.js'
import { describeError, exitCodeOf, printMessage, surviveBrokenPipes } from './output.js'
import { register as plot } from './plot.js'
import { register as pull } from './pull.js'
import { register as runs } from './runs.js'
import { register as search } from './search.js'
import { register as summarize } from './summarize.js'
import { register as tag } from './tag.js'
import { register as tokenizer } from './tokenizer.js'
import { register as train } from './train.js'
import { register as translate } from './translate.js'

/** Commands that the help lists under one heading. */
export interface CommandGroup {
  heading: string
  /** The `register` function of each command's file, in the order of the help. */
  commands: ReadonlyArray<(program: Command) => void>
}

/** Every command of the program: a new one is a file here with a `register` function, and its name in this list. */
export const commandGroups: readonly CommandGroup[] = [
  { heading: 'Train and evaluate:', commands: [train, evaluate, runs, tokenizer] },
  {
    heading: 'Use a model:',
    commands: [pull, generate, translate, summarize, classify, answer, tag, fill, embed, search],
  },
  { heading: 'Look inside:', commands: [inspect, logits, plot] },
]

const examples = `
Examples:
  $ heddle train recipes/shakespeare-char.yaml --set data.train=input.txt --out runs/shakespeare
  $ heddle generate --model runs/shakespeare --prompt "ROMEO:" --temperature 0.8
  $ heddle eval --model runs/shakespeare --task causal-lm --data other.txt --json

Results go to standard output, progress and messages to standard error.
Exit codes: 0 success, 1 failure while running, 2 wrong usage, 3 bad data or checkpoint.`

/**
 * The command-line program with its commands, which throws instead of ending the process.
 *
 * @param groups the commands; replaced in tests
 */
export function createProgram(groups: readonly CommandGroup[] = commandGroups): Command {
  const program = new Command('heddle')
    .description('Train, evaluate and run Transformers.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .option('--json', 'print the result as one JSON object on one line')
    .option('--debug', 'print the stack of an error')
    .addHelpText('after', examples)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(`heddle: ${toOneLine(text)}\n`) })
    .exitOverride()
    .hook('preAction', (_program, command) => openModel(command))
  for (const { heading, commands } of groups) {
    program.commandsGroup(heading)
    for (const register of commands) register(program)
  }
  return program
}

/**
 * Runs the command line and prints its errors as one line on standard error, with the stack under `--debug`.
 *
 * @param args the words after the program's name
 * @param program what to run; replaced in tests
 * @returns the exit code: 0 success, 1 failure while running, 2 usage, 3 bad data or checkpoint
 */
export async function main(args: readonly string[], program: Command = createProgram()): Promise<number> {
  try {
    await program.parseAsync([...args], { from: 'user' })
    return 0
  } catch (error) {
    // Commander has printed its message, and ends --help and --version this way too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    printMessage(`heddle: ${describeError(error)}`)
    if (args.includes('--debug') && error instanceof Error) printMessage(formatStack(error))
    return exitCodeOf(error)
  }
}

/** Runs the program on the arguments of this process and sets its exit code; `bin/heddle.js` calls this. */
export async function run(): Promise<void> {
  surviveBrokenPipes()
  process.exitCode = await main(process.argv.slice(2))
}

/** Puts a path in the place of a model's name: every command that takes one takes models of the hub. */
async function openModel(command: Command): Promise<void> {
  const model: unknown = command.getOptionValue('model')
  if (typeof model === 'string') command.setOptionValue('model', await localModel(model))
}

function formatStack(error: Error): string {
  const stack = error.stack ?? String(error)
  return error.cause instanceof Error ? `${stack}\nCaused by: ${formatStack(error.cause)}` : stack
}

function toOneLine(text: string): string {
  return text
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .trim()
}

function readVersion(): string {
  const description: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const version = typeof description === 'object' && description && 'version' in description && description.version
  return typeof version === 'string' ? version : 'unknown'
}
