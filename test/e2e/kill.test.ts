import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { RandomStream } from '../../src/runtime/random.js'
import { heddleJson, program, start, type TrainOutput, temporaryFolder, writeTinyTraining } from './command.js'

const kills = 20
const at = temporaryFolder()
const { recipeFile } = writeTinyTraining(at, {
  model: { dropout: 0.1 },
  train: { steps: 3000, evaluateEvery: 70, checkpointEvery: 10, keep: 2, learningRate: 1e-2 },
})

/** Everything of a finished run that does not depend on time. */
function endOf(out: string) {
  const { last, best, bestLoss, result } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))
  const files = ['model.safetensors', 'training_state.safetensors', 'tokenizer.json']
  const contents = files.map((file) => readFileSync(join(out, last, file)).toString('base64'))
  const bestWeights = readFileSync(join(out, best, 'model.safetensors')).toString('base64')
  const log = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')
  const figures = log.map((line) => {
    const { step, loss, validationLoss, learningRate, gradientNorm } = JSON.parse(line)
    return { step, loss, validationLoss, learningRate, gradientNorm }
  })
  return { last, best, bestLoss, trainLoss: result.trainLoss, contents, bestWeights, figures }
}

it(`ends to the bit where an undisturbed run ends, after ${kills} kills at random moments`, async () => {
  const { seconds } = await heddleJson<TrainOutput>('train', recipeFile, '--out', at('whole'))
  // So long that all lives together do not reach the end of the run.
  const longestLife = (seconds * 1000) / kills
  const random = new RandomStream(Date.now(), 'kills')
  const out = at('killed')
  let killed = 0
  while (killed < kills) {
    const running = start(process.execPath, [program, 'train', recipeFile, '--out', out, '--resume', '--json'])
    // Some die before they begin to train, most while they train, save or evaluate.
    if (random.uniform() < 0.8) await running.says(/parameters/)
    await new Promise((resolve) => setTimeout(resolve, random.uniform() * longestLife))
    if (!running.process.kill('SIGKILL')) break
    const { code } = await running.ended
    if (code === null) killed++
    else break
  }
  const { interrupted } = await heddleJson<TrainOutput>('train', recipeFile, '--out', out, '--resume')
  expect(interrupted).toBeUndefined()
  expect(killed).toBe(kills)
  expect(endOf(out)).toEqual(endOf(at('whole')))
}, 300_000)
