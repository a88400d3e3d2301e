/**
 * Our side of the fine-tuning benchmark, in the words of pytorch_finetune.py: takes the same CONFIG, says when it is warm,
 * and answers each line {"steps": n} of its input with the times of n full steps: forward, backward, clip, AdamW.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { input, operations } from 'heddle/graph'
import { loadModel } from 'heddle/hub'
import { BertForSequenceClassification, encoderFeeds, encoderInputs } from 'heddle/models'
import { type Batch, type Objective, Trainer } from 'heddle/training'
import { env } from 'onnxruntime-node'
import type { FinetuneBatch } from '../finetune-start.js'

interface Config {
  readonly model: string
  readonly batches: string
  readonly warmupSteps: number
  readonly learningRate: number
}

/** The parts of a step: what is left of it besides the batch and the update is the engine's run. */
const phases = ['batch', 'gradients', 'optimizer', 'processor'] as const

/** Classification of given batches: one program serves them all. */
class GivenBatches implements Objective {
  readonly #model: BertForSequenceClassification
  readonly #batches: readonly FinetuneBatch[]

  constructor(model: BertForSequenceClassification, batches: readonly FinetuneBatch[]) {
    this.#model = model
    this.#batches = batches
  }

  loss() {
    const { inputs, input: tokens } = encoderInputs()
    const targets = input('targets', 'int64', ['batch'])
    return { inputs: { ...inputs, targets }, loss: operations.crossEntropy(this.#model.forward(tokens), targets) }
  }

  trainingBatch(index: number): Batch {
    const { ids, labels } = this.#batches[index % this.#batches.length]
    const targets = { data: BigInt64Array.from(labels, BigInt), shape: [labels.length] }
    const feeds = { ...encoderFeeds(ids.map((each) => ({ ids: each }))), targets }
    return { shape: ['batch', 'sequence'], feeds, examples: ids.length, predictions: ids.length }
  }

  evaluationBatches(): Batch[] {
    return []
  }
}

/** A model, its optimizer and the step that is timed. */
class Training {
  readonly parameters: number
  readonly #trainer: Trainer
  readonly #learningRate: number
  readonly #seconds = { batch: 0, optimizer: 0 }

  constructor({ model: folder, batches, learningRate }: Config) {
    const { model } = loadModel(folder)
    if (!(model instanceof BertForSequenceClassification)) throw new TypeError(`${folder} is not a classifier`)
    const parameters = model.parameters()
    this.parameters = Object.values(parameters).reduce((sum, { size }) => sum + size, 0)
    this.#learningRate = learningRate
    const objective = new GivenBatches(model, JSON.parse(readFileSync(batches, 'utf8')))
    const trainingBatch = objective.trainingBatch.bind(objective)
    objective.trainingBatch = (index) => this.#timed('batch', () => trainingBatch(index))
    const options = { betas: [0.9, 0.999], weightDecay: 0.01, clip: 1, accumulate: 1, seed: 1337 } as const
    this.#trainer = new Trainer(parameters, objective, options)
    const { optimizer } = this.#trainer
    const update = optimizer.step.bind(optimizer)
    optimizer.step = (rate) => this.#timed('optimizer', () => update(rate))
  }

  async step() {
    const start = performance.now()
    const busy = processorSeconds()
    const { loss } = await this.#trainer.step(this.#learningRate)
    const seconds = (performance.now() - start) / 1000
    const { batch, optimizer } = this.#seconds
    const processor = processorSeconds() - busy
    return { seconds, batch, gradients: seconds - batch - optimizer, optimizer, processor, loss }
  }

  #timed<T>(phase: 'batch' | 'optimizer', work: () => T): T {
    const start = performance.now()
    const result = work()
    this.#seconds[phase] = (performance.now() - start) / 1000
    return result
  }
}

function processorSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

function answer(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const config: Config = JSON.parse(process.argv[2])
const training = new Training(config)
const losses: number[] = []
for (let i = 0; i < config.warmupSteps; i++) losses.push((await training.step()).loss)
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
