import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const program = fileURLToPath(new URL('../../bench/run.mjs', import.meta.url))
const isBuilt = existsSync(new URL('../../dist/tokenizers/training/train.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A program that passes for a Python with tokenizers: it notes what it is asked, and every turn takes it 100 seconds. */
function fakePython(): string {
  const path = join(folder, 'python')
  const source = `#!${process.execPath}
    if (process.argv[2] === '-c') process.exit(0)
    const fs = require('node:fs')
    const config = JSON.parse(process.argv[3])
    fs.writeFileSync(${JSON.stringify(join(folder, 'config.json'))}, JSON.stringify({ ...config, bytes: fs.statSync(config.file).size }))
    console.log(JSON.stringify({ ready: true, version: 'fake', parameters: 0 }))
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      console.log(JSON.stringify({ seconds: Array(JSON.parse(line).steps).fill(100), peakRss: 1, loss: 7 }))
    })`
  writeFileSync(path, source, { mode: 0o755 })
  return path
}

function bench(args: readonly string[], python = fakePython()) {
  const env = { ...process.env, HEDDLE_PYTHON: python }
  return spawnSync(process.execPath, [program, 'tokenizers', ...args], { env, encoding: 'utf8' })
}

describe.runIf(isBuilt)('bench tokenizers', () => {
  it('compares training, and prints one JSON object', () => {
    const { status, stdout, stderr } = bench(['--quick', '--json', '--case', 'train-bpe'])
    expect(status, stderr).toBe(0)
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    const { benchmark, quick, cases } = JSON.parse(stdout)
    expect({ benchmark, quick, names: cases.map(({ name }: { name: string }) => name) }).toEqual({
      benchmark: 'tokenizers',
      quick: true,
      names: ['train-bpe'],
    })
    const [{ heddle, huggingFace, ratio, megabytes }] = cases
    expect(huggingFace).toMatchObject({ median: 100, tokens: 7, megabytesPerSecond: megabytes / 100 })
    expect(ratio).toBeCloseTo(100 / heddle.median, 6)
    expect(heddle.tokens).toBeGreaterThan(10_000)
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
    expect(config).toMatchObject({ job: 'train', type: 'bpe', vocabularySize: 16_000 })
    expect(config.bytes).toBe(megabytes * 1e6)
  })

  it('compares encoding of the same text with the same tokenizer, whose tokens are counted', () => {
    const { status, stdout, stderr } = bench(['--quick', '--case', 'encode-wordpiece', '--case', 'lines-bpe'])
    expect(status, stderr).toBe(0)
    expect(stdout).toMatch(/encode-wordpiece: .*\n\n.*\nHeddle .* (\d{5})\nHugging Face .* 7\n\nRatio \d/)
    expect(stdout).toMatch(/lines-bpe: .*\n\n.*\nHeddle .* (\d{5})\nHugging Face .* 7\n/)
  })

  it('measures Heddle alone where there is no Python', () => {
    const { stdout, stderr } = bench(['--quick', '--case', 'encode-bpe', '--json'], join(folder, 'none'))
    expect(stderr).toMatch(/only Heddle is measured/)
    expect(JSON.parse(stdout).cases[0]).toMatchObject({ huggingFace: null, ratio: null })
  })

  it.each<[string[], RegExp]>([
    [['--case', 'nope'], /'nope' is unknown \(valid: train-bpe, /],
    [['--groups', '0'], /--groups must be a whole number/],
    [['--megabytes', 'x'], /--megabytes must be a number above 0/],
    [['--nope'], /nope/],
  ])('answers wrong usage %j', (args, message) => {
    const { status, stderr } = bench(args)
    expect(status).toBe(2)
    expect(stderr).toMatch(message)
  })
})
