import { type Dimension, type Input, input, reachable, type Tensor } from '../graph/index.js'
import {
  type EncoderInput,
  encoderFeeds,
  encoderInputs,
  pairFeeds,
  pairInputs,
  type SequenceToSequenceModel,
  type TokenSequence,
} from '../models/index.js'
import type { Module } from '../nn/index.js'
import { compile, type Feed, float32 } from '../runtime/index.js'

/** How much the tokens of a sequence attend to one another, or to another sequence's, in one layer. */
export interface AttentionLayer {
  /** The path of the attention's module in its model. */
  readonly name: string
  /** softmax of the scores, [head][query][key]; a query's weights add up to 1. */
  readonly weights: readonly (readonly (readonly number[])[])[]
}

/** All attention weights of an encoder–decoder, layer by layer. */
export interface AttentionWeights {
  /** Source tokens to source tokens. */
  readonly encoder: readonly AttentionLayer[]
  /** What the decoder reads to what it reads: its start token, then the target without its last token. */
  readonly decoder: readonly AttentionLayer[]
  /** Target tokens to source tokens: the weights at which each target token is predicted. */
  readonly cross: readonly AttentionLayer[]
}

/** A model whose output is one tensor, for the tokens of sequences: an encoder, with a head or without. */
export interface EncoderLike extends Module {
  forward(input: EncoderInput): Tensor
}

/** A model that reads ids [B, T]: a GPT or a Llama. */
export interface CausalLike extends Module {
  forward(ids: Tensor): Tensor
}

/**
 * The attention weights of an encoder–decoder for a source and its target, which the decoder reads as it is.
 *
 * @param target the target's own tokens, without the decoder's start token
 * @throws DataError where one of them is empty
 */
export async function attentionWeights(
  model: SequenceToSequenceModel,
  source: TokenSequence,
  target: readonly number[],
): Promise<AttentionWeights> {
  const { inputs, ...pair } = pairInputs()
  const output = model.forward(pair.source, pair.target)
  const shifted = [model.config.decoderStartTokenId, ...target].slice(0, Math.max(target.length, 0))
  const layers = await weightsBehind(output, inputs, pairFeeds([{ source, target: { ids: shifted } }]))
  const between = (queries: Dimension, keys: Dimension) =>
    layers.filter(({ shape }) => shape[2] === queries && shape[3] === keys).map(({ layer }) => layer)
  const [from, to] = [pair.source.layout.length, pair.target.layout.length]
  return { encoder: between(from, from), decoder: between(to, to), cross: between(to, from) }
}

/**
 * The attention weights of an encoder for a sequence, layer by layer.
 *
 * @throws DataError where the sequence is empty
 */
export async function encoderAttention(model: EncoderLike, sequence: TokenSequence): Promise<AttentionLayer[]> {
  const { inputs, input: tokens } = encoderInputs()
  const layers = await weightsBehind(model.forward(tokens), inputs, encoderFeeds([sequence]))
  return layers.map(({ layer }) => layer)
}

/** The attention weights of a language model for a sequence of token ids, layer by layer; those to later tokens are 0. */
export async function causalAttention(model: CausalLike, ids: readonly number[]): Promise<AttentionLayer[]> {
  const tokens = input('ids', 'int64', ['batch', 'sequence'])
  const feeds = { ids: { data: BigInt64Array.from(ids, BigInt), shape: [1, ids.length] } }
  const layers = await weightsBehind(model.forward(tokens), { ids: tokens }, feeds)
  return layers.map(({ layer }) => layer)
}

/** The values of all tensors that an output depends on and that modules call `weights`, for a batch of one. */
async function weightsBehind(
  output: Tensor,
  inputs: Readonly<Record<string, Input>>,
  feeds: Readonly<Record<string, Feed>>,
) {
  const tensors = reachable([output]).filter(({ name, rank }) => name.endsWith('.weights') && rank === 4)
  const program = await compile({
    inputs,
    outputs: Object.fromEntries(tensors.map((tensor, i): [string, Tensor] => [String(i), tensor])),
  })
  const needed = Object.entries(feeds).filter(([name]) => program.inputs.has(name))
  const values = await program.run(Object.fromEntries(needed))
  await program.dispose()
  return tensors.map(({ name, shape }, i) => {
    const [, heads, queries, keys] = values[i].shape
    const data = float32(values[i])
    const row = (head: number, query: number) => {
      const start = (head * queries + query) * keys
      return [...data.subarray(start, start + keys)]
    }
    const weights = indices(heads).map((head) => indices(queries).map((query) => row(head, query)))
    return { shape, layer: { name: name.slice(0, -'.weights'.length), weights } }
  })
}

function indices(count: number): number[] {
  return [...Array(count).keys()]
}
