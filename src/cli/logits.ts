import type { Command } from 'commander'
import { nextTokenLogits } from '../tasks/logits.js'
import { modelOption } from './options.js'
import { action, type GlobalOptions, parseIds, printText } from './output.js'

interface LogitsCommandOptions extends GlobalOptions {
  model: string
  ids: number[]
}

/** Adds `heddle logits`. */
export function register(program: Command): void {
  program
    .command('logits')
    .summary('print the logits of every position')
    .description('Print what a model computes for token ids: one row of logits per position, float32, as they are.')
    .addOption(modelOption())
    .requiredOption('--ids <list>', 'token ids, e.g. 1,2,3', parseIds)
    .action(action(logits))
}

async function logits(options: LogitsCommandOptions) {
  const { shape, rows } = await nextTokenLogits(options.model, options.ids)
  if (!options.json) for (const row of rows) printText([...row].map((value) => value.toPrecision(8)).join(' '))
  return { shape, logits: rows }
}
