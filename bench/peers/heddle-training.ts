/**
 * Our side of the training benchmark, in the words of pytorch_training.py: takes the same CONFIG, says when it is warm,
 * and answers each line {"steps": n} of its input with the times of n full steps: forward, backward, clip, AdamW.
 *
 * A second argument names a file for the weights and the first batches, from which the JavaScript peers begin too; the
 * losses of these batches are then part of the first answer.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { serializeSafetensors } from 'heddle/hub'
import { GPT, type GPTConfig } from 'heddle/models'
import { initialize } from 'heddle/nn'
import { RandomStream } from 'heddle/runtime'
import { CausalLanguageModelling, Trainer } from 'heddle/training'
import { env } from 'onnxruntime-node'

type Config = GPTConfig & { readonly batchSize: number }

const seed = 1337
const warmupSteps = 2
/** Steps to warm up where the peers make the same ones: enough for a wrong optimizer to show. */
const sharedSteps = 5
const learningRate = 1e-3
/** Tokens of the random text, besides those of one window. */
const textLength = 100_000

/** The parts of a step: what is left of it besides the batch and the update is the engine's run. */
const phases = ['batch', 'gradients', 'optimizer'] as const

/** A model, its optimizer and the step that is timed. */
class Training {
  readonly parameters: number
  readonly #weights: ReturnType<GPT['parameters']>
  readonly #objective: CausalLanguageModelling
  readonly #trainer: Trainer
  readonly #seconds = { batch: 0, optimizer: 0 }

  constructor(config: Config) {
    const model = new GPT(config)
    const parameters = model.parameters()
    initialize(parameters, seed)
    this.#weights = parameters
    this.parameters = Object.values(parameters).reduce((sum, { size }) => sum + size, 0)
    const { contextLength, batchSize } = config
    const objective = new CausalLanguageModelling({ model, train: randomText(config), contextLength, batchSize, seed })
    this.#objective = objective
    this.#trainer = new Trainer(
      parameters,
      {
        loss: (shape) => objective.loss(shape),
        trainingBatch: (index) => this.#timed('batch', () => objective.trainingBatch(index)),
        evaluationBatches: () => [],
      },
      { betas: [0.9, 0.99], weightDecay: 0.1, clip: 1, accumulate: 1, seed },
    )
    const { optimizer } = this.#trainer
    const update = optimizer.step.bind(optimizer)
    optimizer.step = (rate) => this.#timed('optimizer', () => update(rate))
  }

  /** Writes the weights and the first batches as a safetensors file. */
  writeStart(path: string): void {
    const file = openSync(path, 'w')
    for (const chunk of serializeSafetensors(this.#start())) writeSync(file, chunk)
    closeSync(file)
  }

  *#start() {
    for (const [name, { shape, data = new Float32Array() }] of Object.entries(this.#weights)) {
      yield { name, dtype: 'F32' as const, shape, data }
    }
    for (let i = 0; i < sharedSteps; i++) {
      for (const [part, feed] of Object.entries(this.#objective.trainingBatch(i).feeds)) {
        const data = Int32Array.from('data' in feed ? feed.data : feed, Number)
        yield { name: `batch.${i}.${part}`, dtype: 'I32' as const, shape: [data.length], data }
      }
    }
  }

  async step() {
    const start = performance.now()
    const { loss } = await this.#trainer.step(learningRate)
    const seconds = (performance.now() - start) / 1000
    const { batch, optimizer } = this.#seconds
    return { seconds, batch, gradients: seconds - batch - optimizer, optimizer, loss }
  }

  #timed<T>(phase: 'batch' | 'optimizer', work: () => T): T {
    const start = performance.now()
    const result = work()
    this.#seconds[phase] = (performance.now() - start) / 1000
    return result
  }
}

function randomText({ vocabularySize, contextLength }: Config): Int32Array {
  const random = new RandomStream(seed, 'bench.text')
  return Int32Array.from({ length: contextLength + 1 + textLength }, () => random.integer(vocabularySize))
}

function answer(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

async function main(config: Config, startFile: string | undefined): Promise<void> {
  const training = new Training(config)
  if (startFile !== undefined) training.writeStart(startFile)
  const losses: number[] = []
  const steps = startFile === undefined ? warmupSteps : sharedSteps
  for (let i = 0; i < steps; i++) losses.push((await training.step()).loss)
  answer({ ready: true, version: env.versions.node ?? 'unknown', parameters: training.parameters, losses })
  for await (const line of createInterface({ input: process.stdin })) {
    const { steps }: { steps: number } = JSON.parse(line)
    const made: Awaited<ReturnType<Training['step']>>[] = []
    for (let i = 0; i < steps; i++) made.push(await training.step())
    answer({
      seconds: made.map(({ seconds }) => seconds),
      phases: Object.fromEntries(phases.map((phase) => [phase, made.map((step) => step[phase])])),
      peakRss: process.resourceUsage().maxRSS * 1024,
      loss: made.at(-1)?.loss,
    })
  }
}

await main(JSON.parse(process.argv[2]), process.argv[3])
