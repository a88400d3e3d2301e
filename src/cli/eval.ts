import { type Command, Option } from 'commander'
import { UsageError } from '../errors.js'
import type { Device } from '../runtime/index.js'
import { evaluateCausalLm, evaluateGeneration } from '../tasks/evaluate.js'
import { evaluateAnswering } from '../tasks/evaluate-answering.js'
import { evaluateClassification } from '../tasks/evaluate-classification.js'
import { evaluateMultipleChoice, evaluateRelation } from '../tasks/evaluate-examples.js'
import { evaluateMaskedLm } from '../tasks/evaluate-masked-lm.js'
import { evaluateTagging } from '../tasks/evaluate-tagging.js'
import { deviceOption, modelOption } from './options.js'
import { action, type GlobalOptions, printText } from './output.js'

interface EvalCommandOptions extends GlobalOptions {
  model: string
  task: string
  data: string
  heldOut?: boolean
  device: Device
}

/** What a measurement found. */
interface EvalReport {
  readonly examples: number
  readonly tokens?: number
  readonly metrics: object
  /** Texts that were too long and were cut. */
  readonly cut?: number
}

/** What can be measured, by the names of `--task`. */
const evaluations: Readonly<Record<string, (options: EvalCommandOptions) => Promise<EvalReport>>> = {
  'causal-lm': ({ model, data, device }) => evaluateCausalLm(model, data, device),
  'masked-lm': ({ model, data, device }) => evaluateMaskedLm(model, data, { device }),
  classification: ({ model, data, device }) => evaluateClassification(model, data, { device }),
  answering: ({ model, data, device, heldOut }) => evaluateAnswering(model, data, { device, heldOut }),
  'multiple-choice': ({ model, data, device }) => evaluateMultipleChoice(model, data, { device }),
  relation: ({ model, data, device }) => evaluateRelation(model, data, { device }),
  tagging: ({ model, data, device }) => evaluateTagging(model, data, { device }),
  generation: ({ model, data, device }) => evaluateGeneration(model, data, { device }),
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
    .addOption(new Option('--task <name>', 'what is measured').choices(Object.keys(evaluations)).makeOptionMandatory())
    .requiredOption('--data <file>', 'the data')
    .option('--held-out', 'only the articles that data.trainArticles kept from the training (answering)')
    .addOption(deviceOption())
    .action(action(evaluate))
}

async function evaluate(options: EvalCommandOptions): Promise<EvalReport> {
  if (options.heldOut && options.task !== 'answering') {
    throw new UsageError(`eval: --held-out goes with --task answering, not ${options.task}`)
  }
  const report = await evaluations[options.task](options)
  if (!options.json) {
    const figures = Object.entries(report.metrics).map(([name, value]) => `${name} ${Number(value).toFixed(4)}`)
    const cut = report.cut ? `, ${report.cut} of them too long and cut` : ''
    const size = report.tokens === undefined ? `${report.examples} examples${cut}` : `${report.tokens} tokens`
    printText(`${figures.join(', ')} over ${size}`)
  }
  return report
}
