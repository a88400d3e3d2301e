import type { Command } from 'commander'
import type { Device } from '../runtime/index.js'
import { type Fill, MaskFiller } from '../tasks/mask-filler.js'
import { deviceOption, modelOption } from './options.js'
import { action, positiveInteger } from './output.js'
import { addTextOptions, forEachText, type TextOptions } from './texts.js'

interface FillCommandOptions extends TextOptions {
  model: string
  topK: number
  device: Device
}

/** What is printed of a text with `--json`. */
interface FilledText {
  readonly text: string
  /** Of each mask its fills. */
  readonly masks: readonly (readonly Fill[])[]
}

/** Adds `heddle fill`. */
export function register(program: Command): void {
  const command = program
    .command('fill')
    .summary('guess hidden words')
    .description('Guess the words at every [MASK] of a text, or of each line of a file or of standard input.')
    .addOption(modelOption())
  addTextOptions(command)
    .option('--top-k <n>', 'how many guesses for each mask', positiveInteger, 5)
    .addOption(deviceOption())
    .action(action(fill))
}

async function fill(options: FillCommandOptions): Promise<void> {
  const { model, topK, device } = options
  const filler = await MaskFiller.load(model, { device })
  const work = async (texts: readonly string[]): Promise<FilledText[]> => {
    const found = await filler.fill(texts, { topK })
    return found.map((masks, i) => ({ text: texts[i], masks }))
  }
  await forEachText(options, work, ({ masks }) => masks.map(showMask).join('\n\n'))
  await filler.dispose()
}

function showMask(fills: readonly Fill[]): string {
  return fills.map(({ score, token, text }) => `${score.toFixed(4)}\t${token.trim()}\t${text}`).join('\n')
}
