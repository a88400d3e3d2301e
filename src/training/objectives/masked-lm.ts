import type { TextSequence, TextSequences, TokenRun } from '../../data/sentence-windows.js'
import { DataError } from '../../errors.js'
import { input, type Tensor } from '../../graph/index.js'
import { argMax, crossEntropyPerPosition } from '../../graph/operations/index.js'
import { perplexity } from '../../metrics/perplexity.js'
import {
  BertForPreTraining,
  type EncoderInput,
  encoderFeeds,
  encoderInputs,
  type MaskedLanguageModel,
  type TokenSequence,
} from '../../models/index.js'
import { type Feed, float32, type TensorValue } from '../../runtime/index.js'
import { permutation, RandomStream } from '../../runtime/random.js'
import type { Encoding, Tokenizer } from '../../tokenizers/tokenizer.js'
import { type MaskedSequence, Masker, type MaskingRules } from './masking.js'
import type { Batch, LossGraph, Objective, Scorer } from './objective.js'

/** A model that guesses hidden tokens, and perhaps whether two texts follow each other. */
export type MaskedModel = MaskedLanguageModel | BertForPreTraining

/** What {@link MaskedLanguageModelling} learns from. */
export interface MaskedOptions {
  readonly model: MaskedModel
  readonly tokenizer: Tokenizer
  readonly train: TextSequences
  readonly validation: TextSequences
  readonly masking: MaskingRules
  /** B, sequences of a batch. */
  readonly batchSize: number
  readonly seed: number
}

/**
 * Masked language modelling: hidden tokens are guessed from what is on both sides of them; and where the sequences are
 * pairs, whether the second text follows the first (Devlin et al. 2018, §3.1). The loss is the mean −log P of the hidden
 * tokens plus that of the answers about pairs.
 *
 * What is hidden is drawn anew in every epoch (Liu et al. 2019, "RoBERTa", §4.1) by the seed and a sequence's number
 * since the start; what is validated on stays the same.
 */
export class MaskedLanguageModelling implements Objective {
  readonly #options: MaskedOptions
  readonly #masker: Masker
  #epoch = -1
  #order: Uint32Array = new Uint32Array(0)

  /** @throws DataError where there is nothing to learn from; ConfigError where the tokenizer has no mask token */
  constructor(options: MaskedOptions) {
    this.#options = options
    this.#masker = new Masker(options.tokenizer, options.masking)
    if (options.train.count > 0) return
    throw new DataError(
      'masked-lm: the data to train on has no sequence; pairs need documents of two sentences or more, in text files parted by blank lines',
    )
  }

  get batchesPerEpoch(): number {
    return this.#options.train.count / this.#options.batchSize
  }

  loss(): LossGraph {
    return maskedLoss(this.#options.model, this.#hasPairs)
  }

  trainingBatch(index: number): Batch {
    const { batchSize, seed } = this.#options
    const examples = Array.from({ length: batchSize }, (_, row) => {
      const visit = index * batchSize + row
      return this.#example(this.#visited(visit), new RandomStream(seed, 'masking', visit))
    })
    return maskedBatch(examples)
  }

  *evaluationBatches(): Generator<Batch> {
    const { validation, batchSize, seed } = this.#options
    for (let first = 0; first < validation.count; first += batchSize) {
      const length = Math.min(batchSize, validation.count - first)
      const examples = Array.from({ length }, (_, row) => {
        const random = new RandomStream(seed, 'masking.validation', first + row)
        return this.#example(validation.sequence(first + row, 0), random)
      })
      yield maskedBatch(examples)
    }
  }

  scorer(): Scorer {
    return new MaskedScorer()
  }

  get #hasPairs(): boolean {
    return this.#options.train.sequence(0, 0).second !== undefined
  }

  /** The sequence that is visited as number `visit` since the start of the training. */
  #visited(visit: number): TextSequence {
    const { train, seed } = this.#options
    const epoch = Math.floor(visit / train.count)
    if (epoch !== this.#epoch) {
      this.#order = permutation(train.count, seed, 'data.sequences.order', epoch)
      this.#epoch = epoch
    }
    return train.sequence(this.#order[visit % train.count], epoch)
  }

  #example({ first, second, follows }: TextSequence, random: RandomStream): MaskedExample {
    const { template } = this.#options.tokenizer
    const { ids, segments, words } = template.join(asEncoding(first), second && asEncoding(second))
    const goesOn = this.#options.masking.wholeWords ? words : undefined
    return { ...this.#masker.hide({ ids, goesOn }, random), segments, follows }
  }
}

/** The tokens of a run for a template, which carries `goesOn` along as the numbers of words. */
function asEncoding({ ids, goesOn = [] }: TokenRun): Encoding {
  return { ids: Array.from(ids), tokens: [], offsets: [], words: Array.from(goesOn) }
}

/** A sequence with hidden tokens, and whether its second text follows the first, where it has one. */
export interface MaskedExample extends MaskedSequence, TokenSequence {
  readonly ids: number[]
  readonly follows?: boolean | undefined
}

