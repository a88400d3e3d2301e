import type { Command } from 'commander'
import type { Device } from '../runtime/index.js'
import { type ClassificationResult, type ScoredLabel, TextClassifier } from '../tasks/text-classifier.js'
import { reportingCuts } from './cut-texts.js'
import { deviceOption, maxLengthOption, modelOption } from './options.js'
import { action } from './output.js'
import { addTextOptions, forEachText, type TextOptions } from './texts.js'

interface ClassifyCommandOptions extends TextOptions {
  model: string
  pair?: string
  maxLength?: number
  device: Device
}

/** Adds `heddle classify`. */
export function register(program: Command): void {
  const command = program
    .command('classify')
    .summary('find the label of texts')
    .description(
      'Find the label of a text, or of each line of a file or of standard input, with its probability; all labels that apply, or a number, where the model was trained for that.',
    )
    .addOption(modelOption())
  addTextOptions(command)
    .option('--pair <text>', 'a second text that the model reads with each one')
    .addOption(maxLengthOption())
    .addOption(deviceOption())
    .action(action(classify))
}

async function classify(options: ClassifyCommandOptions): Promise<void> {
  const { model, pair, maxLength, device } = options
  const classifier = await TextClassifier.load(model, { device, maxLength })
  const work = reportingCuts(options, classifier.maxLength, (texts, onCut) =>
    classifier.classify(
      texts.map((text) => ({ text, pair })),
      { onCut },
    ),
  )
  // One text is known to who gives it; of many each is shown beside what was found.
  const show = (result: ClassificationResult, text: string) =>
    options.text === undefined ? `${describe(result)}\t${text}` : describe(result)
  try {
    await forEachText(options, work, show)
  } finally {
    await classifier.dispose()
  }
}

function describe(result: ClassificationResult): string {
  if (result.value !== undefined) return String(Number(result.value.toPrecision(6)))
  if (result.labels === undefined) return labelWithScore(result)
  return result.labels.length === 0 ? 'no label' : result.labels.map(labelWithScore).join(', ')
}

function labelWithScore({ label, score }: ScoredLabel): string {
  return `${label} ${score.toFixed(4)}`
}
