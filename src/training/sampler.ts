import { ConfigError } from '../errors.js'
import { CausalDecoder } from '../generation/decoder.js'
import { generateBatch } from '../generation/generate.js'
import { sample } from '../generation/strategies.js'
import { GPT } from '../models/index.js'
import type { Module } from '../nn/index.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import type { SampleOptions } from './recipe.js'

/** What a model made of a prompt. */
export interface Sample {
  readonly prompt: string
  readonly text: string
}

/** Lets a model in training continue prompts, to see what it has learnt. */
export class Sampler {
  readonly #model: GPT
  readonly #tokenizer: Tokenizer
  readonly #options: SampleOptions & { readonly seed: number }
  #decoder: CausalDecoder | undefined

  /** @throws ConfigError where the model does not write */
  constructor(model: Module, tokenizer: Tokenizer, options: SampleOptions & { readonly seed: number }) {
    if (!(model instanceof GPT))
      throw new ConfigError('sample: only a language model writes texts; leave the section out')
    this.#model = model
    this.#tokenizer = tokenizer
    this.#options = options
  }

  /** Continues every prompt with the parameters as they are now; the same seed each time. */
  async write(): Promise<Sample[]> {
    const { prompts, maxNewTokens, temperature, seed } = this.#options
    this.#decoder ??= await CausalDecoder.create(this.#model)
    const encodings = await this.#tokenizer.encodeBatch(prompts)
    const results = await generateBatch(
      this.#decoder,
      encodings.map(({ ids }) => ids),
      { strategy: sample({ temperature }), maxNewTokens, seed, tokenizer: this.#tokenizer },
    )
    return results.map(({ text = '' }, i) => ({ prompt: prompts[i], text }))
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#decoder?.dispose()
  }
}
