import { type Input, input, type Tensor } from '../graph/index.js'
import { fill, gather, gatherElements, logSoftmax, topK } from '../graph/operations/index.js'
import { encoderInputs, type SequenceToSequenceModel } from '../models/index.js'
import { Mask, PaddedLayout } from '../nn/index.js'
import { addedName, GraphCache } from './cache.js'

/** A graph with the inputs that its program declares. */
export interface DecoderGraph {
  readonly inputs: Readonly<Record<string, Input>>
  readonly outputs: Record<string, Tensor>
}

/**
 * The graph that encodes B sources of up to S tokens, up to the keys and values that the decoder attends to. Its outputs
 * are inputs of the same names and shapes of {@link decodingGraph}.
 */
export function encodingGraph(model: SequenceToSequenceModel): DecoderGraph {
  const { inputs, input: source } = encoderInputs()
  const { layers, keep } = model.remember(model.encode(source), source.layout)
  const outputs: Record<string, Tensor> = { keep }
  for (const [layer, { keys, values }] of layers.entries()) {
    outputs[memoryName(layer, 'keys')] = keys[0]
    outputs[memoryName(layer, 'values')] = values[0]
  }
  return { inputs, outputs }
}

/**
 * The graph of one step: B sources get K new places each, behind P slots of their caches. A place is to the model what a
 * token of a sequence is; what tells the targets of a source apart is the bias.
 *
 * Inputs: `ids` [B, K]; `last`, the place in [0, B·K) of each row's last token; `queries` [K] and `keys` [P + K], their
 * positions; `bias` [B, 1, K, P + K]; the caches and the sources' memory; for candidates an input of as many elements as
 * are wanted.
 *
 * @param output `logits` [rows, V], or of the `candidates` their `ids` and `logProbabilities`, [rows, candidates] each
 */
export function decodingGraph(model: SequenceToSequenceModel, output: 'logits' | 'candidates'): DecoderGraph {
  const ids = input('ids', 'int64', ['batch', 'places'])
  const last = input('last', 'int64', ['rows'])
  const queries = input('queries', 'int64', ['places'])
  const keys = input('keys', 'int64', ['past + places'])
  const bias = input('bias', 'float32', ['batch', 1, 'places', 'past + places'])
  const candidates = input('candidates', 'int64', ['candidates'])
  const { caches, memory, inputs } = statesOf(model)
  const target = {
    ids: ids.reshape([-1]), // [B·K]
    positions: queries.expand(ids.shape).reshape([-1]), // [B·K]
    layout: new PaddedLayout(fill({ value: 1, shape: ids.shape, dtype: 'bool' })),
    past: { caches, mask: new Mask(bias), queries, keys },
  }
  const hidden = model.decode(target, memory) // [B·K, C]
  const logits = model.logits(gather(hidden, last)) // [rows, V]
  const outputs: Record<string, Tensor> = output === 'logits' ? { logits } : bestTokens(logits)
  for (const [layer, { added }] of caches.entries()) {
    outputs[addedName(2 * layer)] = added![0]
    outputs[addedName(2 * layer + 1)] = added![1]
  }
  return { inputs: { ids, last, queries, keys, bias, candidates, ...inputs }, outputs }
}

/** What the layers know of the targets so far and of the sources, as inputs. */
function statesOf(model: SequenceToSequenceModel) {
  const { layers, heads, headWidth } = model.decoderSizes
  const remembered = (layer: number, kind: 'keys' | 'values') =>
    input(memoryName(layer, kind), 'float32', ['batch', heads, 'source', headWidth])
  const each = Array.from({ length: layers }, (_, layer) => layer)
  const memory = {
    layers: each.map((layer) => ({ keys: [remembered(layer, 'keys')], values: [remembered(layer, 'values')] })),
    keep: input('keep', 'bool', ['batch', 'source']),
  }
  const caches = each.map((layer) => new GraphCache(layer, { heads, headWidth }))
  const inputs = [
    memory.keep,
    ...memory.layers.flatMap(({ keys, values }) => [...keys, ...values]),
    ...caches.flatMap(({ pastKeys, pastValues }) => [pastKeys, pastValues]),
  ]
  return { caches, memory, inputs: Object.fromEntries(inputs.map((input) => [input.name, input])) }
}

/** The largest logits' ids and log probabilities, as many as the input `candidates` is long. */
function bestTokens(logits: Tensor): Record<string, Tensor> {
  const [, ids] = topK(logits, { axis: 1, count: 'candidates' }) // int64 [rows, candidates]
  return { ids, logProbabilities: gatherElements(logSoftmax(logits, { axis: 1 }), ids, { axis: 1 }) }
}

function memoryName(layer: number, kind: 'keys' | 'values'): string {
  return `memory.${layer}.${kind}`
}
