import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  heddle,
  heddleJson,
  parseOnlyLine,
  program,
  start,
  type TrainOutput,
  temporaryFolder,
  writeTinyTraining,
} from './command.js'

const at = temporaryFolder()
const { recipeFile } = writeTinyTraining(at, {
  model: { dropout: 0.2 },
  train: { steps: 300, accumulate: 2, evaluateEvery: 60, checkpointEvery: 25, learningRate: 1e-2 },
})

let whole: TrainOutput
beforeAll(async () => {
  whole = await heddleJson<TrainOutput>('train', recipeFile, '--out', at('whole'))
})

const startTraining = (out: string) => start(process.execPath, [program, 'train', recipeFile, '--out', out, '--json'])
const resume = (out: string, ...args: string[]) =>
  heddleJson<TrainOutput>('train', recipeFile, '--out', out, '--resume', ...args)
const readRun = (out: string) => JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))

/** Everything that the end of a run leaves and that does not depend on time. */
function endOf(out: string) {
  const { last, best, bestLoss } = readRun(out)
  const files = ['model.safetensors', 'training_state.safetensors', 'config.json', 'tokenizer.json']
  const contents = files.map((file) => readFileSync(join(out, last, file)).toString('base64'))
  return { last, best, bestLoss, contents, log: logOf(out), entries: readdirSync(out).sort() }
}

/** The log's lines without what depends on time and place. */
function logOf(out: string) {
  const lines = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')
  return lines.map((line) => {
    const { time: _time, tokensPerSecond: _speed, memory: _memory, ...figures } = JSON.parse(line)
    return figures
  })
}

/** What a result says that does not depend on time or place. */
function figures({ steps, trainLoss, validationLoss, parameters, interrupted }: TrainOutput) {
  return { steps, trainLoss, validationLoss, parameters, interrupted }
}

describe('heddle train --resume', () => {
  it('ends where an uninterrupted run ends, to the bit, after Ctrl-C', async () => {
    const out = at('interrupted')
    const running = startTraining(out)
    await running.says(/^step 3\d\//m)
    running.process.kill('SIGINT')
    const outcome = await running.ended
    expect(outcome.stderr).toMatch(/^Stopping after this step; .*--resume\.$/m)
    const stopped = parseOnlyLine<TrainOutput>(outcome)
    expect(stopped.interrupted).toBe(true)
    expect(stopped.steps).toBeLessThan(300)
    expect(readRun(out)).toMatchObject({ status: 'stopped', last: `checkpoint-${stopped.steps}` })
    expect(stopped.checkpoint).toBe(join(out, readRun(out).best ?? readRun(out).last))
    expect(readdirSync(out).filter((name) => name.startsWith('.'))).toEqual([])

    const resumed = await resume(out)
    expect(figures(resumed)).toEqual(figures(whole))
    expect(resumed.seconds).toBeGreaterThan(stopped.seconds)
    expect(endOf(out)).toEqual(endOf(at('whole')))
  })

  it('ends there after the process was killed, and removes what was half written', async () => {
    const out = at('killed')
    const running = startTraining(out)
    await running.says(/^step 9\d\//m)
    running.process.kill('SIGKILL')
    await running.ended
    expect(readRun(out).status).toBe('running')
    expect(figures(await resume(out))).toEqual(figures(whole))
    expect(endOf(out)).toEqual(endOf(at('whole')))
  })

  it('starts where there is nothing to go on with', async () => {
    const out = at('nothing')
    const { stderr, ...rest } = await heddle('train', recipeFile, '--out', out, '--resume', '--json')
    expect(figures(parseOnlyLine<TrainOutput>({ stderr, ...rest }))).toEqual(figures(whole))
    expect(stderr).not.toContain('from step')
  })

  it('returns the result of a finished run, wherever its directory is', async () => {
    expect(await resume(at('whole'))).toEqual(whole)
    const { code, stdout } = await heddle('train', recipeFile, '--out', at('whole'), '--resume')
    expect(code).toBe(0)
    expect(stdout).toContain(`validation loss ${whole.validationLoss.toFixed(4)}`)
  })

  it('keeps the last good checkpoint when the loss stops being a number, and goes on from it', async () => {
    const out = at('diverged')
    const running = startTraining(out)
    await running.says(/^step 3\d\//m)
    running.process.kill('SIGINT')
    const { steps } = parseOnlyLine<TrainOutput>(await running.ended)
    const wild = ['train.learningRate=1e9', 'train.warmup=0', 'train.checkpointEvery=1000', 'train.evaluateEvery=1000']
    const { code, stderr } = await heddle('train', recipeFile, '--out', out, '--resume', '--set', ...wild)
    expect(code).toBe(1)
    expect(stderr).toContain(`from step ${steps}\n`)
    expect(stderr).toMatch(/\nheddle: training: the loss is NaN at step \d+; lower train\.learningRate .*\n$/)
    expect(readRun(out)).toMatchObject({ status: 'failed', last: `checkpoint-${steps}` })
    expect(figures(await resume(out))).toEqual(figures(whole))
    expect(endOf(out)).toEqual(endOf(at('whole')))
  })

  it('ends a second Ctrl-C at once', async () => {
    const out = at('impatient')
    const running = startTraining(out)
    await running.says(/^step 3\d\//m)
    running.process.kill('SIGINT')
    running.process.kill('SIGINT')
    const { stdout } = await running.ended
    // The signals may fall into one; a second one must not break what the first one saves.
    if (stdout !== '') expect(parseOnlyLine<TrainOutput>({ code: 0, stdout, stderr: '' }).interrupted).toBe(true)
    expect(figures(await resume(out))).toEqual(figures(whole))
  })
})
