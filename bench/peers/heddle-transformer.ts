/**
 * Our side of training a Transformer, in the words of pytorch_transformer.py: takes the same CONFIG, writes the weights that
 * it begins with to the file `start` where one is named, says when it is warm, and answers each line {"steps": n} of its
 * input with the times of n full steps: forward, backward, clip, AdamW.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { serializeSafetensors } from 'heddle/hub'
import { Transformer, type TransformerConfig } from 'heddle/models'
import { initialize } from 'heddle/nn'
import { type Batch, SequenceToSequence } from 'heddle/training'
import { endTokenId, type PairBatches } from '../pair-batches.js'
import { serve, TimedTraining } from './timed-training.js'

interface Config {
  readonly model: Omit<TransformerConfig, 'padTokenId' | 'eosTokenId' | 'decoderStartTokenId'>
  readonly labelSmoothing: number
  readonly learningRate: number
  readonly warmupSteps: number
  /** A file of {@link PairBatches}. */
  readonly batches: string
  readonly start?: string
}

/** Learning from given batches: one program serves them all. */
class GivenBatches {
  readonly #task: SequenceToSequence
  readonly #batches: PairBatches

  constructor(task: SequenceToSequence, batches: PairBatches) {
    this.#task = task
    this.#batches = batches
  }

  loss() {
    return this.#task.graph()
  }

  trainingBatch(index: number): Batch {
    const pairs = this.#batches[index % this.#batches.length]
    const predictions = this.#task.predictions(pairs)
    return { shape: ['batch', 'sequence'], feeds: this.#task.feeds(pairs), examples: pairs.length, predictions }
  }
}

function writeStart(path: string, weights: ReturnType<Transformer['parameters']>): void {
  const entries = Object.entries(weights).map(([name, { shape, data = new Float32Array() }]) => {
    return { name, dtype: 'F32' as const, shape, data }
  })
  const file = openSync(path, 'w')
  for (const chunk of serializeSafetensors(entries)) writeSync(file, chunk)
  closeSync(file)
}

const { labelSmoothing, learningRate, warmupSteps, ...config }: Config = JSON.parse(process.argv[2])
const ends = { padTokenId: endTokenId - 1, eosTokenId: endTokenId, decoderStartTokenId: endTokenId - 1 }
const model = new Transformer({ ...config.model, ...ends })
const parameters = model.parameters()
const seed = 1337
initialize(parameters, seed)
if (config.start !== undefined) writeStart(config.start, parameters)
const task = new SequenceToSequence(model, { labelSmoothing })
const objective = new GivenBatches(task, JSON.parse(readFileSync(config.batches, 'utf8')))
const options = { betas: [0.9, 0.98], epsilon: 1e-9, weightDecay: 0, clip: 1, accumulate: 1, seed } as const
const training = new TimedTraining(parameters, objective, { ...options, learningRate })
// Masks of dropout are each side's own, and so are its losses.
const tellsLosses = config.model.dropout === 0
await serve(training, { warmupSteps, phases: ['batch', 'gradients', 'optimizer'], tellsLosses })
