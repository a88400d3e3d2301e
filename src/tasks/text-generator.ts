import { CheckpointError, TokenizerError } from '../errors.js'
import { CausalDecoder } from '../generation/decoder.js'
import { generate, generateBatch } from '../generation/generate.js'
import type { GenerationOptions, GenerationResult } from '../generation/types.js'
import { checkTokenizer } from '../hub/check-tokenizer.js'
import { loadModel } from '../hub/checkpoint.js'
import { type CausalLanguageModel, isCausalLanguageModel } from '../models/index.js'
import type { Device } from '../runtime/index.js'
import { loadTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { readGenerationOptions } from './generation-config.js'
import { checkIds } from './logits.js'

/** A prompt: text, or token ids that are used as they are. */
export type Prompt = string | readonly number[]

/**
 * Continues texts with a language model: a GPT, a Llama or one of its relatives.
 *
 * ```ts
 * const writer = await TextGenerator.load('runs/shakespeare')
 * for await (const piece of writer.stream('ROMEO:', { strategy: nucleus(0.9) })) process.stdout.write(piece)
 * ```
 */
export class TextGenerator {
  readonly model: CausalLanguageModel
  /** Absent where the checkpoint has none; then prompts and results are ids. */
  readonly tokenizer: Tokenizer | undefined
  readonly #decoder: CausalDecoder
  /** What every generation starts from. */
  readonly #options: GenerationOptions

  private constructor(
    model: CausalLanguageModel,
    tokenizer: Tokenizer | undefined,
    { decoder, eosTokenIds }: { decoder: CausalDecoder; eosTokenIds: readonly number[] | undefined },
  ) {
    this.model = model
    this.tokenizer = tokenizer
    this.#decoder = decoder
    this.#options = { ...(tokenizer && { tokenizer }), ...(eosTokenIds && { eosTokenIds }) }
  }

  /**
   * Makes a generator of a model in memory, e.g. one that is being trained.
   *
   * @param options `eosTokenIds` end every text, instead of the tokenizer's end-of-sequence token
   */
  static async of(
    model: CausalLanguageModel,
    tokenizer?: Tokenizer,
    { eosTokenIds, ...options }: { device?: Device; eosTokenIds?: readonly number[] | undefined } = {},
  ): Promise<TextGenerator> {
    const decoder = await CausalDecoder.create(model, options)
    return new TextGenerator(model, tokenizer, { decoder, eosTokenIds })
  }

  /**
   * Opens a checkpoint directory, a GGUF file or a training run.
   *
   * @param options `tokenizer: false` opens a checkpoint without one, for prompts of ids
   * @throws CheckpointError where it is missing, damaged or not a language model; TokenizerError where it has no tokenizer
   */
  static async load(path: string, options: { device?: Device; tokenizer?: boolean } = {}): Promise<TextGenerator> {
    const { model, directory } = loadModel(path)
    if (!isCausalLanguageModel(model)) {
      throw new CheckpointError(
        `${path}: generating text needs a language model such as GPT or Llama, this is a ${model.constructor.name}`,
      )
    }
    const tokenizer = options.tokenizer === false ? await tokenizerIfAny(directory) : await loadTokenizer(directory)
    if (tokenizer !== undefined) checkTokenizer(tokenizer, model, directory)
    // Models for conversations have several: a turn's and a text's.
    const { eosTokenIds: listed } = readGenerationOptions(directory)
    const own = tokenizer?.eosTokenId === undefined ? [] : [tokenizer.eosTokenId]
    const eosTokenIds = listed && [...new Set([...listed, ...own])]
    return TextGenerator.of(model, tokenizer, { device: options.device, eosTokenIds })
  }

  /** Continues one prompt and yields the new text in pieces that never split a character. Not for beam search. */
  async *stream(prompt: Prompt, options: GenerationOptions = {}): AsyncGenerator<string, GenerationResult | undefined> {
    const ids = await this.#encode(prompt)
    let result: GenerationResult | undefined
    for await (const event of generate(this.#decoder, ids, { ...this.#options, ...options })) {
      if (event.type === 'finish') result ??= event.result
      else if (event.text !== '') yield event.text
    }
    return result
  }

  /** Continues one prompt; beam search may return several sequences, the best first. */
  async complete(prompt: Prompt, options: GenerationOptions = {}): Promise<GenerationResult[]> {
    return this.completeBatch([prompt], options)
  }

  /** Continues several prompts of any lengths at once, in their order. */
  async completeBatch(prompts: readonly Prompt[], options: GenerationOptions = {}): Promise<GenerationResult[]> {
    const ids = await Promise.all(prompts.map((prompt) => this.#encode(prompt)))
    return generateBatch(this.#decoder, ids, { ...this.#options, ...options })
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#decoder.dispose()
  }

  async #encode(prompt: Prompt): Promise<readonly number[]> {
    if (typeof prompt !== 'string') {
      checkIds(prompt, this.model.config.vocabularySize)
      return prompt
    }
    if (this.tokenizer === undefined)
      throw new TokenizerError('this model has no tokenizer: give token ids instead of text')
    return (await this.tokenizer.encode(prompt)).ids
  }
}

async function tokenizerIfAny(directory: string): Promise<Tokenizer | undefined> {
  try {
    return await loadTokenizer(directory)
  } catch (error) {
    if (error instanceof TokenizerError) return undefined
    throw error
  }
}
