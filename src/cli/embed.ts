import { type Command, Option } from 'commander'
import type { Device } from '../runtime/index.js'
import { TextEmbedder } from '../tasks/text-embedder.js'
import type { Pooling } from '../tasks/text-embedder-settings.js'
import { reportingCuts } from './cut-texts.js'
import { deviceOption, maxLengthOption, modelOption } from './options.js'
import { action } from './output.js'
import { addTextOptions, forEachText, type TextOptions } from './texts.js'

/** The options of commands that make vectors of texts. */
export interface EmbedderOptions {
  model: string
  pooling?: Pooling
  normalize?: boolean
  maxLength?: number
  device: Device
}

/** Adds `heddle embed`. */
export function register(program: Command): void {
  const command = program
    .command('embed')
    .summary('make vectors of texts')
    .description(
      'Make a vector of a text, or of each line of a file or of standard input: numbers, separated by spaces.',
    )
    .addOption(modelOption())
  addTextOptions(command)
    .addOption(poolingOption())
    .option('--normalize', 'make vectors of length 1 (default: as the checkpoint says, else yes)')
    .option('--no-normalize', 'leave vectors as long as they are')
    .addOption(maxLengthOption())
    .addOption(deviceOption())
    .action(action(embed))
}

/** `--pooling`, what stands for a text. */
export function poolingOption(): Option {
  return new Option(
    '--pooling <name>',
    'what stands for a text: all its tokens or the first (default: as the checkpoint says, else mean)',
  ).choices(['mean', 'cls'])
}

/** Opens the encoder that the options name. */
export function loadEmbedder({ model, pooling, normalize, maxLength, device }: EmbedderOptions): Promise<TextEmbedder> {
  return TextEmbedder.load(model, { pooling, normalized: normalize, maxLength, device })
}

async function embed(options: TextOptions & EmbedderOptions): Promise<void> {
  const embedder = await loadEmbedder(options)
  const work = reportingCuts(options, embedder.maxLength, async (texts, onCut) => {
    const vectors = await embedder.embed(texts, { onCut })
    return vectors.map((embedding) => ({ embedding }))
  })
  try {
    await forEachText(options, work, ({ embedding }) => Array.from(embedding, (x) => x.toPrecision(8)).join(' '))
  } finally {
    await embedder.dispose()
  }
}
