import { Argument, type Command } from 'commander'
import { UsageError } from '../errors.js'
import { writeFileAtomically } from '../hub/files.js'
import { attentionMap } from '../tasks/attention-map.js'
import { drawAttention } from '../tasks/draw-attention.js'
import { modelOption } from './options.js'
import { action, type GlobalOptions, nonNegativeInteger, printText } from './output.js'

interface PlotOptions extends GlobalOptions {
  model: string
  source?: string
  text?: string
  target?: string
  layer?: number
  head?: number
  out: string
}

/** Adds `heddle plot`. */
export function register(program: Command): void {
  program
    .command('plot')
    .summary('draw what a model attends to')
    .description(
      'Draw the attention of a model as an SVG file: from a translation to its source, or among the tokens of a text.',
    )
    .addArgument(new Argument('<what>', 'what is drawn').choices(['attention']))
    .addOption(modelOption())
    .option('--source <text>', 'what is translated')
    .option('--target <text>', "its translation (default: the model's own)")
    .option('--text <text>', 'a text, for a model that reads one')
    .option('--layer <n>', 'from 0 (default: the last, of an encoder–decoder the last but one)', nonNegativeInteger)
    .option('--head <n>', 'from 0 (default: the mean of all)', nonNegativeInteger)
    .requiredOption('--out <file>', 'the SVG file')
    .action(action((_what: string, options: PlotOptions) => plotAttention(options)))
}

async function plotAttention({ model, source, text, out, json, ...options }: PlotOptions) {
  const given = source ?? text
  if (given === undefined) throw new UsageError('plot: give --source TEXT or --text TEXT')
  const map = await attentionMap(model, { ...options, source: given })
  writeFileAtomically(out, drawAttention(map))
  if (!json) printText(`${map.rows.length} × ${map.columns.length} tokens, layer ${map.layer}: ${out}`)
  return { out, ...map }
}
