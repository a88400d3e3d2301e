import { type Command, Option } from 'commander'
import type { Device } from '../runtime/index.js'
import { evaluateCausalLm } from '../tasks/evaluate.js'
import { deviceOption, modelOption } from './options.js'
import { action, type GlobalOptions, printText } from './output.js'

interface EvalCommandOptions extends GlobalOptions {
  model: string
  task: 'causal-lm'
  data: string
  device: Device
}

/** Adds `heddle eval`. */
export function register(program: Command): void {
  program
    .command('eval')
    .summary('measure a model on data')
    .description('Measure a model on a whole file: every token is scored once.')
    .addOption(modelOption())
    .addOption(new Option('--task <name>', 'what is measured').choices(['causal-lm']).makeOptionMandatory())
    .requiredOption('--data <file>', 'the data')
    .addOption(deviceOption())
    .action(action(evaluate))
}

async function evaluate(options: EvalCommandOptions) {
  const report = await evaluateCausalLm(options.model, options.data, options.device)
  if (!options.json) {
    const { loss, perplexity } = report.metrics
    printText(`loss ${loss.toFixed(4)}, perplexity ${perplexity.toFixed(2)} over ${report.tokens} tokens`)
  }
  return report
}
