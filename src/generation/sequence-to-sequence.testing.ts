import {
  pairFeeds,
  pairInputs,
  type SequenceToSequenceModel,
  Transformer,
  type TransformerConfig,
} from '../models/index.js'
import { initialize } from '../nn/index.js'
import { compile, float32, type Program } from '../runtime/index.js'

/** Sizes of an encoder–decoder for tests. */
export const tinyConfig: TransformerConfig = {
  vocabularySize: 17,
  contextLength: 40,
  encoderLayers: 2,
  decoderLayers: 2,
  heads: 2,
  width: 8,
  innerWidth: 12,
  decoderStartTokenId: 0,
  eosTokenId: 1,
  tiedHead: false,
}

/** A random model whose targets depend on their sources. */
export function tinyTransformer(): Transformer {
  const model = new Transformer(tinyConfig)
  initialize(model.parameters(), 55)
  const { data } = model.lm_head.weight
  for (const [i, weight] of data!.entries()) data![i] = 3 * weight
  return model
}

/** What a model says without any cache. */
export class UncachedModel {
  readonly #model: SequenceToSequenceModel
  #program: Promise<Program> | undefined

  constructor(model: SequenceToSequenceModel) {
    this.#model = model
  }

  /** The logits behind a target (with its start token), for a source alone. */
  async nextLogits(source: readonly number[], target: readonly number[]): Promise<Float32Array> {
    const { inputs, ...pair } = pairInputs()
    this.#program ??= compile({ inputs, outputs: { logits: this.#model.forward(pair.source, pair.target) } })
    const program = await this.#program
    const feeds = Object.entries(pairFeeds([{ source: { ids: source }, target: { ids: target } }]))
    const { logits } = await program.run(Object.fromEntries(feeds.filter(([name]) => program.inputs.has(name))))
    return float32('data' in logits ? logits : undefined).subarray(-this.#model.config.vocabularySize)
  }

  async dispose(): Promise<void> {
    await (await this.#program)?.dispose()
  }
}
