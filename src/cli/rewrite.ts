import type { Command } from 'commander'
import { UsageError } from '../errors.js'
import { beamSearch, greedy, type Strategy } from '../generation/strategies.js'
import type { Device } from '../runtime/index.js'
import { TextToText, type TextToTextOptions, type TextToTextResult } from '../tasks/text-to-text.js'
import { reportingCuts } from './cut-texts.js'
import { deviceOption, modelOption } from './options.js'
import { action, number, positiveInteger } from './output.js'
import { Progress } from './progress.js'
import { forEachText, linesOf, type TextOptions } from './texts.js'

/** The options of commands that make texts of texts. */
export interface RewriteOptions extends TextOptions {
  model: string
  from?: string
  beams?: number
  lengthPenalty?: number
  nBest?: number
  maxNewTokens?: number
  minNewTokens?: number
  noRepeatNgram?: number
  device: Device
}

/** A command that makes texts of texts: what it is called and what it does. */
export interface RewriteCommand {
  readonly name: string
  readonly summary: string
  readonly description: string
  /** What the progress says of the texts that are done. */
  readonly done: string
}

/** Adds a command that makes a text of a text, or of each line of a file or of standard input. */
export function registerRewriting(program: Command, { name, summary, description, done }: RewriteCommand): void {
  program
    .command(name)
    .summary(summary)
    .description(description)
    .addOption(modelOption())
    .option('--text <text>', 'one text')
    .option('--from <file>', 'a file with one text a line (default: standard input)')
    .option(
      '--beams <b>',
      "sequences that are followed at once, 1 for none but the likeliest token (default: the checkpoint's, else 4)",
      positiveInteger,
    )
    .option('--length-penalty <a>', 'above 0 favours longer texts', number)
    .option('--n-best <n>', 'how many of the best texts to give', positiveInteger)
    .option(
      '--max-new-tokens <n>',
      'most tokens of a text (default: by the length of what it is made of)',
      positiveInteger,
    )
    .option('--min-new-tokens <n>', 'fewest tokens of a text', positiveInteger)
    .option('--no-repeat-ngram <n>', 'no n tokens come twice in a text', positiveInteger)
    .addOption(deviceOption())
    .action(action((options: RewriteOptions) => rewrite(options, name, done)))
}

async function rewrite(options: RewriteOptions, name: string, done: string): Promise<void> {
  const { text, from, device } = options
  if (text !== undefined && from !== undefined) throw new UsageError(`${name}: give --text or --from, not both`)
  const writer = await TextToText.load(options.model, { device, what: name })
  const { contextLength } = writer.model.config
  const settings = settingsOf(options)
  const files = { ...options, file: from }
  const work = reportingCuts(files, contextLength, async (texts, onCut) => {
    const results = await writer.write(texts, { ...settings, onCut })
    return results.map((result, i) => describe(texts[i], result, options))
  })
  const progress = await progressOver(options, done)
  try {
    await forEachText(
      files,
      async (texts) => {
        const results = await work(texts)
        progress?.(texts.length)
        return results
      },
      ({ candidates }) => candidates.map((candidate) => candidate.text).join('\n'),
    )
  } finally {
    await writer.dispose()
  }
}

/** What is printed of a result. */
interface Rewritten {
  readonly source: string
  readonly text: string
  readonly candidates: TextToTextResult['candidates']
}

function describe(source: string, { candidates }: TextToTextResult, { nBest = 1 }: RewriteOptions): Rewritten {
  // What is no text stays none, whatever the model would write.
  const kept = source.trim() === '' ? [{ text: '' }] : candidates.slice(0, nBest)
  return { source, text: kept[0].text, candidates: kept }
}

function settingsOf(options: RewriteOptions): TextToTextOptions {
  const { maxNewTokens, minNewTokens, noRepeatNgram } = options
  return { strategy: strategyOf(options), maxNewTokens, minNewTokens, noRepeatNgramSize: noRepeatNgram }
}

/** How options say to search; nothing where they leave that to the checkpoint. @throws UsageError where they do not fit */
export function strategyOf({
  beams,
  lengthPenalty,
  nBest,
}: Pick<RewriteOptions, 'beams' | 'lengthPenalty' | 'nBest'>): Strategy | undefined {
  if (beams === 1) {
    if ((nBest ?? 1) > 1) throw new UsageError(`--n-best ${nBest} needs as many --beams`)
    return greedy()
  }
  if (beams === undefined && lengthPenalty === undefined && nBest === undefined) return undefined
  const count = beams ?? Math.max(4, nBest ?? 1)
  return beamSearch({ beams: count, lengthPenalty, returnSequences: nBest })
}

/** Says how far a file is, where that does not mix with the results on a terminal. */
async function progressOver({ from }: RewriteOptions, done: string): Promise<((count: number) => void) | undefined> {
  if (from === undefined || process.stdout.isTTY) return undefined
  let total = 0
  for await (const _line of linesOf(from)) total++
  const progress = new Progress()
  let finished = 0
  return (count) => {
    finished += count
    progress.prepare(done, { done: finished, total }, ' lines')
    if (finished === total) progress.finish()
  }
}
