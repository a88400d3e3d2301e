import { sourceForm, type TextForm } from '../data/text-form.js'
import { ConfigError } from '../errors.js'
import { CausalDecoder } from '../generation/decoder.js'
import { generateBatch } from '../generation/generate.js'
import { SequenceToSequenceDecoder } from '../generation/sequence-to-sequence-decoder.js'
import { generateFromSources } from '../generation/sources.js'
import { greedy, sample } from '../generation/strategies.js'
import { type CausalLanguageModel, isCausalLanguageModel } from '../models/index.js'
import { encodeEnded, endToken } from '../tokenizers/ended.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { type EncoderDecoder, isSequenceToSequence } from './build/encoder-decoder.js'
import type { Ingredients } from './build.js'
import type { Recipe, SampleOptions } from './recipe.js'

/** What a model made of a prompt. */
export interface Sample {
  readonly prompt: string
  readonly text: string
  /** Whether the text goes on where the prompt ends, or is one of its own. */
  readonly continues: boolean
}

/** Lets a model in training write, to see what it has learnt. */
export interface Sampler {
  /** Writes something to every prompt with the parameters as they are now; by the same seed each time. */
  write(): Promise<Sample[]>
  /** Frees the engine's memory. */
  dispose(): Promise<void>
}

/**
 * A sampler of what a recipe trains; undefined where it asks for none.
 *
 * @throws ConfigError where the model does not write
 */
export function makeSampler(ingredients: Ingredients, { sample: options, train, data }: Recipe): Sampler | undefined {
  if (options === undefined) return undefined
  const { model, tokenizer } = ingredients
  if (isCausalLanguageModel(model)) return new Continuations(model, tokenizer, { ...options, seed: train.seed })
  if (isSequenceToSequence(model)) return new Rewritings({ ...ingredients, model }, options, data)
  throw new ConfigError('sample: only a language model or an encoder–decoder writes texts; leave the section out')
}

/** Continues prompts. */
class Continuations implements Sampler {
  readonly #model: CausalLanguageModel
  readonly #tokenizer: Tokenizer
  readonly #options: SampleOptions & { readonly seed: number }
  #decoder: CausalDecoder | undefined

  constructor(model: CausalLanguageModel, tokenizer: Tokenizer, options: SampleOptions & { readonly seed: number }) {
    this.#model = model
    this.#tokenizer = tokenizer
    this.#options = options
  }

  async write(): Promise<Sample[]> {
    const { prompts, maxNewTokens, temperature, seed } = this.#options
    this.#decoder ??= await CausalDecoder.create(this.#model)
    const encodings = await this.#tokenizer.encodeBatch(prompts)
    const results = await generateBatch(
      this.#decoder,
      encodings.map(({ ids }) => ids),
      { strategy: sample({ temperature }), maxNewTokens, seed, tokenizer: this.#tokenizer },
    )
    return results.map(({ text = '' }, i) => ({ prompt: prompts[i], text, continues: true }))
  }

  async dispose(): Promise<void> {
    await this.#decoder?.dispose()
  }
}

/** Translates prompts, or whatever the model makes of texts. */
class Rewritings implements Sampler {
  readonly #parts: EncoderDecoder
  readonly #options: SampleOptions
  readonly #form: TextForm
  readonly #decoder: SequenceToSequenceDecoder

  constructor(parts: EncoderDecoder, options: SampleOptions, form: TextForm) {
    this.#parts = parts
    this.#options = options
    this.#form = form
    this.#decoder = new SequenceToSequenceDecoder(parts.model)
  }

  async write(): Promise<Sample[]> {
    const { tokenizer, sourceTokenizer = tokenizer, model } = this.#parts
    const { prompts, maxNewTokens } = this.#options
    const texts = prompts.map((prompt) => sourceForm(prompt, this.#form))
    const sources = (await encodeEnded(sourceTokenizer, texts)).map((ids) => ({
      ids: ids.slice(0, model.config.contextLength),
    }))
    const eosTokenIds = [endToken(tokenizer).id]
    const options = { strategy: greedy(), maxNewTokens, tokenizer, eosTokenIds }
    const found = await generateFromSources(this.#decoder, sources, options)
    return found.map(([{ text = '' }], i) => ({ prompt: prompts[i], text, continues: false }))
  }

  async dispose(): Promise<void> {
    await this.#decoder.dispose()
  }
}
