import { ConfigError } from '../errors.js'

/** The names of the learning-rate schedules. */
export const scheduleNames = ['constant', 'linear', 'cosine', 'inverse-square-root', 'noam'] as const

/** How the learning rate changes during training. */
export type ScheduleName = (typeof scheduleNames)[number]

/** What {@link schedule} needs to know. */
export interface ScheduleOptions {
  schedule: ScheduleName
  /** The highest learning rate, reached at the end of the warm-up. */
  learningRate: number
  /** Optimizer steps of the whole training; all but `linear` and `cosine` need it only for a warm-up fraction. */
  totalSteps?: number
  /** Steps of rising learning rate, or a fraction of `totalSteps` when below 1; 0 by default. */
  warmup?: number
  /** Where `linear` and `cosine` end and stay; 0 by default. */
  minimumLearningRate?: number
}

/**
 * The learning rate as a function of the optimizer step. With lr the learning rate, min the minimum, s the step from 0,
 * w the steps of warm-up, t the total and r = (s − w) / (t − w):
 *
 * - warm-up (s < w) of the first three: lr · (s + 1) / (w + 1)
 * - `constant`: lr
 * - `linear`: lr + r · (min − lr)
 * - `cosine`: min + ½ · (1 + cos πr) · (lr − min) (Loshchilov & Hutter 2017, §3, one cycle; as nanoGPT has it)
 * - `inverse-square-root`, also called `noam`: lr · min(n / w, √(w / n)) with n = s + 1, which is proportional to
 *   min(n^−½, n · w^−1.5) (Vaswani et al. 2017, §5.3); lr is its peak, in the paper (C · w)^−½ for width C; without
 *   warm-up w = 1
 *
 * From step t on `linear` and `cosine` stay at min.
 *
 * @returns a pure function of the step, which counts from 0
 * @throws ConfigError for values out of range, or a total that is missing where it is needed
 */
export function schedule(options: ScheduleOptions): (step: number) => number {
  const { learningRate, minimumLearningRate: minimum = 0, warmup = 0 } = options
  const decays = options.schedule === 'linear' || options.schedule === 'cosine'
  const total = options.totalSteps ?? Number.POSITIVE_INFINITY
  checkRange('learningRate', learningRate, Number.POSITIVE_INFINITY)
  checkRange('minimumLearningRate', minimum, learningRate)
  checkRange('warmup', warmup, Number.POSITIVE_INFINITY)
  if ((decays || (warmup > 0 && warmup < 1)) && !(total >= 1 && total < Number.POSITIVE_INFINITY)) {
    const why = decays ? `the ${options.schedule} schedule` : 'a warm-up that is a fraction'
    throw new ConfigError(`schedule: ${why} needs totalSteps of 1 or more, got ${options.totalSteps}`)
  }
  const warmupSteps = warmup > 0 && warmup < 1 ? Math.round(warmup * total) : warmup
  if (options.schedule === 'inverse-square-root' || options.schedule === 'noam') {
    const peak = Math.max(1, warmupSteps)
    return (step) => learningRate * Math.min((step + 1) / peak, Math.sqrt(peak / (step + 1)))
  }
  return (step) => {
    if (step < warmupSteps) return (learningRate * (step + 1)) / (warmupSteps + 1)
    if (!decays) return learningRate
    if (step >= total) return minimum
    const ratio = (step - warmupSteps) / (total - warmupSteps)
    const share = options.schedule === 'cosine' ? 0.5 * (1 + Math.cos(Math.PI * ratio)) : 1 - ratio
    return minimum + share * (learningRate - minimum)
  }
}

function checkRange(name: string, value: number, maximum: number): void {
  if (!(value >= 0 && value <= maximum && value < Number.POSITIVE_INFINITY)) {
    const limit = Number.isFinite(maximum) ? ` and at most the learning rate ${maximum}` : ''
    throw new ConfigError(`schedule: expected ${name} to be a number of 0 or more${limit}, got ${value}`)
  }
}
