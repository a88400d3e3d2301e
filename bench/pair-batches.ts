import { TokenBatches } from 'heddle/data'
import { RandomStream } from 'heddle/runtime'
import type { TokenPair } from 'heddle/training'

/** The token that ends a source or target; the decoder starts with the one before, which also stands for none. */
export const endTokenId = 1

/** Pairs of a source and a target in batches, as all sides read them. */
export type PairBatches = readonly (readonly TokenPair[])[]

const seed = 1337
const batchCount = 40

/**
 * Natural logarithms of lengths: mean and deviation of the source's, deviation of the target's from it. So long, with the
 * token that ends them, are Multi30k's training sentences in a vocabulary of 8000: 14.5 tokens, half of them 11 to 17.
 */
const lengths = { mean: 2.62, deviation: 0.34, difference: 0.18 }

/** Random pairs of the lengths of Multi30k's, in batches of similar length: always the same. */
export function naturalPairs({ vocabularySize, batchTokens }: Record<'vocabularySize' | 'batchTokens', number>) {
  const random = new RandomStream(seed, 'bench.pairs')
  const pairs: TokenPair[] = []
  for (let tokens = 0; tokens < batchCount * batchTokens; ) {
    const logarithm = lengths.mean + lengths.deviation * random.normal()
    const size = (value: number) => Math.max(2, Math.round(Math.exp(value)))
    const [source, target] = [size(logarithm), size(logarithm + lengths.difference * random.normal())]
    pairs.push(randomPair(random, { source, target, vocabularySize }))
    tokens += source + target
  }
  const batches = new TokenBatches(pairs.map(tokensOf), batchTokens, { seed })
  return Array.from({ length: batches.batchesPerEpoch }, (_, i) => batches.batch(i).map((row) => pairs[row]))
}

/** Random pairs of one length in batches of as many tokens of sources and targets together. */
export function evenPairs(
  length: number,
  { vocabularySize, batchTokens }: Record<'vocabularySize' | 'batchTokens', number>,
): PairBatches {
  const random = new RandomStream(seed, 'bench.evenPairs', length)
  const count = Math.max(1, Math.round(batchTokens / (2 * length)))
  const batch = () =>
    Array.from({ length: count }, () => randomPair(random, { source: length, target: length, vocabularySize }))
  return [batch(), batch()]
}

/** Tokens of both sides of a pair. */
export function tokensOf({ source, target }: TokenPair): number {
  return source.length + target.length
}

function randomPair(
  random: RandomStream,
  { source, target, vocabularySize }: Record<'source' | 'target' | 'vocabularySize', number>,
): TokenPair {
  const special = endTokenId + 1
  const ids = (length: number) =>
    Array.from({ length }, (_, i) =>
      i === length - 1 ? endTokenId : special + random.integer(vocabularySize - special),
    )
  return { source: ids(source), target: ids(target) }
}
