import { existsSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { UsageError } from '../errors.js'
import type { BleuTokenizer } from '../metrics/index.js'
import type { Device } from '../runtime/index.js'
import { evaluateCausalLm, evaluateGeneration } from '../tasks/evaluate.js'
import { evaluateAnswering } from '../tasks/evaluate-answering.js'
import { evaluateClassification } from '../tasks/evaluate-classification.js'
import { evaluateMultipleChoice, evaluateRelation } from '../tasks/evaluate-examples.js'
import { evaluateMaskedLm } from '../tasks/evaluate-masked-lm.js'
import { evaluateTagging } from '../tasks/evaluate-tagging.js'
import { type EvaluateTextsOptions, evaluateSummarization, evaluateTranslation } from '../tasks/evaluate-texts.js'
import { deviceOption, modelOption } from './options.js'
import { action, type GlobalOptions, number, positiveInteger, printText } from './output.js'
import { Progress } from './progress.js'
import { strategyOf } from './rewrite.js'

interface EvalCommandOptions extends GlobalOptions {
  model: string
  task: string
  data: string
  heldOut?: boolean
  cased?: boolean
  beams?: number
  lengthPenalty?: number
  tokenize?: BleuTokenizer
  device: Device
}

/** What a measurement found. */
interface EvalReport {
  readonly examples: number
  readonly tokens?: number
  readonly metrics: object
  /** How metrics were computed that can be computed in more than one way. */
  readonly signatures?: Readonly<Record<string, string>>
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
  translation: (options) => evaluateTranslation(options.model, filesOf(options.data), textOptions(options)),
  summarization: (options) => evaluateSummarization(options.model, filesOf(options.data), textOptions(options)),
}

/** A file, or a source and a target file with a comma between them. */
function filesOf(data: string): string | string[] {
  const files = data.split(',')
  return files.length === 2 && !existsSync(data) ? files : data
}

function textOptions({
  heldOut,
  cased,
  tokenize,
  device,
  beams,
  lengthPenalty,
}: EvalCommandOptions): EvaluateTextsOptions {
  const progress = new Progress()
  return {
    heldOut,
    cased,
    tokenize,
    device,
    strategy: strategyOf({ beams, lengthPenalty }),
    onWarning: (message) => progress.note(`heddle: ${message}`),
    onProgress(state) {
      progress.prepare('written', state, ' texts')
      if (state.done === state.total) progress.finish()
    },
  }
}

/** Tasks that write texts. */
const textTasks = ['translation', 'summarization']

/** Adds `heddle eval`. */
export function register(program: Command): void {
  program
    .command('eval')
    .summary('measure a model on data')
    .description(
      'Measure a model on a whole file: the loss per token, labels of texts, or answers, translations and summaries that the model writes.',
    )
    .addOption(modelOption())
    .addOption(new Option('--task <name>', 'what is measured').choices(Object.keys(evaluations)).makeOptionMandatory())
    .requiredOption('--data <file>', 'the data; for translation and summarization SOURCE,TARGET or a table')
    .option('--held-out', 'only what data.trainArticles or data.split kept from the training (answering, texts)')
    .option('--cased', 'compare with the references as they are, where the training lower-cased (texts)')
    .option(
      '--beams <b>',
      "sequences that are followed at once (texts; default: the checkpoint's, else 4)",
      positiveInteger,
    )
    .option('--length-penalty <a>', 'above 0 favours longer texts (texts)', number)
    .addOption(
      new Option('--tokenize <name>', 'how BLEU cuts text (translation; default: zh for Chinese, else 13a)').choices([
        '13a',
        'intl',
        'char',
        'zh',
        'none',
      ]),
    )
    .addOption(deviceOption())
    .action(action(evaluate))
}

async function evaluate(options: EvalCommandOptions): Promise<EvalReport> {
  if (options.heldOut && !['answering', ...textTasks].includes(options.task)) {
    throw new UsageError(`eval: --held-out goes with --task answering, ${textTasks.join(' or ')}, not ${options.task}`)
  }
  const report = await evaluations[options.task](options)
  if (!options.json) {
    const figures = Object.entries(report.metrics).map(([name, value]) => `${name} ${Number(value).toFixed(4)}`)
    const cut = report.cut ? `, ${report.cut} of them too long and cut` : ''
    const size = report.tokens === undefined ? `${report.examples} examples${cut}` : `${report.tokens} tokens`
    printText(`${figures.join(', ')} over ${size}`)
    for (const signature of Object.values(report.signatures ?? {})) printText(signature)
  }
  return report
}
