import { sourceForm, type TextForm, targetForm } from '../data/text-form.js'
import { UsageError } from '../errors.js'
import { SequenceToSequenceDecoder } from '../generation/sequence-to-sequence-decoder.js'
import { streamFromSources } from '../generation/sources.js'
import { beamSearch } from '../generation/strategies.js'
import type { GenerationOptions, GenerationResult } from '../generation/types.js'
import { readDataSettings } from '../hub/data-settings.js'
import { resolveCheckpoint } from '../hub/run-directory.js'
import type { SequenceToSequenceModel } from '../models/index.js'
import type { Device } from '../runtime/index.js'
import { endedIds } from '../tokenizers/ended.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { type EncoderDecoder, openEncoderDecoder } from '../training/build/encoder-decoder.js'
import { withoutStart } from '../training/objectives/sequence-to-sequence.js'
import { readGenerationOptions } from './generation-config.js'
import { type CutText, parameterMode } from './text-batches.js'

/** What a model made of a text: its translation, its summary. */
export interface TextToTextResult {
  readonly text: string
  /** Every text that was asked for (`returnSequences`), the best first, with its score where it is a beam search's. */
  readonly candidates: readonly { readonly text: string; readonly score?: number }[]
  /** The ids of the text, with the token that ends it. */
  readonly ids: readonly number[]
  readonly finishReason: GenerationResult['finishReason']
}

/** How texts are made of texts. */
export interface TextToTextOptions extends Omit<GenerationOptions, 'tokenizer'> {
  /** Hears of each text that was too long for the model, of which the rest was left out. */
  readonly onCut?: ((cut: CutText) => void) | undefined
}

/** Beams where neither the caller nor the checkpoint says how to search (Vaswani et al. 2017, §6.1). */
const defaultStrategy = beamSearch({ beams: 4 })

/**
 * Translates, summarizes or otherwise rewrites texts with an encoder–decoder: a Transformer, Marian, BART, T5 or BERT2BERT.
 *
 * ```ts
 * const translator = await TextToText.load('runs/multi30k')
 * const [{ text }] = await translator.write(['Ein Hund läuft durch den Schnee.'])
 * ```
 */
export class TextToText {
  readonly model: SequenceToSequenceModel
  readonly tokenizer: Tokenizer
  /** Of the texts that are read, the same where they have none of their own. */
  readonly sourceTokenizer: Tokenizer
  /** What is done to texts before the model reads them, as in its training. */
  readonly form: TextForm
  readonly #decoder: SequenceToSequenceDecoder
  readonly #defaults: GenerationOptions

  private constructor(
    { model, tokenizer, sourceTokenizer = tokenizer }: EncoderDecoder,
    { form, defaults, decoder }: { form: TextForm; defaults: GenerationOptions; decoder: SequenceToSequenceDecoder },
  ) {
    this.model = model
    this.tokenizer = tokenizer
    this.form = form
    this.sourceTokenizer = sourceTokenizer
    this.#decoder = decoder
    this.#defaults = defaults
  }

  /** Makes a writer of a model in memory, e.g. one that is being trained. */
  static of(parts: EncoderDecoder, form: TextForm = {}, options: { device?: Device } = {}): TextToText {
    const decoder = new SequenceToSequenceDecoder(parts.model, options)
    return new TextToText(parts, { form, defaults: {}, decoder })
  }

  /**
   * Opens a checkpoint directory or a training run.
   *
   * @param what what needs the model, for messages
   * @throws CheckpointError where it is missing, damaged or no encoder–decoder; TokenizerError where it has no tokenizer
   */
  static async load(
    path: string,
    { device, what = 'this' }: { device?: Device; what?: string } = {},
  ): Promise<TextToText> {
    const parts = await openEncoderDecoder(path, what)
    const directory = resolveCheckpoint(path)
    const decoder = new SequenceToSequenceDecoder(parts.model, { device, parameters: parameterMode(parts.model) })
    const { lowercase, prefix } = readDataSettings(directory)
    return new TextToText(parts, { form: { lowercase, prefix }, defaults: readGenerationOptions(directory), decoder })
  }

  /**
   * What the model makes of each text. Where options are left out, those of the checkpoint's generation_config.json count,
   * else a search with 4 beams.
   *
   * @throws UsageError for an option out of range
   */
  async write(texts: readonly string[], options: TextToTextOptions = {}): Promise<TextToTextResult[]> {
    const found: TextToTextResult[] = Array(texts.length)
    for await (const { index, result } of this.stream(texts, options)) found[index] = result
    return found
  }

  /** {@link write} as a stream: results come as they are ready, those of the shortest texts first. */
  async *stream(
    texts: readonly string[],
    { onCut, ...given }: TextToTextOptions = {},
  ): AsyncGenerator<{ index: number; result: TextToTextResult }, void> {
    const known = Object.entries(given).filter(([, value]) => value !== undefined)
    const options = {
      strategy: defaultStrategy,
      ...this.#defaults,
      ...Object.fromEntries(known),
      tokenizer: this.tokenizer,
    }
    const sources = await this.encode(texts, onCut)
    for await (const { index, results } of streamFromSources(this.#decoder, sources, options)) {
      const [{ ids, finishReason }] = results
      const candidates = results.map(({ text = '', score }) => ({ text, ...(score !== undefined && { score }) }))
      yield { index, result: { text: candidates[0].text, candidates, ids, finishReason } }
    }
  }

  /** Texts as the model reads them; what is longer than its context is cut, the token that ends a text kept. */
  async encode(texts: readonly string[], onCut?: (cut: CutText) => void): Promise<{ ids: number[] }[]> {
    const { contextLength } = this.model.config
    const tokenizer = this.sourceTokenizer
    const room = contextLength - endedIds(tokenizer, []).length
    if (room < 1) throw new UsageError(`the model's context of ${contextLength} tokens has no room for a text`)
    const encodings = await tokenizer.encodeBatch(
      texts.map((text) => sourceForm(text, this.form)),
      { addSpecialTokens: false },
    )
    return encodings.map(({ ids }, index) => {
      if (ids.length > room) onCut?.({ index, removed: ids.length - room })
      return { ids: endedIds(tokenizer, Array.from(ids.slice(0, room))) }
    })
  }

  /** A text as the model would write it, with the token that ends it. */
  async encodeTarget(text: string): Promise<readonly number[]> {
    const { ids } = await this.tokenizer.encode(targetForm(text, this.form), { addSpecialTokens: false })
    return withoutStart(endedIds(this.tokenizer, [...ids]), this.model.config.decoderStartTokenId)
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#decoder.dispose()
  }
}
