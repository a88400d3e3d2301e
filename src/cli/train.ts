import { type Command, Option } from 'commander'
import { UsageError } from '../errors.js'
import { readTextFile } from '../hub/files.js'
import type { Device } from '../runtime/index.js'
import { parseRecipe } from '../training/recipe.js'
import { runRecipe } from '../training/run.js'
import { DownloadDisplay } from './download-display.js'
import { deviceOption } from './options.js'
import { action, type GlobalOptions, printText } from './output.js'
import { formatCount, formatDuration, Progress } from './progress.js'

interface TrainCommandOptions extends GlobalOptions {
  set: string[]
  out: string
  resume?: boolean
  device: Device
}

/** Adds `heddle train`. */
export function register(program: Command): void {
  program
    .command('train')
    .summary('train a model as a recipe says')
    .description('Train a model as a recipe (YAML) says. Ctrl-C stops cleanly and saves; --resume goes on from there.')
    .argument('[recipe]', 'the recipe file')
    .addOption(new Option('--set <key=value...>', 'change values of the recipe, e.g. train.steps=500').default([]))
    .requiredOption('--out <directory>', 'directory of the run: recipe, checkpoints, state')
    .option('--resume', 'go on with the run in --out where there is one')
    .addOption(deviceOption())
    .action(action(train))
}

async function train(argument: string | undefined, options: TrainCommandOptions) {
  const { file, sets } = recipeAndSets(argument, options.set)
  const recipe = parseRecipe(readTextFile(file), file, sets)
  const progress = new Progress()
  const downloads = new DownloadDisplay()
  const interrupt = new AbortController()
  const stop = () => {
    progress.note('Stopping after this step; the run can be resumed with --resume.')
    interrupt.abort()
  }
  process.once('SIGINT', stop)
  try {
    const result = await runRecipe({
      recipe,
      directory: options.out,
      resume: options.resume,
      device: options.device,
      signal: interrupt.signal,
      onWarning: (message) => progress.note(`heddle: ${message}`),
      download: {
        signal: interrupt.signal,
        onProgress: (state) => downloads.update(state),
        onMessage: (message) => downloads.note(`heddle: ${message}`),
      },
      onTokenize: (done) => progress.prepare('tokenizing', done),
      onStart: ({ parameters, size, step }) => {
        progress.countIn(size.unit)
        const where = step === 0 ? '' : `, from step ${step}`
        progress.note(`${formatCount(parameters)} parameters, ${formatCount(size.count)} training ${size.unit}${where}`)
      },
      onStep: ({ step, steps, loss, learningRate, tokensPerSecond, secondsLeft }) =>
        progress.update({ step, total: steps, loss, learningRate, tokensPerSecond, secondsLeft }),
      onEvaluate: ({ step, validationLoss, metrics }) => progress.update({ step, validationLoss, metrics }),
      onAverage: ({ checkpoints, evaluation, isBest }) => {
        const worth = evaluation === undefined ? '' : `: validation loss ${evaluation.validationLoss.toFixed(4)}`
        progress.note(
          `mean of the last ${checkpoints} checkpoints${worth}${figures(evaluation?.metrics)}, ${isBest ? 'the best' : 'not the best'}`,
        )
      },
      onSample: ({ prompt, text, continues }) => progress.note(`\n${prompt}${continues ? '' : '\n→ '}${text}\n`),
    })
    progress.finish()
    if (!options.json) printText(summary(result))
    return result
  } finally {
    process.removeListener('SIGINT', stop)
    downloads.finish()
    progress.finish()
  }
}

/** The recipe may stand behind `--set KEY=VALUE …`, which then has taken it for one more value. */
function recipeAndSets(
  argument: string | undefined,
  set: readonly string[],
): { file: string; sets: readonly string[] } {
  const last = set.at(-1)
  if (argument !== undefined) return { file: argument, sets: set }
  if (last !== undefined && !last.includes('=')) return { file: last, sets: set.slice(0, -1) }
  throw new UsageError(
    'train: give a recipe, e.g. heddle train recipes/shakespeare-char.yaml --set data.train=FILE --out DIR',
  )
}

function summary({
  steps,
  seconds,
  trainLoss,
  validationLoss,
  metrics,
  checkpoint,
}: Awaited<ReturnType<typeof runRecipe>>): string {
  const validation =
    validationLoss === undefined ? '' : `, validation loss ${validationLoss.toFixed(4)}${figures(metrics)}`
  if (steps === 0) return `stopped before the first step\ncheckpoint: ${checkpoint}`
  return [
    `${steps} steps in ${formatDuration(seconds)}: training loss ${trainLoss.toFixed(4)}${validation}`,
    `checkpoint: ${checkpoint}`,
  ].join('\n')
}

function figures(metrics: Readonly<Record<string, number>> = {}): string {
  return Object.entries(metrics)
    .map(([name, value]) => `, ${name} ${value.toFixed(4)}`)
    .join('')
}
