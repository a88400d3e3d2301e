import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BertForSequenceClassification, BertModel } from '../../src/models/index.js'
import { saveEncoder, tinyEncoder } from '../../src/tasks/text-classifier.testing.js'

const program = fileURLToPath(new URL('../../bench/run.mjs', import.meta.url))
const isBuilt = existsSync(new URL('../../dist/training/index.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
const model = join(folder, 'checkpoint')
const textsFile = join(folder, 'texts.tsv')
const words = ['the', 'room', 'was', 'clean', 'dirty', 'small']

beforeAll(() => {
  saveEncoder(model, new BertModel(tinyEncoder))
  const lines = Array.from({ length: 70 }, (_, i) => `${words.slice(0, 1 + (i % 6)).join(' ')}\t${i % 2}\n`)
  writeFileSync(textsFile, lines.join(''))
})
afterAll(() => rmSync(folder, { recursive: true }))

const ours = new URL('../../dist/bench/peers/heddle-finetune.js', import.meta.url).href

/** Our own side in the place of PyTorch: what it trains is what we train, unless its configuration is changed. */
function fakePython(name: string, changes: object = {}): string {
  const path = join(folder, name)
  mkdirSync(path)
  writeFileSync(join(path, 'package.json'), '{ "type": "module" }')
  const source = `#!${process.execPath}
    if (process.argv[2] === '-c') process.exit(0)
    const config = { ...JSON.parse(process.argv[3]), ...${JSON.stringify(changes)} }
    process.argv[2] = JSON.stringify(config)
    await import(${JSON.stringify(ours)})`
  writeFileSync(join(path, 'python'), source, { mode: 0o755 })
  return join(path, 'python')
}

const noPython = join(folder, 'no-python')

function bench(args: readonly string[], python = noPython) {
  const env = { ...process.env, HEDDLE_PYTHON: python, HEDDLE_MINILM: model, HEDDLE_DATA: folder }
  return spawnSync(process.execPath, [program, 'finetune', ...args], { env, encoding: 'utf8' })
}

const quick = ['--quick', '--texts', textsFile]

describe.runIf(isBuilt)('bench finetune', () => {
  it('compares two sides that train the same, and prints one JSON object', () => {
    const { status, stdout, stderr } = bench([...quick, '--json'], fakePython('python'))
    expect(status, stderr).toBe(0)
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    const { ratio, ratioSpread, processorRatio, heddle, pytorch, parameters, steps, groups } = JSON.parse(stdout)
    const classifier = new BertForSequenceClassification(tinyEncoder, ['0', '1'])
    const expected = Object.values(classifier.parameters()).reduce((sum, { size }) => sum + size, 0)
    expect({ parameters, steps, groups }).toEqual({ parameters: expected, steps: 1, groups: 2 })
    expect(ratio).toBeCloseTo(pytorch.median / heddle.median, 6)
    expect(processorRatio).toBeCloseTo(pytorch.processor / heddle.processor, 6)
    expect(ratioSpread[0]).toBeLessThanOrEqual(ratioSpread[1])
    // The same steps with the same masks of dropout.
    expect(pytorch.loss).toBe(heddle.loss)
    const { batch, gradients, optimizer } = heddle.phases
    expect(Math.min(batch, gradients, optimizer)).toBeGreaterThan(0)
    expect(batch + gradients + optimizer).toBeLessThan(2 * heddle.median)
  })

  it('refuses sides that do not train the same', () => {
    const { status, stdout, stderr } = bench(quick, fakePython('faster', { learningRate: 0.1 }))
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/not the same training: losses (\d\.\d{5} ?){4} in Heddle, (\d\.\d{5} ?){4} in PyTorch/)
  })

  it('measures Heddle alone where there is no PyTorch', () => {
    const { status, stdout, stderr } = bench(quick)
    expect(status, stderr).toBe(0)
    expect(stderr).toContain('no PyTorch here')
    expect(stdout).toMatch(/^Heddle +\d+\.\d +\d+\.\d +\d+ /m)
    expect(stdout).toContain('No ratio')
  })

  it.each([
    ['text without label\n', ':1: expected a text, a tab and 0 or 1'],
    ['good\t1\nbad\tno\n', ':2: expected a text, a tab and 0 or 1'],
  ])('refuses the texts %j', (text, message) => {
    const path = join(folder, 'bad.tsv')
    writeFileSync(path, text)
    const { status, stderr } = bench(['--quick', '--texts', path])
    expect(status).toBe(2)
    expect(stderr).toContain(message)
  })

  it.each([
    [['--groups', '0'], "--groups must be a whole number of 1 or more, got '0'"],
    [['--texts', '/no/such/file'], '--texts: there is no file /no/such/file'],
    [['--nope'], "'--nope'"],
  ])('refuses %j', (args, message) => {
    const { status, stderr } = bench(args)
    expect(status).toBe(2)
    expect(stderr).toContain(message)
  })
})
