import { gradients } from '../autodiff/index.js'
import { TrainingError } from '../errors.js'
import { isStatic, type Parameter } from '../graph/index.js'
import { forTraining } from '../nn/index.js'
import { estimateMemory } from '../runtime/memory-estimate.js'
import { bindFeeds } from '../runtime/values.js'
import type { Batch, Objective } from './objectives/objective.js'

/** What {@link checkMemory} judges. */
export interface MemoryCheckOptions {
  readonly parameters: Readonly<Record<string, Parameter>>
  readonly objective: Pick<Objective, 'loss' | 'trainingBatch'> & { readonly batchesPerEpoch: number }
  readonly batchSize: number
  /** Tokens of a batch, where these are what is given. */
  readonly batchTokens?: number | undefined
  /** Bytes that the process can still get. */
  readonly available: number
}

/** Batches that are looked at: among as many of ragged examples is one about as long as any. */
const sampledBatches = 32

/** A weight, its gradient and AdamW's two moments, float32. */
const bytesPerParameter = 16

/**
 * Foresees whether a training fits into memory, before anything of it is allocated.
 *
 * @returns bytes that the training will take, about
 * @throws TrainingError where it does not fit, with a batch size that would
 */
export function checkMemory(options: MemoryCheckOptions): number {
  const { parameters, objective, batchSize, batchTokens, available } = options
  const count = Object.values(parameters).reduce((sum, { size }) => sum + size, 0)
  const fixed = count * bytesPerParameter
  const activations = activationBytes(objective, parameters)
  const needed = fixed + activations
  if (needed <= available) return needed
  const free = available - fixed
  const size = batchTokens ?? batchSize
  const fitting = Math.floor((size * free) / activations)
  const key = batchTokens === undefined ? 'train.batchSize' : 'train.batchTokens'
  const advice =
    fitting >= 1
      ? `${key}=${fitting} fits (with train.accumulate=${Math.ceil(size / fitting)} the updates stay as large)`
      : 'not even one example at a time fits: choose a smaller model or a shorter model.contextLength'
  throw new TrainingError(
    `training needs about ${gigabytes(needed)} of memory (${gigabytes(fixed)} for ${count} parameters, their gradients and moments, ${gigabytes(activations)} for batches of ${size}), ${gigabytes(available)} are free; ${advice}`,
  )
}

function activationBytes(objective: MemoryCheckOptions['objective'], parameters: MemoryCheckOptions['parameters']) {
  const largest = largestBatch(objective)
  const { inputs, loss } = forTraining(() => objective.loss(largest.shape))
  const { dimensions } = bindFeeds(new Map(Object.entries(inputs)), largest.feeds)
  return estimateMemory({ loss, ...gradients(loss, parameters) }, dimensions)
}

function largestBatch(objective: MemoryCheckOptions['objective']): Batch {
  let largest = objective.trainingBatch(0)
  if (isStatic(largest.shape)) return largest
  for (let i = 1; i < Math.min(sampledBatches, objective.batchesPerEpoch); i++) {
    const batch = objective.trainingBatch(i)
    if (elements(batch) > elements(largest)) largest = batch
  }
  return largest
}

function elements({ feeds }: Batch): number {
  return Object.values(feeds).reduce((sum, feed) => sum + ('data' in feed ? feed.data : feed).length, 0)
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}
