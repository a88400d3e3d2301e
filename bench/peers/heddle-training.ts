/**
 * Our side of the training benchmark, in the words of pytorch_training.py: takes the same CONFIG, says when it is warm,
 * and answers each line {"steps": n} of its input with the times of n full steps: forward, backward, clip, AdamW.
 *
 * A second argument names a file for the weights and the first batches, from which the JavaScript peers begin too; the
 * losses of these batches are then part of the first answer.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { serializeSafetensors } from 'heddle/hub'
import { GPT, type GPTConfig } from 'heddle/models'
import { initialize } from 'heddle/nn'
import { RandomStream } from 'heddle/runtime'
import { CausalLanguageModelling } from 'heddle/training'
import { serve, TimedTraining } from './timed-training.js'

type Config = GPTConfig & { readonly batchSize: number }

const seed = 1337
const warmupSteps = 2
/** Steps to warm up where the peers make the same ones: enough for a wrong optimizer to show. */
const sharedSteps = 5
/** Tokens of the random text, besides those of one window. */
const textLength = 100_000

const optimizer = { learningRate: 1e-3, betas: [0.9, 0.99], weightDecay: 0.1, clip: 1, accumulate: 1, seed } as const

/** Writes the weights and the first batches as a safetensors file. */
function writeStart(path: string, weights: ReturnType<GPT['parameters']>, objective: CausalLanguageModelling): void {
  const file = openSync(path, 'w')
  for (const chunk of serializeSafetensors(startOf(weights, objective))) writeSync(file, chunk)
  closeSync(file)
}

function* startOf(weights: ReturnType<GPT['parameters']>, objective: CausalLanguageModelling) {
  for (const [name, { shape, data = new Float32Array() }] of Object.entries(weights)) {
    yield { name, dtype: 'F32' as const, shape, data }
  }
  for (let i = 0; i < sharedSteps; i++) {
    for (const [part, feed] of Object.entries(objective.trainingBatch(i).feeds)) {
      const data = Int32Array.from('data' in feed ? feed.data : feed, Number)
      yield { name: `batch.${i}.${part}`, dtype: 'I32' as const, shape: [data.length], data }
    }
  }
}

function randomText({ vocabularySize, contextLength }: Config): Int32Array {
  const random = new RandomStream(seed, 'bench.text')
  return Int32Array.from({ length: contextLength + 1 + textLength }, () => random.integer(vocabularySize))
}

const config: Config = JSON.parse(process.argv[2])
const startFile = process.argv.at(3)
const { contextLength, batchSize } = config
const model = new GPT(config)
const parameters = model.parameters()
initialize(parameters, seed)
const objective = new CausalLanguageModelling({ model, train: randomText(config), contextLength, batchSize, seed })
if (startFile !== undefined) writeStart(startFile, parameters, objective)
const steps = startFile === undefined ? warmupSteps : sharedSteps
const phases = ['batch', 'gradients', 'optimizer'] as const
await serve(new TimedTraining(parameters, objective, optimizer), { warmupSteps: steps, phases })
