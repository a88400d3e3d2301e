import { input } from '../../graph/index.js'
import { argMax, crossEntropyPerPosition } from '../../graph/operations/index.js'
import { perplexity } from '../../metrics/perplexity.js'
import { pairFeeds, pairInputs, type SequenceToSequenceModel } from '../../models/index.js'
import { isTraining } from '../../nn/index.js'
import { type Feed, float32, type TensorValue } from '../../runtime/index.js'
import type { ExampleTask } from './examples.js'
import type { Batch, LossGraph, Scorer } from './objective.js'

/** A source and a target as token ids, each with the token that ends it. */
export interface TokenPair {
  readonly source: ArrayLike<number>
  readonly target: ArrayLike<number>
}

/** How an encoder–decoder learns. */
export interface SequenceToSequenceOptions {
  /** ε, the share of the target distribution that is spread evenly over the vocabulary (default 0). */
  readonly labelSmoothing?: number | undefined
}

/**
 * Learning to write a target from a source: −log P(yₜ | y₁ … yₜ₋₁, source), the mean over all tokens of all targets with
 * those that end them (Sutskever et al. 2014, §2; Vaswani et al. 2017, §3.1).
 *
 * The decoder reads the target itself (teacher forcing), shifted right behind the start token.
 */
export class SequenceToSequence implements ExampleTask<TokenPair> {
  readonly #model: SequenceToSequenceModel
  readonly #options: SequenceToSequenceOptions

  constructor(model: SequenceToSequenceModel, options: SequenceToSequenceOptions = {}) {
    this.#model = model
    this.#options = options
  }

  /** Tokens of both sides, those that end them included. */
  length({ source, target }: TokenPair): number {
    return source.length + target.length
  }

  graph(): LossGraph {
    return sequenceToSequenceLoss(this.#model, this.#options)
  }

  feeds(pairs: readonly TokenPair[]): Record<string, Feed> {
    return teacherForcing(pairs, this.#model.config.decoderStartTokenId)
  }

  predictions(pairs: readonly TokenPair[]): number {
    return targetTokens(pairs)
  }

  scorer(): Scorer {
    return new TokenScorer()
  }
}

/**
 * The loss of batches of all sizes: one program serves them. In training the labels are smoothed: the target token has the
 * probability 1 − ε + ε/V and every other one ε/V, so that the loss is (1 − ε) · −log P(target) + ε · the mean of −log P
 * over the vocabulary (Szegedy et al. 2016, §7; Vaswani et al. 2017, §5.4). Else it is the plain −log P(target).
 */
export function sequenceToSequenceLoss(
  model: SequenceToSequenceModel,
  { labelSmoothing = 0 }: SequenceToSequenceOptions = {},
): LossGraph {
  const { inputs, source, target } = pairInputs()
  const targets = input('targets', 'int64', ['targetTokens'])
  const logits = model.forward(source, target) // [M, V]
  const losses = crossEntropyPerPosition(logits, targets, { labelSmoothing: isTraining() ? labelSmoothing : 0 }) // [M]
  const loss = losses.mean()
  const right = argMax(logits, { axis: -1 }).equal(targets).cast('float32').mean()
  return { inputs: { ...inputs, targets }, loss, outputs: { tokenLoss: loss, right } }
}

/**
 * The arrays of a batch for {@link sequenceToSequenceLoss}: those of `pairFeeds`, where the decoder reads each target
 * shifted right behind the start token, and `targets` int64 [M], the targets themselves.
 *
 * @throws DataError where there is no pair, or a source or target is empty
 */
export function teacherForcing(pairs: readonly TokenPair[], startTokenId: number): Record<string, Feed> {
  const shifted = pairs.map(({ source, target }) => ({
    source: { ids: source },
    target: { ids: shiftedRight(target, startTokenId) },
  }))
  const feeds = pairFeeds(shifted)
  const targets = new BigInt64Array(targetTokens(pairs))
  let row = 0
  for (const { target } of pairs) for (let t = 0; t < target.length; t++) targets[row++] = BigInt(target[t])
  return { ...feeds, targets: { data: targets, shape: [row] } }
}

/** A batch of pairs for {@link sequenceToSequenceLoss}. */
export function pairBatch(pairs: readonly TokenPair[], startTokenId: number): Batch {
  return {
    shape: ['batch', 'sequence'],
    feeds: teacherForcing(pairs, startTokenId),
    examples: pairs.length,
    predictions: targetTokens(pairs),
  }
}

/** A target as it is to be written: the decoder reads the start token anyway, where a tokenizer puts it in front. */
export function withoutStart(target: readonly number[], startTokenId: number): readonly number[] {
  return target[0] === startTokenId && target.length > 1 ? target.slice(1) : target
}

function shiftedRight(target: ArrayLike<number>, startTokenId: number): Int32Array {
  const shifted = new Int32Array(target.length)
  for (let t = 0; t < target.length; t++) shifted[t] = t === 0 ? startTokenId : target[t - 1]
  return shifted
}

function targetTokens(pairs: readonly TokenPair[]): number {
  return pairs.reduce((sum, { target }) => sum + target.length, 0)
}

/** Measures how well the next tokens of targets are predicted where those before them are given. */
export class TokenScorer implements Scorer {
  #tokens = 0
  #right = 0
  #loss = 0

  add({ predictions }: Batch, { right, tokenLoss }: Readonly<Record<string, TensorValue>>): void {
    this.#tokens += predictions
    this.#right += predictions * float32(right)[0]
    this.#loss += predictions * float32(tokenLoss)[0]
  }

  /** The share of tokens with the highest logit, and e to the mean of −log P. */
  metrics(): Record<string, number> {
    return { tokenAccuracy: this.#right / this.#tokens, perplexity: perplexity(this.#loss / this.#tokens) }
  }
}
