import { SequenceToSequenceDecoder } from '../generation/sequence-to-sequence-decoder.js'
import { generateFromSources } from '../generation/sources.js'
import { greedy } from '../generation/strategies.js'
import { corpusBleu, isMostlyChinese } from '../metrics/index.js'
import type { SequenceToSequenceModel, TokenSequence } from '../models/index.js'
import { endToken } from '../tokenizers/ended.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'

/** What {@link TranslationBleu} translates. */
export interface TranslationBleuOptions {
  readonly model: SequenceToSequenceModel
  /** Of the targets. */
  readonly tokenizer: Tokenizer
  readonly sources: readonly TokenSequence[]
  /** What translations are compared with, one for each source, in the form that the model learns. */
  readonly references: readonly string[]
}

/** Measures BLEU of a model in training: translates sources greedily with the parameters as they are. */
export class TranslationBleu {
  readonly #options: TranslationBleuOptions
  readonly #decoder: SequenceToSequenceDecoder

  constructor(options: TranslationBleuOptions) {
    this.#options = options
    this.#decoder = new SequenceToSequenceDecoder(options.model)
  }

  /** `bleu`, 0 to 100: sacreBLEU's with the tokenizer `zh` where the references are Chinese, else `13a`. */
  async measure(): Promise<{ bleu: number }> {
    const { tokenizer, sources, references } = this.#options
    const eosTokenIds = [endToken(tokenizer).id]
    const found = await generateFromSources(this.#decoder, sources, { strategy: greedy(), tokenizer, eosTokenIds })
    const translations = found.map(([{ text = '' }]) => text)
    const tokenize = isMostlyChinese(references) ? 'zh' : '13a'
    return { bleu: corpusBleu(translations, references, { tokenize }).score }
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#decoder.dispose()
  }
}
