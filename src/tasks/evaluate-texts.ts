import { type ParallelText, readParallel } from '../data/parallel.js'
import { targetForm } from '../data/text-form.js'
import { type DataSettings, readDataSettings } from '../hub/data-settings.js'
import { resolveCheckpoint } from '../hub/run-directory.js'
import {
  type BleuTokenizer,
  type SummarizationMetrics,
  summarizationMetrics,
  type TranslationMetrics,
  translationMetrics,
} from '../metrics/index.js'
import type { Device } from '../runtime/index.js'
import { collect } from '../training/build/collect.js'
import { heldOutPairs } from '../training/build/parallel-texts.js'
import { TextToText, type TextToTextOptions } from './text-to-text.js'

/** How texts are written and judged. */
export interface EvaluateTextsOptions extends TextToTextOptions {
  readonly device?: Device
  /** Only the pairs that `data.split` kept from the training. */
  readonly heldOut?: boolean
  /** Compares with the references as they are where the model was trained on lower-cased text (default false). */
  readonly cased?: boolean
  /** How BLEU cuts text (default: `zh` for Chinese references, else `13a`). */
  readonly tokenize?: BleuTokenizer
  readonly onWarning?: (message: string) => void
  /** Hears of how many texts are done. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
}

/** How well texts agree with their references. */
export interface TextsReport<Metrics> {
  readonly examples: number
  readonly metrics: Omit<Metrics, 'signatures'>
  /** How each metric was computed, where that has more than one way. */
  readonly signatures?: Readonly<Record<string, string>>
  /** Texts that were too long for the model, of which it saw the beginning. */
  readonly cut: number
}

/**
 * Translates sources and compares the translations with references: BLEU, chrF and TER, as sacreBLEU has them, 0 to 100.
 * References are lower-cased where the training's texts were.
 *
 * @param path a checkpoint or a training run
 * @param files a source and a target file, or a table; see `readParallel`
 * @throws CheckpointError, TokenizerError, DataError for what is missing, damaged or does not fit; UsageError where no
 * pairs were held out
 */
export async function evaluateTranslation(
  path: string,
  files: string | readonly string[],
  options: EvaluateTextsOptions = {},
): Promise<TextsReport<TranslationMetrics>> {
  const { hypotheses, references, cut } = await writeAll(path, files, { ...options, what: 'translation' })
  const { tokenize } = options
  const { signatures, ...metrics } = translationMetrics(hypotheses, references, { ...(tokenize && { tokenize }) })
  return { examples: hypotheses.length, metrics, signatures, cut }
}

/**
 * Summarizes documents and compares the summaries with references: ROUGE-1, -2 and -L as rouge-score has them with
 * stemming, 0 to 100.
 *
 * @throws as {@link evaluateTranslation}
 */
export async function evaluateSummarization(
  path: string,
  files: string | readonly string[],
  options: EvaluateTextsOptions = {},
): Promise<TextsReport<SummarizationMetrics>> {
  const { hypotheses, references, cut } = await writeAll(path, files, { ...options, what: 'summarization' })
  const { rouge1, rouge2, rougeL } = summarizationMetrics(hypotheses, references, { stem: true })
  const metrics = { rouge1: 100 * rouge1, rouge2: 100 * rouge2, rougeL: 100 * rougeL }
  return { examples: hypotheses.length, metrics, cut }
}

async function writeAll(
  path: string,
  files: string | readonly string[],
  {
    heldOut,
    cased = false,
    device,
    what,
    onWarning,
    onProgress,
    tokenize: _tokenize,
    ...options
  }: EvaluateTextsOptions & { what: string },
) {
  const settings = readDataSettings(resolveCheckpoint(path))
  const writer = await TextToText.load(path, { device, what })
  const pairs = await readPairs(files, settings, { heldOut, onWarning })
  const form = cased ? {} : writer.form
  let cut = 0
  const hypotheses: string[] = Array(pairs.length)
  let done = 0
  const sources = pairs.map(({ source }) => source)
  for await (const { index, result } of writer.stream(sources, { ...options, onCut: () => cut++ })) {
    hypotheses[index] = targetForm(result.text, form)
    onProgress?.({ done: ++done, total: pairs.length })
  }
  await writer.dispose()
  return { hypotheses, references: pairs.map(({ target }) => targetForm(target, form)), cut }
}

/** The columns of the training count where the file has them; plain files of two sides need none. */
async function readPairs(
  files: string | readonly string[],
  settings: DataSettings,
  { heldOut, onWarning }: Pick<EvaluateTextsOptions, 'heldOut' | 'onWarning'>,
): Promise<ParallelText[]> {
  const all = await collect(readParallel(files, { ...settings, onWarning }), files)
  return heldOut ? heldOutPairs(all, settings) : all
}
