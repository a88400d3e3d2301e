import { type Command, Option } from 'commander'
import type { Device } from '../runtime/index.js'
import { evaluateCausalLm, evaluateClassification, evaluateGeneration } from '../tasks/evaluate.js'
import { deviceOption, modelOption } from './options.js'
import { action, type GlobalOptions, printText } from './output.js'

interface EvalCommandOptions extends GlobalOptions {
  model: string
  task: 'causal-lm' | 'classification' | 'generation'
  data: string
  device: Device
}

/** Adds `heddle eval`. */
export function register(program: Command): void {
  program
    .command('eval')
    .summary('measure a model on data')
    .description(
      'Measure a model on a whole file: the loss per token, labels of texts, or answers that the model writes.',
    )
    .addOption(modelOption())
    .addOption(
      new Option('--task <name>', 'what is measured')
        .choices(['causal-lm', 'classification', 'generation'])
        .makeOptionMandatory(),
    )
    .requiredOption('--data <file>', 'the data')
    .addOption(deviceOption())
    .action(action(evaluate))
}

async function evaluate(options: EvalCommandOptions) {
  const report = await measure(options)
  if (!options.json) {
    const figures = Object.entries(report.metrics).map(([name, value]) => `${name} ${Number(value).toFixed(4)}`)
    printText(
      `${figures.join(', ')} over ${'tokens' in report ? `${report.tokens} tokens` : `${report.examples} examples`}`,
    )
  }
  return report
}

function measure({ task, model, data, device }: EvalCommandOptions) {
  if (task === 'classification') return evaluateClassification(model, data, { device })
  if (task === 'generation') return evaluateGeneration(model, data, { device })
  return evaluateCausalLm(model, data, device)
}