/**
 * The arrays of a batch for {@link maskedLoss}: those of the sequences, `rows` int64 [M] of the hidden tokens among the N,
 * `targets` int64 [M], and for pairs `next` int64 [B], 0 where the second text follows and 1 where it does not.
 *
 * @throws DataError where no token is hidden
 */
export function maskedBatch(examples: readonly MaskedExample[]): Batch {
  const rows: number[] = []
  let start = 0
  for (const { ids, places } of examples) {
    for (const place of places) rows.push(start + place)
    start += ids.length
  }
  if (rows.length === 0) {
    throw new DataError(
      `masked-lm: none of ${start} tokens can be hidden, all are special; does the tokenizer fit the text?`,
    )
  }
  const targets = examples.flatMap((example) => example.targets)
  const next = examples.flatMap(({ follows }) => (follows === undefined ? [] : [follows ? 0 : 1]))
  const feeds = { ...encoderFeeds(examples), rows: int64(rows), targets: int64(targets) }
  return {
    shape: ['batch', 'sequence'],
    feeds: next.length === 0 ? feeds : { ...feeds, next: int64(next) },
    examples: examples.length,
    predictions: rows.length,
  }
}

function int64(values: readonly number[]): Feed {
  return { data: BigInt64Array.from(values, BigInt), shape: [values.length] }
}

/**
 * The loss of batches of all sizes: one program serves them. Only hidden tokens are compared with the vocabulary.
 *
 * @param hasPairs whether to learn which texts follow each other too
 */
export function maskedLoss(model: MaskedModel, hasPairs: boolean): LossGraph {
  const { inputs, input: tokens } = encoderInputs()
  const rows = input('rows', 'int64', ['masked'])
  const targets = input('targets', 'int64', ['masked'])
  if (!hasPairs || !(model instanceof BertForPreTraining)) {
    const { loss, right } = guesses(maskedLogits(model, tokens, rows), targets)
    return { inputs: { ...inputs, rows, targets }, loss, outputs: { maskedLoss: loss, maskedRight: right } }
  }
  const next = input('next', 'int64', ['batch'])
  const logits = model.forward(tokens, rows)
  const masked = guesses(logits.tokens, targets)
  const pairs = guesses(logits.next, next)
  return {
    inputs: { ...inputs, rows, targets, next },
    loss: masked.loss.add(pairs.loss),
    outputs: { maskedLoss: masked.loss, maskedRight: masked.right, nextLoss: pairs.loss, nextRight: pairs.right },
  }
}

/** One logit per token of the vocabulary for some of the tokens of an input: rows int64 [M] → [M, V]. */
export function maskedLogits(model: MaskedModel, input: EncoderInput, rows: Tensor): Tensor {
  const output = model.forward(input, rows)
  return 'tokens' in output ? output.tokens : output
}

/** The mean of −log P(target), and the share of targets with the highest logit. logits [M, V], targets int64 [M]. */
function guesses(logits: Tensor, targets: Tensor): { loss: Tensor; right: Tensor } {
  const right = argMax(logits, { axis: -1 }).equal(targets).cast('float32').mean()
  return { loss: crossEntropyPerPosition(logits, targets).mean(), right }
}

/** What is measured of hidden tokens and of pairs. */
class MaskedScorer implements Scorer {
  readonly #tokens = { count: 0, loss: 0, right: 0 }
  readonly #pairs = { count: 0, loss: 0, right: 0 }
  /** How often each token is a target. */
  readonly #targets = new Map<number, number>()

  add({ predictions, examples, feeds }: Batch, outputs: Readonly<Record<string, TensorValue>>): void {
    const take = (sums: { count: number; loss: number; right: number }, count: number, name: 'masked' | 'next') => {
      sums.count += count
      sums.loss += count * float32(outputs[`${name}Loss`])[0]
      sums.right += count * float32(outputs[`${name}Right`])[0]
    }
    take(this.#tokens, predictions, 'masked')
    if ('nextLoss' in outputs) take(this.#pairs, examples, 'next')
    const { targets } = feeds
    for (const target of 'shape' in targets ? targets.data : targets) {
      this.#targets.set(Number(target), (this.#targets.get(Number(target)) ?? 0) + 1)
    }
  }

  /**
   * Of tokens `maskedLoss`, `maskedAccuracy` and `perplexity`; of pairs `nextSentenceLoss` and `nextSentenceAccuracy`; and
   * to compare with, `unigramLoss` and `unigramAccuracy`: the best that guesses without context could do, by how often
   * each token is hidden in this very data.
   */
  metrics(): Record<string, number> {
    const [tokens, pairs] = [this.#tokens, this.#pairs]
    const maskedLoss = tokens.loss / tokens.count
    const counts = [...this.#targets.values()]
    return {
      maskedLoss,
      maskedAccuracy: tokens.right / tokens.count,
      perplexity: perplexity(maskedLoss),
      ...(pairs.count > 0 && {
        nextSentenceLoss: pairs.loss / pairs.count,
        nextSentenceAccuracy: pairs.right / pairs.count,
      }),
      unigramLoss: -counts.reduce((sum, count) => sum + (count / tokens.count) * Math.log(count / tokens.count), 0),
      unigramAccuracy: counts.reduce((a, b) => Math.max(a, b), 0) / tokens.count,
    }
  }
}
