import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { BertModel } from '../../src/models/index.js'
import { saveEncoder, tinyEncoder } from '../../src/tasks/text-classifier.testing.js'
import { saveRewriter } from '../../src/tasks/text-to-text.testing.js'
import { python } from '../e2e/python.js'

const program = fileURLToPath(new URL('../../bench/run.mjs', import.meta.url))
const isBuilt = existsSync(new URL('../../dist/tasks/text-to-text.js', import.meta.url))
const { directory: model } = await saveRewriter()
const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
  rmSync(model, { recursive: true })
})

const texts = ['abc', 'dad 我们', 'g', 'a b. fed cab']
const textsFile = join(folder, 'texts.gz')
writeFileSync(textsFile, gzipSync(texts.map((text) => `${text}\n`).join('')))

/**
 * A program that passes for a Python with everything: it takes Heddle's translations for its own, each list of ids changed
 * by `change`, and its turns take 100, 200 … seconds.
 */
function fakePython(name: string, { change = 'ids', modules = 'ctranslate2' } = {}): string {
  const path = join(folder, name)
  mkdirSync(path)
  writeFileSync(join(path, 'package.json'), '{ "type": "module" }')
  const source = `#!${process.execPath}
    import { dirname, join } from 'node:path'
    import { createInterface } from 'node:readline'
    import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
    const [, , script, word, ...paths] = process.argv
    if (script === '-c') process.exit(/torch|${modules}/.test(word) ? 0 : 1)
    if (word === 'convert') {
      mkdirSync(paths[1])
      writeFileSync(join(paths[1], 'converted'), '')
      process.exit(existsSync(join(paths[0], 'model.safetensors')) ? 0 : 1)
    }
    const { model, translations } = JSON.parse(word)
    if (!existsSync(join(model, script.includes('ctranslate2') ? 'converted' : 'config.json'))) throw new Error(model)
    const ours = JSON.parse(readFileSync(join(dirname(translations), 'heddle-translations.json'), 'utf8'))
    const found = ours.map((ids, i) => ${change})
    writeFileSync(translations, JSON.stringify(found))
    console.log(JSON.stringify({ ready: true, version: '4', backend: 'fake', parameters: 0 }))
    let turns = 0
    for await (const line of createInterface({ input: process.stdin })) {
      turns++
      console.log(JSON.stringify({ seconds: [100 * turns], phases: { processor: [3] }, peakRss: 1, loss: 70 }))
    }`
  writeFileSync(join(path, 'python'), source, { mode: 0o755 })
  return join(path, 'python')
}

const noPython = join(folder, 'no-python')

function bench(args: readonly string[], command = noPython) {
  const env = { ...process.env, HEDDLE_PYTHON: command, OMP_NUM_THREADS: '1', CUDA_VISIBLE_DEVICES: '' }
  return spawnSync(process.execPath, [program, 'translate', ...args], { env, encoding: 'utf8' })
}

const quick = ['--quick', '--texts', textsFile]
const forced = [...quick, '--model', model, '--tokens', '7']

