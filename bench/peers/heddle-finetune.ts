/**
 * Our side of the fine-tuning benchmark, in the words of pytorch_finetune.py: takes the same CONFIG, says when it is warm,
 * and answers each line {"steps": n} of its input with the times of n full steps: forward, backward, clip, AdamW.
 */
import { readFileSync } from 'node:fs'
import { input, operations } from 'heddle/graph'
import { loadModel } from 'heddle/hub'
import { BertForSequenceClassification, encoderFeeds, encoderInputs } from 'heddle/models'
import type { Batch } from 'heddle/training'
import type { FinetuneBatch } from '../finetune-start.js'
import { serve, TimedTraining } from './timed-training.js'

interface Config {
  readonly model: string
  readonly batches: string
  readonly warmupSteps: number
  readonly learningRate: number
}

/** Classification of given batches: one program serves them all. */
class GivenBatches {
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
}

const { model: folder, batches, warmupSteps, learningRate }: Config = JSON.parse(process.argv[2])
const { model } = loadModel(folder)
if (!(model instanceof BertForSequenceClassification)) throw new TypeError(`${folder} is not a classifier`)
const objective = new GivenBatches(model, JSON.parse(readFileSync(batches, 'utf8')))
const options = { betas: [0.9, 0.999], weightDecay: 0.01, clip: 1, accumulate: 1, seed: 1337 } as const
const training = new TimedTraining(model.parameters(), objective, { ...options, learningRate })
await serve(training, { warmupSteps, phases: ['batch', 'gradients', 'optimizer', 'processor'] })
