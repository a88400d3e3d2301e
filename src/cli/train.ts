import { type Command, Option } from 'commander'
import { readTextFile } from '../hub/files.js'
import type { Device } from '../runtime/index.js'
import { parseRecipe } from '../training/recipe.js'
import { runRecipe } from '../training/run.js'
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
    .argument('<recipe>', 'the recipe file')
    .addOption(
      new Option('--set <key=value>', 'change a value of the recipe, e.g. train.steps=500; may be given several times')
        .default([])
        .argParser((value: string, earlier: string[]) => [...earlier, value]),
    )
    .requiredOption('--out <directory>', 'directory of the run: recipe, checkpoints, state')
    .option('--resume', 'go on with the run in --out where there is one')
    .addOption(deviceOption())
    .action(action(train))
}

async function train(file: string, options: TrainCommandOptions) {
  const recipe = parseRecipe(readTextFile(file), file, options.set)
  const progress = new Progress()
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
      onStart: ({ parameters, size, step }) => {
        const where = step === 0 ? '' : `, from step ${step}`
        progress.note(`${formatCount(parameters)} parameters, ${formatCount(size.count)} training ${size.unit}${where}`)
      },
      onStep: ({ step, steps, loss, learningRate, tokensPerSecond, secondsLeft }) =>
        progress.update({ step, total: steps, loss, learningRate, tokensPerSecond, secondsLeft }),
      onEvaluate: ({ step, validationLoss }) => progress.update({ step, validationLoss }),
      onSample: ({ prompt, text }) => progress.note(`\n${prompt}${text}\n`),
    })
    progress.finish()
    if (!options.json) printText(summary(result))
    return result
  } finally {
    process.removeListener('SIGINT', stop)
    progress.finish()
  }
}

function summary({
  steps,
  seconds,
  trainLoss,
  validationLoss,
  checkpoint,
}: Awaited<ReturnType<typeof runRecipe>>): string {
  const validation = validationLoss === undefined ? '' : `, validation loss ${validationLoss.toFixed(4)}`
  if (steps === 0) return `stopped before the first step\ncheckpoint: ${checkpoint}`
  return [
    `${steps} steps in ${formatDuration(seconds)}: training loss ${trainLoss.toFixed(4)}${validation}`,
    `checkpoint: ${checkpoint}`,
  ].join('\n')
}
