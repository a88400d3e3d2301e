import { RuntimeError, UsageError } from '../errors.js'
import { type LogitProcessor, largest, minP, temperature, topK, topP } from './processors.js'

/** Chooses one next token per row from its logits. */
export interface TokenStrategy {
  readonly kind: 'greedy' | 'sample'

  /**
   * The next token.
   *
   * @param logits [vocabularySize]; overwritten
   * @param uniform gives independent numbers, uniform in [0, 1)
   * @throws RuntimeError where no logit is a finite number
   */
  choose(logits: Float32Array, uniform: () => number): number
}

/** Keeps the most likely whole sequences instead of choosing token by token. See {@link beamSearch}. */
export interface BeamStrategy extends Readonly<Required<BeamSearchOptions>> {
  readonly kind: 'beam'
}

/** How next tokens are chosen. */
export type Strategy = TokenStrategy | BeamStrategy

/** The distribution that {@link sample} draws from; applied in the order of these options. */
export interface SamplingOptions {
  /** Divides the logits, > 0; 1 where absent. */
  readonly temperature?: number
  /** Keeps the k most likely tokens; all where absent or 0. */
  readonly topK?: number
  /** Keeps the smallest set of tokens of this probability, in [0, 1]; all where absent. */
  readonly topP?: number
  /** Keeps tokens of at least this fraction of the largest probability, in [0, 1]; all where absent. */
  readonly minP?: number
}

/** See {@link beamSearch}. */
export interface BeamSearchOptions {
  /** Number of sequences that are continued side by side. */
  readonly beams: number
  /** Exponent α of the length that scores are divided by: above 0 favours long sequences, below 0 short ones; 1 where absent. */
  readonly lengthPenalty?: number
  /**
   * What of the length has that exponent: `plain` (where absent) divides by length^α, as Hugging Face does; `gnmt` by
   * ((5 + length)/6)^α (Wu et al. 2016, §7), as the Transformer's paper does with α = 0.6 (Vaswani et al. 2017, §6.1).
   */
  readonly lengthNormalization?: 'plain' | 'gnmt'
  /** How many of the best sequences to return, at most `beams`; 1 where absent. */
  readonly returnSequences?: number
  /**
   * When to stop once `beams` sequences are finished: true at once; false (where absent) when a running one, scored at
   * its present length, cannot beat the worst of them; 'never' when it could not even at the best length.
   */
  readonly earlyStopping?: boolean | 'never'
  /**
   * Into how many groups the beams are divided, each of which searches by itself but for the penalty; divides `beams`; 1
   * where absent. The best sequences of all groups are returned.
   */
  readonly beamGroups?: number
  /** What each use of a token in a step's earlier groups takes from its log probability in later ones, ≥ 0; 0 where absent. */
  readonly diversityPenalty?: number
}

/** Always the most likely token, the first of equals. */
export function greedy(): TokenStrategy {
  return {
    kind: 'greedy',
    choose(logits) {
      const best = requireFinite(largest(logits))
      return logits.indexOf(best)
    },
  }
}

/**
 * Draws from softmax(logits / temperature), limited by top-k, top-p and min-p in this order (that of Hugging Face).
 *
 * @throws UsageError for an option out of range
 */
export function sample(options: SamplingOptions = {}): TokenStrategy {
  const processors: LogitProcessor[] = []
  if (options.temperature !== undefined && options.temperature !== 1) processors.push(temperature(options.temperature))
  if (options.topK) processors.push(topK(options.topK))
  if (options.topP !== undefined) processors.push(topP(options.topP))
  if (options.minP !== undefined) processors.push(minP(options.minP))
  return {
    kind: 'sample',
    choose(logits, uniform) {
      for (const process of processors) process(logits, [])
      return draw(logits, uniform())
    },
  }
}

/** Nucleus sampling (Holtzman et al. 2020, §3.1): {@link sample} with top-p. */
export function nucleus(p: number, options: Omit<SamplingOptions, 'topP'> = {}): TokenStrategy {
  return sample({ ...options, topP: p })
}

/**
 * Beam search (Graves 2012, §2.5; Sutskever et al. 2014, §3.2) with scores Σ log p / length^lengthPenalty, where length
 * counts generated tokens with the end-of-sequence token; equal to `generate(num_beams=…)` of transformers 5. With groups
 * it is diverse beam search under Hamming diversity (Vijayakumar et al. 2018, §4, algorithm 1).
 *
 * @throws UsageError for an option out of range
 */
export function beamSearch(options: BeamSearchOptions): BeamStrategy {
  const strategy = {
    kind: 'beam' as const,
    beams: options.beams,
    lengthPenalty: options.lengthPenalty ?? 1,
    lengthNormalization: options.lengthNormalization ?? 'plain',
    returnSequences: options.returnSequences ?? 1,
    earlyStopping: options.earlyStopping ?? false,
    beamGroups: options.beamGroups ?? 1,
    diversityPenalty: options.diversityPenalty ?? 0,
  }
  checkBeams(strategy)
  return strategy
}

function checkBeams({ beams, lengthPenalty, returnSequences, beamGroups, diversityPenalty }: BeamStrategy): void {
  const isCount = (value: number) => Number.isInteger(value) && value >= 1
  if (!isCount(beams)) throw new UsageError(`beamSearch: expected beams to be a whole number ≥ 1, got ${beams}`)
  if (!isCount(returnSequences) || returnSequences > beams) {
    throw new UsageError(`beamSearch: expected returnSequences from 1 to ${beams} (beams), got ${returnSequences}`)
  }
  if (!Number.isFinite(lengthPenalty)) {
    throw new UsageError(`beamSearch: expected lengthPenalty to be a number, got ${lengthPenalty}`)
  }
  if (!isCount(beamGroups) || beams % beamGroups !== 0) {
    throw new UsageError(`beamSearch: expected beamGroups to divide ${beams} (beams), got ${beamGroups}`)
  }
  if (!(diversityPenalty >= 0 && diversityPenalty < Infinity)) {
    throw new UsageError(`beamSearch: expected diversityPenalty to be a number ≥ 0, got ${diversityPenalty}`)
  }
}

/** Inverts the distribution function of softmax(logits) at `position` in [0, 1). */
function draw(logits: Float32Array, position: number): number {
  const top = requireFinite(largest(logits))
  let total = 0
  for (let i = 0; i < logits.length; i++) {
    logits[i] = Math.exp(logits[i] - top)
    total += logits[i]
  }
  const target = position * requireFinite(total)
  let sum = 0
  let chosen = -1
  for (let i = 0; i < logits.length && sum <= target; i++) {
    if (logits[i] === 0) continue
    sum += logits[i]
    chosen = i
  }
  return chosen
}

function requireFinite(value: number): number {
  if (Number.isFinite(value)) return value
  throw new RuntimeError(
    `Choosing a token: expected finite logits, got ${value}; the model's weights or the logit processors leave no token`,
  )
}

/** The token that was chosen. @throws RuntimeError where there was none to choose */
export function requireToken(token: number | undefined): number {
  return token ?? requireFinite(Number.NaN)
}
