import type { Command } from 'commander'
import type { Device } from '../runtime/index.js'
import { type TaggedText, TextTagger } from '../tasks/text-tagger.js'
import { deviceOption, modelOption } from './options.js'
import { action } from './output.js'
import { addTextOptions, forEachText, type TextOptions } from './texts.js'

interface TagCommandOptions extends TextOptions {
  model: string
  device: Device
}

/** Adds `heddle tag`. */
export function register(program: Command): void {
  const command = program
    .command('tag')
    .summary('find the entities of texts')
    .description(
      'Find the entities of a text, or of each line of a file or of standard input: label, score, text, and where it stands.',
    )
    .addOption(modelOption())
  addTextOptions(command).addOption(deviceOption()).action(action(tag))
}

async function tag(options: TagCommandOptions): Promise<void> {
  const { model, device } = options
  const tagger = await TextTagger.load(model, { device })
  // One text is known to who gives it; of many each is shown above its entities.
  const show = options.text === undefined ? textWithEntities : entityLines
  await forEachText(options, (texts) => tagger.tag(texts), show)
  await tagger.dispose()
}

function entityLines({ entities }: TaggedText): string {
  if (entities.length === 0) return 'no entities'
  return entities
    .map(({ label, score, text, start, end }) => `${label}\t${score.toFixed(3)}\t${text}\t${start}-${end}`)
    .join('\n')
}

function textWithEntities(result: TaggedText, text: string): string {
  return [
    text,
    ...entityLines(result)
      .split('\n')
      .map((line) => `\t${line}`),
  ].join('\n')
}
