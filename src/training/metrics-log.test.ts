import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MetricsLog, readMetrics } from './metrics-log.js'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'heddle-metrics-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const python = process.env.HEDDLE_PYTHON

/** TensorBoard's own reader, which checks lengths and checksums. */
const reader = `
import sys, json
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'tensors': 0}); events.Reload()
scalars = {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()['scalars']}
texts = {tag: [[e.step, e.tensor_proto.string_val[0].decode()] for e in events.Tensors(tag)] for tag in events.Tags()['tensors']}
print(json.dumps([scalars, texts]))`

function hasTensorBoard(): boolean {
  if (python === undefined) return false
  try {
    execFileSync(python, ['-c', 'import tensorboard'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('MetricsLog', () => {
  it('keeps what was made before the step that a run resumes from', () => {
    const first = new MetricsLog(directory, 0)
    for (const step of [1, 2, 3, 4]) first.add({ step, loss: 1 / step })
    appendFileSync(join(directory, 'metrics.jsonl'), '{"step": 5, "lo')
    expect(readMetrics(directory).map(({ step, loss }) => [step, loss])).toEqual([
      [1, 1],
      [2, 1 / 2],
      [3, 1 / 3],
      [4, 1 / 4],
    ])
    const resumed = new MetricsLog(directory, 2)
    resumed.add({ step: 3, loss: 0.25, validationLoss: 0.5 })
    expect(readMetrics(directory).map(({ step, loss }) => [step, loss])).toEqual([
      [1, 1],
      [2, 1 / 2],
      [3, 0.25],
    ])
    new MetricsLog(directory, 0)
    expect(readMetrics(directory)).toEqual([])
  })

  it('names the line that is not an entry', () => {
    new MetricsLog(directory, 0).add({ step: 1 })
    appendFileSync(join(directory, 'metrics.jsonl'), 'no\n')
    expect(() => readMetrics(directory)).toThrow(/metrics\.jsonl:2: expected an object/)
  })

  it('writes the header record byte for byte as the format says', () => {
    new MetricsLog(directory, 0)
    const bytes = readFileSync(join(directory, 'events.out.tfevents.heddle'))
    expect(bytes.readBigUInt64LE(0)).toBe(24n)
    // The masked CRC-32C of the eight bytes 18 00 00 00 00 00 00 00, as TensorFlow's files have it.
    expect(bytes.readUInt32LE(8)).toBe(0x224b7fa3)
    expect(bytes.subarray(21, 36).toString('latin1')).toBe('\x1a\rbrain.Event:2')
  })

  it.skipIf(!hasTensorBoard())('is read by TensorBoard (needs HEDDLE_PYTHON with tensorboard)', () => {
    const log = new MetricsLog(directory, 0)
    log.add({ step: 1, loss: 2.5, learningRate: 0.001 })
    log.add({ step: 300, validationLoss: 1.25, samples: [{ prompt: 'Once', text: ' upon 一次' }] })
    const output = execFileSync(python!, ['-c', reader, directory], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [scalars, texts] = JSON.parse(output)
    expect(scalars['loss/train']).toEqual([[1, 2.5]])
    expect(scalars['loss/validation']).toEqual([[300, 1.25]])
    expect(scalars['train/learning_rate'][0][1]).toBeCloseTo(0.001, 8)
    expect(texts['sample/0']).toEqual([[300, '**Once** upon 一次']])
  })
})
