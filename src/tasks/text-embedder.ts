import { createHash } from 'node:crypto'
import { CheckpointError } from '../errors.js'
import type { Tensor } from '../graph/index.js'
import { checkTokenizer } from '../hub/check-tokenizer.js'
import { loadModel } from '../hub/checkpoint.js'
import { BertBody } from '../models/bert.js'
import { DistilBertModel, encoderFeeds, encoderInputs } from '../models/index.js'
import { type Module, meanOfTokens } from '../nn/index.js'
import { compile, type Device, float32, type Program } from '../runtime/index.js'
import { loadTokenizer } from '../tokenizers/node.js'
import { encodePairs } from '../tokenizers/pairs.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { type CutText, parameterMode, reportCuts, runSorted } from './text-batches.js'
import {
  type EmbedderChoices,
  type EmbedderSettings,
  type Pooling,
  readEmbedderSettings,
} from './text-embedder-settings.js'

/** How a sentence encoder is opened; what is left out is as its directory says, see `readEmbedderSettings`. */
export type TextEmbedderOptions = EmbedderChoices & { readonly device?: Device }

/** How texts are embedded. */
export interface EmbedOptions {
  /** Hears of each text that was too long. */
  readonly onCut?: ((cut: CutText) => void) | undefined
}

/** The body of an encoder. */
type Body = BertBody | DistilBertModel

/** What an embedder is made of. */
interface Parts {
  readonly body: Body
  readonly tokenizer: Tokenizer
  readonly program: Program<{ embedding: Tensor }>
  readonly settings: EmbedderSettings & { readonly maxLength: number }
}

/**
 * Makes vectors of texts, close to each other where the texts mean the same (Reimers & Gurevych 2019).
 *
 * ```ts
 * const embedder = await TextEmbedder.load('all-MiniLM-L6-v2')
 * const [a, b] = await embedder.embed(['A man eats pasta.', 'Someone is having a meal.'])
 * console.log(cosineSimilarity(a, b))
 * ```
 */
export class TextEmbedder {
  readonly #parts: Parts

  private constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * Opens an encoder with any head or none: a checkpoint directory (Hugging Face's or sentence-transformers'), or a
   * training run.
   *
   * @throws CheckpointError where it is missing, damaged, not an encoder or pooled in a way that is not supported;
   * TokenizerError where it has no tokenizer
   */
  static async load(path: string, { device, ...choices }: TextEmbedderOptions = {}): Promise<TextEmbedder> {
    const { model, directory } = loadModel(path)
    const body = bodyOf(model)
    if (body === undefined) {
      throw new CheckpointError(`${path}: embedding needs an encoder such as BERT, this is a ${model.constructor.name}`)
    }
    const tokenizer = await loadTokenizer(directory)
    checkTokenizer(tokenizer, body, directory)
    const settings = readEmbedderSettings(directory, choices)
    const { contextLength } = body.config
    const maxLength = Math.min(settings.maxLength ?? contextLength, contextLength)
    const { inputs, embedding } = embeddingGraph(body, settings.pooling)
    const program = await compile({ inputs, outputs: { embedding }, parameters: parameterMode(body), device })
    return new TextEmbedder({ body, tokenizer, program, settings: { ...settings, maxLength } })
  }

  /** C, numbers of a vector. */
  get width(): number {
    return this.#parts.body.config.width
  }

  get pooling(): Pooling {
    return this.#parts.settings.pooling
  }

  /** Whether vectors have the length 1. */
  get normalized(): boolean {
    return this.#parts.settings.normalized
  }

  /** Most tokens of a text, special ones included. */
  get maxLength(): number {
    return this.#parts.settings.maxLength
  }

  /** The vector of each text, [C]; the end of what is longer than {@link maxLength} is cut off. */
  async embed(texts: readonly string[], { onCut }: EmbedOptions = {}): Promise<Float32Array[]> {
    const { program, settings } = this.#parts
    const sequences = await this.#encode(texts)
    reportCuts(sequences, onCut)
    const values = await runSorted(sequences, this.width, async (batch) =>
      float32((await program.run(encoderFeeds(batch))).embedding),
    )
    const vectors = texts.map((_, i) => values.slice(i * this.width, (i + 1) * this.width))
    return settings.normalized ? vectors.map(normalize) : vectors
  }

  /** A digest of everything that a text's vector depends on, beside the text: weights, tokenizer and settings. */
  fingerprint(): string {
    const { body, tokenizer, settings } = this.#parts
    const hash = createHash('sha256')
      .update(JSON.stringify([settings, body.config]))
      .update(tokenizer.toJSON())
    for (const [name, { data = new Float32Array() }] of Object.entries(body.parameters())) {
      hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    }
    return hash.digest('hex')
  }

  /** Frees the engine's memory. */
  async dispose(): Promise<void> {
    await this.#parts.program.dispose()
  }

  async #encode(texts: readonly string[]) {
    const { tokenizer, settings } = this.#parts
    const { prompt, lowercase, maxLength } = settings
    const prepared = texts.map((text): [string] => [prompt + (lowercase ? text.toLowerCase() : text)])
    const encodings = await encodePairs(tokenizer, prepared, { maxLength })
    // An empty text still needs one token where the tokenizer adds none.
    return encodings.map(({ ids, removed }) => ({
      ids: Int32Array.from(ids.length === 0 ? [tokenizer.eosTokenId ?? 0] : ids),
      removed: removed.first,
    }))
  }
}

/** a·b / (‖a‖·‖b‖), between −1 and 1; 0 where one of them is 0. */
export function cosineSimilarity(a: Float32Array, b: Float32Array): number {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b))
  return lengths === 0 ? 0 : dot(a, b) / lengths
}

/** Σ aᵢ·bᵢ. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** x / ‖x‖; zeros stay zeros. */
export function normalize(x: Float32Array): Float32Array {
  const length = Math.sqrt(dot(x, x))
  return length === 0 ? x : x.map((value) => value / length)
}

function bodyOf(model: Module): Body | undefined {
  return [model, ...Object.values(model)].find((part) => part instanceof BertBody || part instanceof DistilBertModel)
}

/** One vector for each sequence [B, C]. */
function embeddingGraph(body: Body, pooling: Pooling) {
  const { inputs, input } = encoderInputs()
  const { layout } = input
  const embedding = pooling === 'mean' ? meanOfTokens(body.forward(input), layout) : body.forward(input, layout.first)
  return { inputs, embedding } // [B, C]
}
