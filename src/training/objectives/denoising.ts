import type { SentenceWindows } from '../../data/sentence-windows.js'
import { DataError } from '../../errors.js'
import type { SequenceToSequenceModel } from '../../models/index.js'
import { permutation, RandomStream } from '../../runtime/random.js'
import { endedIds } from '../../tokenizers/ended.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { Corruption } from './corruption.js'
import type { Batch, LossGraph, Objective, Scorer } from './objective.js'
import {
  pairBatch,
  type SequenceToSequenceOptions,
  sequenceToSequenceLoss,
  TokenScorer,
  withoutStart,
} from './sequence-to-sequence.js'

/** What {@link Denoising} learns from. */
export interface DenoisingOptions extends SequenceToSequenceOptions {
  readonly model: SequenceToSequenceModel
  readonly tokenizer: Tokenizer
  readonly train: SentenceWindows
  readonly validation: SentenceWindows
  readonly corruption: Corruption
  /** B, texts of a batch. */
  readonly batchSize: number
  readonly seed: number
}

/**
 * Denoising: an encoder–decoder learns to restore damaged texts (Lewis et al. 2020, §2; Raffel et al. 2020, §3.1.4).
 *
 * How a text is damaged is drawn anew in every epoch, by the seed and the text's number since the start; what is validated
 * on stays the same.
 */
export class Denoising implements Objective {
  readonly #options: DenoisingOptions
  #epoch = -1
  #order: Uint32Array = new Uint32Array(0)

  /** @throws DataError where there is nothing to learn from */
  constructor(options: DenoisingOptions) {
    this.#options = options
    if (options.train.count === 0) throw new DataError('denoising: the data to train on has no text')
  }

  get batchesPerEpoch(): number {
    return this.#options.train.count / this.#options.batchSize
  }

  loss(): LossGraph {
    return sequenceToSequenceLoss(this.#options.model, this.#options)
  }

  trainingBatch(index: number): Batch {
    const { train, batchSize, seed } = this.#options
    const visits = Array.from({ length: batchSize }, (_, row) => index * batchSize + row)
    return this.#batch(
      visits.map((visit) => this.#pair(train, this.#visited(visit), new RandomStream(seed, 'noise', visit))),
    )
  }

  *evaluationBatches(): Generator<Batch> {
    const { validation, batchSize, seed } = this.#options
    for (let first = 0; first < validation.count; first += batchSize) {
      const count = Math.min(batchSize, validation.count - first)
      const rows = Array.from({ length: count }, (_, row) => first + row)
      yield this.#batch(rows.map((row) => this.#pair(validation, row, new RandomStream(seed, 'noise.validation', row))))
    }
  }

  scorer(): Scorer {
    return new TokenScorer()
  }

  /** The window that is visited as number `visit` since the start of the training. */
  #visited(visit: number): number {
    const { train, seed } = this.#options
    const epoch = Math.floor(visit / train.count)
    if (epoch !== this.#epoch) {
      this.#order = permutation(train.count, seed, 'data.sequences.order', epoch)
      this.#epoch = epoch
    }
    return this.#order[visit % train.count]
  }

  #pair(windows: SentenceWindows, index: number, random: RandomStream) {
    const { model, tokenizer, corruption } = this.#options
    const ids = Array.from(windows.sequence(index).first.ids)
    const { source, target } = corruption.corrupt({ ids, sentenceStarts: windows.sentenceStarts(index) }, random)
    const written = endedIds(tokenizer, target)
    return { source: endedIds(tokenizer, source), target: withoutStart(written, model.config.decoderStartTokenId) }
  }

  #batch(pairs: Parameters<typeof pairBatch>[0]): Batch {
    return pairBatch(pairs, this.#options.model.config.decoderStartTokenId)
  }
}
