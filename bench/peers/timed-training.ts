import { createInterface } from 'node:readline'
import type { Parameter } from 'heddle/graph'
import { type Objective, Trainer, type TrainerOptions } from 'heddle/training'
import { env } from 'onnxruntime-node'

/** A step in seconds, with its parts: what is left of it besides the batch and the update is the engine's run. */
type TimedStep = Readonly<Record<'seconds' | Phase | 'loss', number>>

/** A part of a step; `processor` is the processor time of all of it. */
type Phase = 'batch' | 'gradients' | 'optimizer' | 'processor'

/** A model, its optimizer and the step that is timed. */
export class TimedTraining {
  /** How many numbers are trained. */
  readonly parameters: number
  readonly #trainer: Trainer
  readonly #learningRate: number
  readonly #seconds = { batch: 0, optimizer: 0 }

  constructor(
    parameters: Readonly<Record<string, Parameter>>,
    objective: Pick<Objective, 'loss' | 'trainingBatch'>,
    { learningRate, ...options }: TrainerOptions & { readonly learningRate: number },
  ) {
    this.parameters = Object.values(parameters).reduce((sum, { size }) => sum + size, 0)
    this.#learningRate = learningRate
    this.#trainer = new Trainer(
      parameters,
      {
        loss: (shape) => objective.loss(shape),
        trainingBatch: (index) => this.#timed('batch', () => objective.trainingBatch(index)),
        evaluationBatches: () => [],
      },
      options,
    )
    const { optimizer } = this.#trainer
    const update = optimizer.step.bind(optimizer)
    optimizer.step = (rate) => this.#timed('optimizer', () => update(rate))
  }

  /** Makes a full step: forward, backward, clip, update. */
  async step(): Promise<TimedStep> {
    const start = performance.now()
    const busy = processorSeconds()
    const { loss } = await this.#trainer.step(this.#learningRate)
    const seconds = (performance.now() - start) / 1000
    const processor = processorSeconds() - busy
    const { batch, optimizer } = this.#seconds
    return { seconds, batch, gradients: seconds - batch - optimizer, optimizer, processor, loss }
  }

  #timed<T>(phase: 'batch' | 'optimizer', work: () => T): T {
    const start = performance.now()
    const result = work()
    this.#seconds[phase] = (performance.now() - start) / 1000
    return result
  }
}

/**
 * Makes some steps, says that it is warm, and makes as many as each line of the input asks for.
 *
 * @param options.phases the parts of a step that are told
 * @param options.tellsLosses whether the losses of the first steps are told (default true)
 */
export async function serve(
  training: TimedTraining,
  options: { warmupSteps: number; phases: readonly Phase[]; tellsLosses?: boolean },
): Promise<void> {
  const { warmupSteps, phases, tellsLosses = true } = options
  const losses: number[] = []
  for (let i = 0; i < warmupSteps; i++) losses.push((await training.step()).loss)
  const about = { version: env.versions.node ?? 'unknown', parameters: training.parameters }
  answer({ ready: true, ...about, ...(tellsLosses && { losses }) })
  for await (const line of createInterface({ input: process.stdin })) {
    const { steps }: { steps: number } = JSON.parse(line)
    const made: TimedStep[] = []
    for (let i = 0; i < steps; i++) made.push(await training.step())
    answer({
      seconds: made.map(({ seconds }) => seconds),
      phases: Object.fromEntries(phases.map((phase) => [phase, made.map((step) => step[phase])])),
      peakRss: process.resourceUsage().maxRSS * 1024,
      loss: made.at(-1)?.loss,
    })
  }
}

/** A line of JSON for who started this side. */
export function answer(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** Processor time of all threads so far. */
export function processorSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
