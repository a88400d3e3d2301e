import { LengthBatches, sortedBatches } from '../../data/length-batches.js'
import { sortedTokenBatches, TokenBatches } from '../../data/token-batches.js'
import type { Shape } from '../../graph/index.js'
import type { Feed } from '../../runtime/index.js'
import type { Batch, LossGraph, Objective, Scorer } from './objective.js'

/** Which batch is put together: what is drawn for it depends on nothing else. */
export interface BatchPlace {
  readonly split: 'train' | 'validation'
  /** The batch's number, from 0. */
  readonly index: number
}

/** What is learnt from single examples, whatever they are. */
export interface ExampleTask<Example> {
  /** Tokens of an example, at least one. */
  length(example: Example): number
  /** Builds the loss of batches of all sizes: one program serves them all. */
  graph(): LossGraph
  /** The arrays of a batch for the graph's inputs. */
  feeds(examples: readonly Example[], place: BatchPlace): Record<string, Feed>
  /** How many predictions the loss of a batch is the mean of (default: as many as examples). */
  predictions?(examples: readonly Example[], feeds: Readonly<Record<string, Feed>>): number
  /** Begins to measure the validation examples, from the graph's `outputs`. */
  scorer?(validation: readonly Example[]): Scorer
}

/** The examples that {@link ExampleObjective} learns from. */
export interface ExampleOptions<Example> {
  readonly train: readonly Example[]
  readonly validation: readonly Example[]
  /** B, examples of a batch. */
  readonly batchSize: number
  /** Tokens of a batch, about; then the number of examples varies and `batchSize` counts for nothing. */
  readonly batchTokens?: number | undefined
  readonly seed: number
  /** What is measured at an evaluation beside the loss, and by no graph of it. */
  readonly measure?: Required<Pick<Objective, 'measure' | 'dispose'>> | undefined
}

/** The name of the one program that serves batches of all sizes. */
const shape: Shape = ['batch', 'sequence']

/** Learning from examples of their own, in shuffled batches of similar length. */
export class ExampleObjective<Example> implements Objective {
  readonly #task: ExampleTask<Example>
  readonly #options: ExampleOptions<Example>
  readonly #batches: LengthBatches | TokenBatches
  readonly scorer: (() => Scorer) | undefined
  readonly measure: Objective['measure']

  /** @throws DataError where there are no training examples */
  constructor(task: ExampleTask<Example>, options: ExampleOptions<Example>) {
    this.#task = task
    this.#options = options
    const lengths = options.train.map((example) => task.length(example))
    const { batchSize, batchTokens } = options
    this.#batches =
      batchTokens === undefined
        ? new LengthBatches(lengths, batchSize, options)
        : new TokenBatches(lengths, batchTokens, options)
    const { scorer } = task
    this.scorer = scorer && (() => scorer.call(task, options.validation))
    const { measure } = options
    this.measure = measure && (() => measure.measure())
  }

  get batchesPerEpoch(): number {
    return this.#batches.batchesPerEpoch
  }

  loss(): LossGraph {
    return this.#task.graph()
  }

  trainingBatch(index: number): Batch {
    const examples = this.#batches.batch(index).map((row) => this.#options.train[row])
    return this.#batch(examples, { split: 'train', index })
  }

  *evaluationBatches(): Generator<Batch> {
    const { validation, batchSize, batchTokens } = this.#options
    const lengths = validation.map((example) => this.#task.length(example))
    const batches =
      batchTokens === undefined ? sortedBatches(lengths, batchSize) : sortedTokenBatches(lengths, batchTokens)
    let index = 0
    for (const rows of batches) {
      const examples = rows.map((row) => validation[row])
      yield { ...this.#batch(examples, { split: 'validation', index: index++ }), rows }
    }
  }

  async dispose(): Promise<void> {
    await this.#options.measure?.dispose()
  }

  #batch(examples: readonly Example[], place: BatchPlace): Batch {
    const feeds = this.#task.feeds(examples, place)
    const predictions = this.#task.predictions?.(examples, feeds) ?? examples.length
    return { shape, feeds, examples: examples.length, predictions }
  }
}
