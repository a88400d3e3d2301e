import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CheckpointError } from '../errors.js'
import { type RunState, readRun, resolveCheckpoint, writeRun } from './run-directory.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-run-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const result = { steps: 20, seconds: 1.5, tokensPerSecond: 100, trainLoss: 2, validationLoss: 2.5, parameters: 7 }
const finished: RunState = { status: 'finished', last: 'checkpoint-20', best: 'checkpoint-10', bestLoss: 2.5, result }

describe('run.json', () => {
  it('reads what was written, and leaves nothing beside it', () => {
    expect(readRun(folder)).toBeUndefined()
    expect(readRun(join(folder, 'missing'))).toBeUndefined()
    writeRun(folder, { status: 'running' })
    writeRun(folder, finished)
    expect(readRun(folder)).toEqual(finished)
    expect(readdirSync(folder)).toEqual(['run.json'])
  })

  it.each<[text: string, message: RegExp]>([
    ['{', /run\.json:1:2: expected JSON: the text ends too early/],
    ['{"status": "asleep"}', /run\.json: 'status' is not what a training run writes/],
    ['{"status": "running", "last": 5}', /run\.json: 'last' is not what/],
    ['{"status": "finished", "result": {"steps": 1}}', /run\.json: 'result\.seconds' is not what/],
  ])('refuses %s', (text, message) => {
    writeFileSync(join(folder, 'run.json'), text)
    expect(() => readRun(folder)).toThrow(CheckpointError)
    expect(() => readRun(folder)).toThrow(message)
  })
})

describe('resolveCheckpoint', () => {
  it('takes the best checkpoint of a run, else the last', () => {
    writeRun(folder, finished)
    expect(resolveCheckpoint(folder)).toBe(join(folder, 'checkpoint-10'))
    writeRun(folder, { status: 'stopped', last: 'checkpoint-20' })
    expect(resolveCheckpoint(folder)).toBe(join(folder, 'checkpoint-20'))
  })

  it('takes a checkpoint as it is, even one in the directory of a run', () => {
    const checkpoint = join(folder, 'checkpoint-20')
    mkdirSync(checkpoint)
    writeFileSync(join(checkpoint, 'config.json'), '{}')
    expect(resolveCheckpoint(checkpoint)).toBe(checkpoint)
  })

  it('says what is not there', () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    expect(() => resolveCheckpoint(folder)).toThrow(CheckpointError)
    expect(() => resolveCheckpoint(folder)).toThrow(
      /has no config\.json; give a Hugging Face checkpoint or a training run/,
    )
    expect(() => resolveCheckpoint(file)).toThrow(/file: is not a directory/)
    expect(() => resolveCheckpoint(join(folder, 'no'))).toThrow(/no: no such directory/)
    writeRun(folder, { status: 'running' })
    expect(() => resolveCheckpoint(folder)).toThrow(/this training run has not saved a checkpoint yet/)
  })
})
