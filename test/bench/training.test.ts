import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { isInstalled, javaScriptPeers } from '../../bench/javascript-peers.js'
import { python } from '../e2e/python.js'

const program = fileURLToPath(new URL('../../bench/run.mjs', import.meta.url))
const isBuilt = existsSync(new URL('../../dist/index.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The parameters of the tiny case, counted by hand: embeddings, 12·C² and two norms a layer, the last norm. */
const tinyParameters = 65 * 32 + 16 * 32 + 2 * (12 * 32 * 32 + 2 * 32) + 32

/** A program that passes for a Python with PyTorch: it speaks the protocol, and its turns take 100, 200, 300 … seconds. */
function fakePython(name: string, { parameters = tinyParameters } = {}): string {
  const path = join(folder, name)
  const source = `#!${process.execPath}
    if (process.argv[2] === '-c') process.exit(0)
    const { batchSize } = JSON.parse(process.argv[3])
    console.log(JSON.stringify({ ready: true, version: 'fake', parameters: ${parameters} }))
    let turns = 0
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      turns++
      const seconds = Array(JSON.parse(line).steps).fill(100 * turns)
      console.log(JSON.stringify({ seconds, peakRss: 1, loss: batchSize }))
    })`
  writeFileSync(path, source, { mode: 0o755 })
  return path
}

/** A folder of JavaScript peers: TensorFlow.js installed, with a script of its own, and jax-js missing. */
function fakePeers(name: string, script: string): string {
  const path = join(folder, name)
  for (const each of javaScriptPeers[0].packages) {
    mkdirSync(join(path, 'node_modules', each), { recursive: true })
    writeFileSync(join(path, 'node_modules', each, 'package.json'), '{}')
  }
  writeFileSync(join(path, javaScriptPeers[0].script), script)
  return path
}

/** Our own side in the place of a peer, from the same seed: what it trains is what we train. */
const ourselves = `
  process.argv[3] += '.copy'
  await import(${JSON.stringify(new URL('../../dist/bench/peers/heddle-training.js', import.meta.url).href)})`

const realPeers = fileURLToPath(new URL('../../bench/peers', import.meta.url))
const noPeers = join(folder, 'no-peers')
const noPython = join(folder, 'no-python')

function bench(args: readonly string[], python: string, peers = noPeers) {
  const env = { ...process.env, HEDDLE_PYTHON: python, HEDDLE_PEERS: peers }
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

const tiny = ['training', '--quick', '--case', 'tiny']

describe.runIf(isBuilt)('bench training', () => {
  it('compares the two sides and prints one JSON object', () => {
    const { status, stdout, stderr } = bench([...tiny, '--json'], fakePython('python'))
    expect(status, stderr).toBe(0)
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    const { ratio, ratioSpread, cases, versions, quick } = JSON.parse(stdout)
    const [{ heddle, pytorch, parameters, groups }] = cases
    expect({ parameters, groups, quick, torch: versions.torch }).toEqual({
      parameters: tinyParameters,
      groups: 3,
      quick: true,
      torch: 'fake',
    })
    expect(pytorch).toMatchObject({ median: 200, best: 100, loss: 4, tokensPerSecond: (4 * 16) / 200 })
    expect(ratio).toBeCloseTo(200 / heddle.median, 6)
    expect(ratioSpread[0]).toBeLessThanOrEqual(ratioSpread[1])
    // Random tokens cannot be learnt: the loss stays near the entropy of 65 equal chances.
    expect(Math.abs(heddle.loss - Math.log(65))).toBeLessThan(0.3)
    const { batch, gradients, optimizer } = heddle.phases
    expect(Math.min(batch, gradients, optimizer)).toBeGreaterThan(0)
  })

  it('prints a table with the ratio and its spread', () => {
    const { stdout } = bench(tiny, fakePython('python'))
    expect(stdout).toMatch(/^PyTorch +200000\.0 +100000\.0 +0 /m)
    expect(stdout).toMatch(
      /^Ratio \d+\.\d\d \(middle half of the turns \d+\.\d\d to \d+\.\d\d, best steps \d+\.\d\d\)$/m,
    )
  })

  it('measures Heddle alone where there is no PyTorch, and says so', () => {
    const { status, stdout, stderr } = bench([...tiny, '--json'], noPython)
    expect(status, stderr).toBe(0)
    expect(stderr).toContain('no PyTorch here')
    const { ratio, cases } = JSON.parse(stdout)
    expect({ ratio, pytorch: cases[0].pytorch }).toEqual({ ratio: null, pytorch: null })
    expect(cases[0].heddle.median).toBeGreaterThan(0)
  })

  it('refuses to compare different models', () => {
    const { status, stdout, stderr } = bench([...tiny, '--json'], fakePython('other', { parameters: 1 }))
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain(`${tinyParameters} parameters in Heddle, 1 in PyTorch`)
  })

  it('leaves out JavaScript peers that are not installed, and says so in one line', () => {
    const { status, stdout, stderr } = bench([...tiny, '--json'], noPython)
    expect(status, stderr).toBe(0)
    const install = 'npm install --prefix bench/peers'
    expect(stderr.split('\n').filter((line) => line.includes(install))).toEqual([
      `tiny: TensorFlow.js and jax-js not installed: left out (${install} installs them)`,
    ])
    expect(JSON.parse(stdout).cases[0].peers).toEqual({})
  })

  it('measures a JavaScript peer that is installed beside PyTorch', () => {
    const peers = fakePeers('ourselves', ourselves)
    const { status, stdout, stderr } = bench([...tiny, '--json'], fakePython('python'), peers)
    expect(status, stderr).toBe(0)
    expect(stderr).toContain('tiny: jax-js not installed: left out')
    const [result] = JSON.parse(stdout).cases
    expect(Object.keys(result.peers)).toEqual(['tensorflowjs'])
    const { tensorflowjs } = result.peers
    expect(tensorflowjs.ratio).toBeCloseTo(tensorflowjs.median / result.heddle.median, 6)
    expect(tensorflowjs.steps).toBe(1)
    expect(result.ratio).toBeCloseTo(200 / result.heddle.median, 6)
  })

  it('refuses a JavaScript peer whose losses are not ours', () => {
    const script = `console.log(JSON.stringify(
      { ready: true, version: '1', parameters: ${tinyParameters}, losses: [4.17, 4.17, 4.17, 4.17, 4.17] }))
      process.stdin.resume()`
    const { status, stdout, stderr } = bench(tiny, noPython, fakePeers('another', script))
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/not the same training: losses (4\.\d{5} ?){5} in Heddle, (4\.17000 ?){5} in TensorFlow\.js/)
  })

  it('does without JavaScript peers where it is told to', () => {
    const { status, stdout, stderr } = bench([...tiny, '--no-peers'], noPython, fakePeers('unused', 'throw 1'))
    expect(status, stderr).toBe(0)
    expect(stdout + stderr).not.toContain('TensorFlow.js')
  })

  describe('of a Transformer', () => {
    const transformer = ['training', '--quick', '--case', 'tiny-transformer']

    /** Our own side in the place of PyTorch: what it trains is what we train, unless its configuration is changed. */
    function ourselvesAsPython(name: string, changes: object = {}): string {
      const path = join(folder, name)
      mkdirSync(path)
      writeFileSync(join(path, 'package.json'), '{ "type": "module" }')
      const ours = new URL('../../dist/bench/peers/heddle-transformer.js', import.meta.url).href
      const source = `#!${process.execPath}
        if (process.argv[2] === '-c') process.exit(0)
        const { start, ...config } = JSON.parse(process.argv[3])
        process.argv[2] = JSON.stringify({ ...config, ...${JSON.stringify(changes)} })
        await import(${JSON.stringify(ours)})`
      writeFileSync(join(path, 'python'), source, { mode: 0o755 })
      return join(path, 'python')
    }

    it('compares sides that train the same pairs', () => {
      const { status, stdout, stderr } = bench([...transformer, '--json'], ourselvesAsPython('transformer'))
      expect(status, stderr).toBe(0)
      const { ratio, cases } = JSON.parse(stdout)
      const [{ heddle, pytorch, parameters, config }] = cases
      const width = 32
      const attention = 4 * width * (width + 1)
      const inner = 2 * 64 * width + 64 + width
      const layers = 3 * (attention + inner) + 2 * attention + (2 + 2 * 3) * 2 * width
      expect(parameters).toBe(100 * width + layers)
      expect(config).toMatchObject({ labelSmoothing: 0.1, batchTokens: 200 })
      expect(ratio).toBeCloseTo(pytorch.median / heddle.median, 6)
      expect(pytorch.loss).toBe(heddle.loss)
      // Batches have about as many tokens as they should.
      expect(Math.abs(heddle.tokensPerSecond * heddle.median - 200)).toBeLessThan(10)
    })

    it('refuses another loss', () => {
      const other = ourselvesAsPython('unsmoothed', { labelSmoothing: 0 })
      const { status, stdout, stderr } = bench(transformer, other)
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
      expect(stderr).toMatch(/not the same training: losses (\d\.\d{5} ?){5} in Heddle, (\d\.\d{5} ?){5} in PyTorch/)
    })

    it.runIf(python !== undefined)('trains the same model with PyTorch', () => {
      // It fails by itself where the losses of the first steps, from our weights and on our batches, differ.
      const { status, stdout, stderr } = bench([...transformer, '--json'], python ?? '')
      expect(status, stderr).toBe(0)
      const [{ heddle, pytorch }] = JSON.parse(stdout).cases
      expect(pytorch.loss).toBeCloseTo(heddle.loss, 3)
    })
  })

  it.runIf(javaScriptPeers.every((peer) => isInstalled(peer, realPeers)))(
    'trains the same model with TensorFlow.js and with jax-js',
    () => {
      // It fails by itself where the losses of the first steps, from our weights and on our batches, differ.
      const { status, stdout, stderr } = bench([...tiny, '--json'], noPython, realPeers)
      expect(status, stderr).toBe(0)
      const { tensorflowjs, jaxjs } = JSON.parse(stdout).cases[0].peers
      expect(tensorflowjs.backend).toBe('wasm, SIMD, 1 thread')
      expect(jaxjs.backend).toMatch(/^wasm, jit, \d+ threads$/)
      for (const { loss } of [tensorflowjs, jaxjs]) expect(Math.abs(loss - Math.log(65))).toBeLessThan(0.3)
    },
  )

  it.each([
    [
      ['training', '--case', 'large'],
      "'large' is unknown (valid: gpt-6x384, gpt2-small, gpt-4x128, transformer-3x256, ",
    ],
    [['training', '--groups', '0'], "--groups must be a whole number of 1 or more, got '0'"],
    [['training', '--fast'], "'--fast'"],
    [['weaving'], "there is no benchmark 'weaving'"],
  ])('refuses %s', (args, message) => {
    const { status, stderr } = bench(args, 'python3')
    expect(status).toBe(2)
    expect(stderr).toContain(message)
  })
})
