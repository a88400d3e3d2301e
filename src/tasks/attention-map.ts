import { CheckpointError, UsageError } from '../errors.js'
import {
  type AttentionLayer,
  attentionWeights,
  causalAttention,
  type EncoderLike,
  encoderAttention,
} from '../generation/attention-weights.js'
import { loadModel } from '../hub/checkpoint.js'
import { encoderFamilyOf } from '../models/encoder-families.js'
import { isCausalLanguageModel } from '../models/index.js'
import { loadTokenizer } from '../tokenizers/node.js'
import type { Tokenizer } from '../tokenizers/tokenizer.js'
import { isSequenceToSequence } from '../training/build/encoder-decoder.js'
import { TextToText } from './text-to-text.js'

/** Of what attention is looked at. */
export interface AttentionMapOptions {
  /** The text, or what is translated. */
  readonly source: string
  /** Its translation; the model's own where left out. For encoder–decoders. */
  readonly target?: string | undefined
  /** From 0 (default the last; of an encoder–decoder the last but one, which aligns best: Garg et al. 2019, §3.1). */
  readonly layer?: number | undefined
  /** From 0 (default the mean of all). */
  readonly head?: number | undefined
}

/** How much tokens attend to tokens. */
export interface AttentionMap {
  /** Tokens that attend: of the target with an encoder–decoder, else of the text. */
  readonly rows: readonly string[]
  /** Tokens that are attended to: of the source, or the text. */
  readonly columns: readonly string[]
  /** [rows][columns]; a row adds up to 1. */
  readonly weights: readonly (readonly number[])[]
  readonly layer: number
  readonly head: number | 'mean'
}

/**
 * The attention of a model to a text: of an encoder–decoder from the target's tokens to the source's, of a language
 * model or an encoder among the text's own.
 *
 * @param path a checkpoint or a training run
 * @throws UsageError for a layer or head that does not exist; CheckpointError for a model of another kind
 */
export async function attentionMap(path: string, options: AttentionMapOptions): Promise<AttentionMap> {
  const { model, directory } = loadModel(path)
  if (isSequenceToSequence(model)) return crossAttentionMap(path, options)
  if (options.target !== undefined) {
    throw new UsageError(`--target goes with an encoder–decoder, ${path} is a ${model.constructor.name}`)
  }
  const tokenizer = await loadTokenizer(directory)
  const { ids } = await tokenizer.encode(options.source)
  const tokens = labelsOf(tokenizer, ids)
  const layers = isCausalLanguageModel(model)
    ? await causalAttention(model, [...ids])
    : await encoderLayers(model, ids, path)
  return { rows: tokens, columns: tokens, ...choose(layers, layers.length - 1, options) }
}

async function crossAttentionMap(
  path: string,
  { source, target, ...options }: AttentionMapOptions,
): Promise<AttentionMap> {
  const writer = await TextToText.load(path, { what: 'attention' })
  const { model, tokenizer } = writer
  const [read] = await writer.encode([source])
  const written = target === undefined ? (await writer.write([source]))[0].ids : await writer.encodeTarget(target)
  const { cross } = await attentionWeights(model, read, written)
  const columns = labelsOf(writer.sourceTokenizer, read.ids)
  await writer.dispose()
  return { rows: labelsOf(tokenizer, written), columns, ...choose(cross, Math.max(0, cross.length - 2), options) }
}

function encoderLayers(model: object, ids: ArrayLike<number>, path: string): Promise<AttentionLayer[]> {
  const isEncoder = 'forward' in model && encoderFamilyOf(model as EncoderLike) !== undefined
  if (isEncoder) return encoderAttention(model as EncoderLike, { ids })
  throw new CheckpointError(`${path}: attention is shown of a language model, an encoder or an encoder–decoder`)
}

function choose(
  layers: readonly AttentionLayer[],
  usual: number,
  { layer = usual, head }: Partial<AttentionMapOptions>,
) {
  const found = layers[layer]
  if (found === undefined) throw new UsageError(`--layer ${layer}: the model has layers 0 to ${layers.length - 1}`)
  if (head === undefined) return { weights: mean(found.weights), layer, head: 'mean' as const }
  const weights = found.weights[head]
  if (weights === undefined) throw new UsageError(`--head ${head}: a layer has heads 0 to ${found.weights.length - 1}`)
  return { weights, layer, head }
}

function mean(heads: AttentionLayer['weights']): number[][] {
  return heads[0].map((row, i) => row.map((_, j) => heads.reduce((sum, head) => sum + head[i][j], 0) / heads.length))
}

/** What each token stands for, as far as that can be read. */
function labelsOf(tokenizer: Tokenizer, ids: ArrayLike<number>): string[] {
  return Array.from(ids, (id) => {
    const text = tokenizer.decode([id])
    return text === '' || text.includes('\uFFFD') ? (tokenizer.idToToken(id) ?? String(id)) : text
  })
}
