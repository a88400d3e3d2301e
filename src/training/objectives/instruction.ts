import { DataError } from '../../errors.js'
import { input, type Tensor } from '../../graph/index.js'
import { crossEntropy, equal } from '../../graph/operations/index.js'
import type { CausalInput } from '../../models/index.js'
import { Mask } from '../../nn/index.js'
import { permutation } from '../../runtime/random.js'
import type { Batch, Objective } from './objective.js'

/** Token ids of which some are to be learnt: an answer, not the question before it. */
export interface AnsweredSequence {
  readonly ids: ArrayLike<number>
  /** For each id whether it is part of an answer. */
  readonly isAnswer: ArrayLike<number | boolean>
}

/** What {@link InstructionTuning} learns from. */
export interface InstructionOptions {
  readonly model: { forward(ids: Tensor, input: CausalInput): Tensor }
  readonly train: readonly AnsweredSequence[]
  readonly validation: readonly AnsweredSequence[]
  /** T, tokens of a window, which several examples share. */
  readonly contextLength: number
  /** B, windows of a batch. */
  readonly batchSize: number
  readonly seed: number
}

/** What the loss skips: questions and the unused end of a window. */
const ignored = -100

/**
 * Instruction tuning: each token of an answer is predicted from the question and the answer so far; the loss is on answers
 * only (Ouyang et al. 2022, §3.1). Examples are packed into windows, where each sees only itself: positions start anew and
 * a mask separates them, so that packing changes nothing but the time.
 */
export class InstructionTuning implements Objective {
  readonly #options: InstructionOptions
  readonly #train: readonly Window[]
  readonly #validation: readonly Window[]
  #epoch = -1
  #order: Uint32Array = new Uint32Array(0)

  /** @throws DataError where no example has an answer that fits the context */
  constructor(options: InstructionOptions) {
    this.#options = options
    this.#train = pack(options.train, options)
    this.#validation = pack(options.validation, options)
    if (this.#train.length === 0) {
      throw new DataError(
        `instruction: none of ${options.train.length} examples has an answer to learn; check the data's fields`,
      )
    }
  }

  get batchesPerEpoch(): number {
    return Math.max(1, Math.floor(this.#train.length / this.#options.batchSize))
  }

  loss(shape: Batch['shape']) {
    const ids = input('ids', 'int64', shape)
    const targets = input('targets', 'int64', shape)
    const positions = input('positions', 'int64', shape)
    const examples = input('examples', 'int64', shape)
    const sameExample = equal(examples.unsqueeze(2), examples.unsqueeze(1)) // [B, T, T]
    const mask = Mask.where(sameExample.unsqueeze(1)).and(Mask.causal(shape[1])) // [B, 1, T, T]
    const logits = this.#options.model.forward(ids, { positions, mask }) // [B, T, V]
    return { inputs: { ids, targets, positions, examples }, loss: crossEntropy(logits, targets) }
  }

  trainingBatch(index: number): Batch {
    const { batchSize, seed } = this.#options
    const windows = Array.from({ length: batchSize }, (_, row) => {
      const visit = index * batchSize + row
      const epoch = Math.floor(visit / this.#train.length)
      if (epoch !== this.#epoch) {
        this.#order = permutation(this.#train.length, seed, 'data.windows.order', epoch)
        this.#epoch = epoch
      }
      return this.#train[this.#order[visit % this.#train.length]]
    })
    return windowBatch(windows, this.#options.contextLength)
  }

  *evaluationBatches(): Generator<Batch> {
    const { batchSize, contextLength } = this.#options
    for (let i = 0; i < this.#validation.length; i += batchSize) {
      yield windowBatch(this.#validation.slice(i, i + batchSize), contextLength)
    }
  }
}

/** Examples that share one row of a batch, each at most as long as the row. */
type Window = AnsweredSequence[]

/** Packs examples in a shuffled order, each into the present window where it fits, else into a new one. */
function pack(examples: readonly AnsweredSequence[], { contextLength, seed }: InstructionOptions): Window[] {
  const windows: Window[] = []
  let room = 0
  for (const index of permutation(examples.length, seed, 'data.packing', 0)) {
    const example = fit(examples[index], contextLength + 1)
    if (!Array.from(example.isAnswer).slice(1).some(Boolean)) continue
    // The last token is only predicted, not read.
    const length = example.ids.length - 1
    if (length > room) {
      windows.push([])
      room = contextLength
    }
    windows[windows.length - 1].push(example)
    room -= length
  }
  return windows
}

/** Cuts an example that is too long: the beginning of the question goes first, since the answer follows its end. */
function fit({ ids, isAnswer }: AnsweredSequence, longest: number): AnsweredSequence {
  const excess = ids.length - longest
  if (excess <= 0) return { ids, isAnswer }
  const question = Array.from(isAnswer).findIndex(Boolean)
  // One token of the question stays, from which the answer's first is predicted.
  const start = Math.min(excess, Math.max(0, question - 1))
  return {
    ids: Array.from(ids).slice(start, start + longest),
    isAnswer: Array.from(isAnswer).slice(start, start + longest),
  }
}

function windowBatch(windows: readonly Window[], contextLength: number): Batch {
  const size = windows.length * contextLength
  const ids = new BigInt64Array(size)
  const targets = new BigInt64Array(size).fill(BigInt(ignored))
  const positions = new BigInt64Array(size)
  const examples = new BigInt64Array(size).fill(-1n)
  let predictions = 0
  for (const [row, window] of windows.entries()) {
    let at = row * contextLength
    for (const [number, example] of window.entries()) {
      for (let i = 0; i + 1 < example.ids.length; i++, at++) {
        ids[at] = BigInt(example.ids[i])
        positions[at] = BigInt(i)
        examples[at] = BigInt(number)
        if (!example.isAnswer[i + 1]) continue
        targets[at] = BigInt(example.ids[i + 1])
        predictions++
      }
    }
  }
  const feeds = { ids, targets, positions, examples }
  return { shape: [windows.length, contextLength], feeds, examples: windows.length, predictions }
}