describe.runIf(isBuilt)('bench translate', () => {
  it('compares all sides, and prints one JSON object', () => {
    const { status, stdout, stderr } = bench([...forced, '--json'], fakePython('all'))
    expect(status, stderr).toBe(0)
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    const { ratio, heddle, peers, ...setup } = JSON.parse(stdout)
    expect(setup).toMatchObject({ sentences: 4, tokens: 7, beams: 4, quick: true, model })
    expect(Object.keys(peers)).toEqual(['pytorch', 'ctranslate2'])
    for (const peer of [peers.pytorch, peers.ctranslate2]) {
      expect(peer).toMatchObject({ median: 150, best: 100, tokens: 70, different: 0, version: '4, fake' })
      expect(peer.sentencesPerSecond).toBeCloseTo(4 / 150, 6)
      expect(peer.ratio).toBeCloseTo(150 / heddle.median, 6)
      expect(peer.processorRatio).toBeCloseTo(3 / heddle.processor, 6)
    }
    expect(ratio).toBe(peers.pytorch.ratio)
    expect(heddle.tokens).toBe(4 * 7)
    expect(heddle.tokensPerSecond).toBeCloseTo((4 * 7) / heddle.median, 6)
  })

  it('prints a table with a ratio to each of the others', () => {
    const { stdout } = bench(forced, fakePython('table'))
    expect(stdout).toMatch(/^CTranslate2 +150000\.0 +100000\.0 +3000\.0 +0\.0 +0 +70 /m)
    expect(stdout).toMatch(/^Ratio to PyTorch: \d+\.\d\d \(middle half of the turns .*; processor time \d+\.\d\d\)$/m)
  })

  it('measures Heddle alone where nothing else is there, or wanted', () => {
    const { status, stdout, stderr } = bench([...forced, '--json'])
    expect(status, stderr).toBe(0)
    expect(stderr).toContain('no PyTorch here')
    expect(stderr).toContain('no CTranslate2 here')
    expect(JSON.parse(stdout)).toMatchObject({ ratio: null, peers: {} })
    const alone = bench([...forced, '--no-peers'], fakePython('unwanted'))
    expect(alone.stdout).toContain('No ratio')
    expect(alone.stderr).not.toContain('PyTorch')
  })

  it('leaves out CTranslate2 alone where only that is missing', () => {
    const { status, stdout, stderr } = bench([...forced, '--json'], fakePython('torch', { modules: 'torch' }))
    expect(status, stderr).toBe(0)
    expect(Object.keys(JSON.parse(stdout).peers)).toEqual(['pytorch'])
  })

  it.each([
    ['one token', 'i === 2 ? [...ids.slice(0, -1), (ids.at(-1) + 3) % 9] : ids', 1],
    ['everything', 'ids.map((id) => (id + 3) % 9)', 4],
    ['all tokens missing', '[]', 4],
  ])('refuses translations that differ by %s', (name, change, count) => {
    const { status, stdout, stderr } = bench(forced, fakePython(`other ${name}`, { change }))
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain(`not the same translations: ${count} of 4 texts are others in PyTorch than in Heddle`)
  })

  it('lets translations end by themselves where a model is given', () => {
    const { status, stdout, stderr } = bench([...quick, '--model', model, '--json'], fakePython('free'))
    expect(status, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ tokens: null, sentences: 4 })
  })

  it.runIf(python !== undefined).each([
    ['of as many tokens, by random weights', []],
    ['that end by themselves', ['--model', model]],
  ])('gets the same translations from PyTorch, and CTranslate2 where it is there: %s', (_, args) => {
    // It fails by itself where they are others.
    const { status, stdout, stderr } = bench([...quick, ...args, '--json'], python)
    expect(status, stderr).toBe(0)
    const { peers, heddle } = JSON.parse(stdout)
    expect(peers.pytorch.tokens).toBe(heddle.tokens)
    if (peers.ctranslate2 !== undefined) expect(peers.ctranslate2.tokens).toBe(heddle.tokens)
  })

  it('refuses another model', () => {
    const encoder = join(folder, 'encoder')
    saveEncoder(encoder, new BertModel(tinyEncoder))
    const { status, stderr } = bench([...quick, '--model', encoder])
    expect(status).toBe(2)
    expect(stderr).toContain(`expected a Transformer in Marian's format, ${encoder} has the model_type bert`)
  })

  it.each([
    [['--tokens', '101'], '--tokens must be 100 or less, got 101'],
    [['--count', '0'], "--count must be a whole number of 1 or more, got '0'"],
    [['--texts', '/no/such/file'], '--texts: there is no file /no/such/file'],
    [['--nope'], "'--nope'"],
  ])('refuses %j', (args, message) => {
    const { status, stderr } = bench(['--texts', textsFile, ...args])
    expect(status).toBe(2)
    expect(stderr).toContain(message)
  })
})
