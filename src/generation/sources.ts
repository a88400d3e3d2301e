import { UsageError } from '../errors.js'
import type { TokenSequence } from '../models/index.js'
import { streamRequests } from './generate.js'
import type { SequenceToSequenceDecoder } from './sequence-to-sequence-decoder.js'
import type { GenerationOptions, GenerationResult } from './types.js'

/** How targets are generated from sources, and how many sources at once. */
export interface SourceOptions extends GenerationOptions {
  /**
   * Most tokens to generate for a source, as far as the context goes; 2·S + 20 for a source of S tokens where none is
   * given.
   */
  readonly maxNewTokens?: number
  /** Tokens that every target begins with, behind the decoder's start token; none where absent. */
  readonly prefix?: readonly number[]
  /** Most tokens of the sources of a batch, counted with their padding; 1024 where absent. A longer source goes alone. */
  readonly batchTokens?: number
}

/** What was generated from a source. */
export interface SourceResult {
  /** Which of the sources. */
  readonly index: number
  /** Its target; with beam search its `returnSequences` targets by falling score. */
  readonly results: readonly GenerationResult[]
}

/**
 * Generates targets from any number of sources, such as translations of sentences, in batches of similar length.
 *
 * What a source gets does not depend on the others: it is the same alone.
 *
 * @returns the results of each source, in the order of the sources
 * @throws DataError for an empty or too long source; UsageError for an option out of range
 */
export async function generateFromSources(
  decoder: SequenceToSequenceDecoder,
  sources: readonly TokenSequence[],
  options: SourceOptions = {},
): Promise<(readonly GenerationResult[])[]> {
  const found: (readonly GenerationResult[])[] = Array(sources.length)
  for await (const { index, results } of streamFromSources(decoder, sources, options)) found[index] = results
  return found
}

/**
 * {@link generateFromSources} as a stream: the results of a batch come when it is done, the shortest sources first.
 *
 * @throws DataError for an empty or too long source; UsageError for an option out of range
 */
export async function* streamFromSources(
  decoder: SequenceToSequenceDecoder,
  sources: readonly TokenSequence[],
  options: SourceOptions = {},
): AsyncGenerator<SourceResult, void> {
  const { prefix = [], batchTokens = 1024, signal } = options
  if (!(batchTokens >= 1)) throw new UsageError(`sources: expected batchTokens to be a number ≥ 1, got ${batchTokens}`)
  const lengths = sources.map(({ ids }) => ids.length)
  const prompt = [decoder.startTokenId, ...prefix]
  const room = decoder.contextLength - prompt.length + 1
  for (const batch of boundedBatches(lengths, batchTokens)) {
    signal?.throwIfAborted()
    await decoder.read(batch.map((index) => sources[index]))
    const requests = batch.map((index) => {
      const wanted = options.maxNewTokens ?? 2 * lengths[index] + 20
      return { prompt, row: index, maxNewTokens: Math.min(wanted, room) }
    })
    const found = new Map(batch.map((index): [number, GenerationResult[]] => [index, []]))
    for await (const event of streamRequests(decoder, requests, options)) {
      if (event.type === 'finish') found.get(event.row)!.push(event.result)
    }
    for (const [index, results] of found) yield { index, results }
  }
}

/** Sequences in batches of rising length that have at most this many tokens with their padding, or one sequence. */
function* boundedBatches(lengths: readonly number[], batchTokens: number): Generator<number[]> {
  const order = [...lengths.keys()].sort((a, b) => lengths[a] - lengths[b])
  let batch: number[] = []
  for (const index of order) {
    // Lengths rise: the next sequence is the longest of the batch.
    if (batch.length > 0 && (batch.length + 1) * lengths[index] > batchTokens) {
      yield batch
      batch = []
    }
    batch.push(index)
  }
  if (batch.length > 0) yield batch
}
