import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BertModel } from '../../src/models/index.js'
import { saveEncoder, sequenceOf, tinyEncoder } from '../../src/tasks/text-classifier.testing.js'

const program = fileURLToPath(new URL('../../bench/run.mjs', import.meta.url))
const isBuilt = existsSync(new URL('../../dist/tasks/text-embedder.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
const model = join(folder, 'checkpoint')
const textsFile = join(folder, 'texts.tsv')
const texts = ['the room was clean', 'small .', 'the small room was dirty .', 'the unheard room']

beforeAll(() => {
  saveEncoder(model, new BertModel(tinyEncoder))
  writeFileSync(textsFile, texts.map((text) => `${text}\t1\n`).join(''))
})
afterAll(() => rmSync(folder, { recursive: true }))

/**
 * A side that takes Heddle's vectors for its own, each number changed by `change`, and whose turns take 100, 200 … seconds;
 * its tokens are 7 where its batches are sorted, else 9.
 */
const side = (change: string) => `
  import { dirname, join } from 'node:path'
  import { createInterface } from 'node:readline'
  import { existsSync, readFileSync, writeFileSync } from 'node:fs'
  if (process.argv[2] === '-c') process.exit(0)
  const { model, embeddings, sorted } = JSON.parse(process.argv.at(-1))
  for (const name of ['config.json', 'tokenizer.json']) if (!existsSync(join(model, name))) throw new Error(name)
  if (import.meta.url.endsWith('.mjs') && !existsSync(join(model, 'onnx/model.onnx'))) throw new Error('no onnx/model.onnx')
  const ours = new Float32Array(new Uint8Array(readFileSync(join(dirname(embeddings), 'heddle.f32'))).buffer)
  writeFileSync(embeddings, ours.map((x, i) => ${change}))
  console.log(JSON.stringify({ ready: true, version: '4', backend: 'fake', parameters: 0 }))
  let turns = 0
  for await (const line of createInterface({ input: process.stdin })) {
    turns++
    const phases = { processor: [3], tokenizing: [2] }
    console.log(JSON.stringify({ seconds: [100 * turns], phases, peakRss: 1, loss: sorted ? 7 : 9 }))
  }`

/** A program that passes for a Python with PyTorch. */
function fakePython(name: string, change = 'x'): string {
  const path = join(folder, name)
  mkdirSync(path)
  writeFileSync(join(path, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(path, 'python'), `#!${process.execPath}\n${side(change)}`, { mode: 0o755 })
  return join(path, 'python')
}

/** A folder of peers with something that passes for transformers.js. */
function fakePeers(name: string, change = 'x'): string {
  const path = join(folder, name)
  const installed = join(path, 'encode/node_modules/@huggingface/transformers')
  mkdirSync(installed, { recursive: true })
  writeFileSync(join(installed, 'package.json'), '{}')
  writeFileSync(join(path, 'encode/transformersjs-encode.mjs'), side(change))
  return path
}

const realPeers = fileURLToPath(new URL('../../bench/peers', import.meta.url))
const noPeers = join(folder, 'no-peers')
const noPython = join(folder, 'no-python')

function bench(args: readonly string[], python = noPython, peers = noPeers) {
  const env = { ...process.env, HEDDLE_PYTHON: python, HEDDLE_PEERS: peers, HEDDLE_MINILM: model, HEDDLE_DATA: folder }
  return spawnSync(process.execPath, [program, 'encode', ...args], { env, encoding: 'utf8' })
}

const quick = ['--quick', '--texts', textsFile]

describe.runIf(isBuilt)('bench encode', () => {
  it('compares all sides, and prints one JSON object', () => {
    const { status, stdout, stderr } = bench([...quick, '--json'], fakePython('torch'), fakePeers('peers'))
    expect(status, stderr).toBe(0)
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    const { ratio, ratioSpread, heddle, peers, sentences, quick: isQuick } = JSON.parse(stdout)
    expect({ sentences, isQuick }).toEqual({ sentences: 4, isQuick: true })
    const tokens = { transformersjs: 9, transformersjsSorted: 7, pytorch: 9, pytorchSorted: 7 }
    expect(Object.keys(peers)).toEqual(Object.keys(tokens))
    for (const [key, count] of Object.entries(tokens)) {
      expect(peers[key]).toMatchObject({ median: 150, best: 100, tokenizing: 2, tokens: count, version: '4, fake' })
      expect(peers[key].ratio).toBeCloseTo(150 / heddle.median, 6)
      expect(peers[key].processorRatio).toBeCloseTo(3 / heddle.processor, 6)
    }
    expect({ ratio, ratioSpread }).toEqual({
      ratio: peers.transformersjs.ratio,
      ratioSpread: peers.transformersjs.ratioSpread,
    })
    expect(heddle.tokens).toBe(texts.reduce((sum, text) => sum + sequenceOf(text).ids.length, 0))
    expect(heddle.textsPerSecond).toBeCloseTo(4 / heddle.median, 6)
    expect(Math.min(heddle.tokenizing, heddle.processor)).toBeGreaterThan(0)
  })

  it('prints a table with a ratio to each of the others', () => {
    const { stdout } = bench(quick, noPython, fakePeers('table'))
    expect(stdout).toMatch(/^transformers\.js, sorted +150000\.0 +100000\.0 +3000\.0 +2000\.0 +0\.0 +7 /m)
    expect(stdout).toMatch(
      /^Ratio to transformers\.js: \d+\.\d\d \(middle half of the turns .*; processor time \d+\.\d\d\)$/m,
    )
  })

  it('measures Heddle alone where nothing else is there, or wanted', () => {
    const { status, stdout, stderr } = bench([...quick, '--json'])
    expect(status, stderr).toBe(0)
    expect(stderr).toContain('no PyTorch here')
    expect(stderr).toContain('npm install --prefix bench/peers/encode')
    expect(JSON.parse(stdout)).toMatchObject({ ratio: null, peers: {} })
    const alone = bench([...quick, '--no-peers'], fakePython('unwanted'), fakePeers('unwanted-peers'))
    expect(alone.stdout).toContain('No ratio')
    expect(alone.stderr).not.toContain('PyTorch')
  })

  it.each([
    ['of which one is another', 'i < 8 ? x : -x', 'those of text 1 have the cosine -'],
    ['that are not numbers', 'NaN', 'those of text 0 have the cosine NaN'],
  ])('refuses vectors %s', (name, change, message) => {
    const { status, stdout, stderr } = bench(quick, noPython, fakePeers(`other ${name}`, change))
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain(`not the same vectors: ${message}`)
  })

  it.runIf(existsSync(join(realPeers, 'encode/node_modules/@huggingface/transformers')))(
    'gets the same vectors from transformers.js',
    () => {
      // It fails by itself where they are others.
      const { status, stdout, stderr } = bench([...quick, '--json'], noPython, realPeers)
      expect(status, stderr).toBe(0)
      const { transformersjs } = JSON.parse(stdout).peers
      expect(transformersjs.version).toContain('onnxruntime-node')
      // All four texts are one batch, which is as long as the longest.
      expect(transformersjs.tokens).toBe(4 * Math.max(...texts.map((text) => sequenceOf(text).ids.length)))
    },
  )

  it.each([
    [['--count', '0'], "--count must be a whole number of 1 or more, got '0'"],
    [['--groups', 'x'], "--groups must be a whole number of 1 or more, got 'x'"],
    [['--texts', '/no/such/file'], '--texts: there is no file /no/such/file'],
    [['--nope'], "'--nope'"],
  ])('refuses %j', (args, message) => {
    const { status, stderr } = bench(args)
    expect(status).toBe(2)
    expect(stderr).toContain(message)
  })
})
