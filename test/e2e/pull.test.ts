import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { largestDifference } from '../parity/fixtures.js'
import {
  heddleJson,
  type Outcome,
  parseOnlyLine,
  program,
  root,
  start,
  type TrainOutput,
  temporaryFolder,
  writeTinyTraining,
} from './command.js'
import { digest, HubServer, noise } from './hub-server.js'
import { python } from './python.js'

const at = temporaryFolder()
const { recipeFile } = writeTinyTraining(at)
const name = 'maker/tiny'
const weights = noise(400_000)
const other = { 'config.json': '{}', 'tokenizer.json': '[]', 'model.safetensors': weights }

let server: HubServer
/** A real checkpoint that the server has as maker/tiny. */
let checkpoint: string
let commit: string
let cache: string
let count = 0

beforeAll(async () => {
  checkpoint = (await heddleJson<TrainOutput>('train', recipeFile, '--out', at('run'))).checkpoint
})
beforeEach(async () => {
  await server?.close()
  server = await HubServer.start({ largeFrom: 2000 })
  commit = server.commitFolder(name, checkpoint)
  server.commit('maker/other', other)
  cache = at(`cache-${count++}`)
})
afterAll(() => server.close())

/** The environment of a user with an empty cache and no token. */
function environment(changes: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const none = { HF_TOKEN: '', HF_HUB_OFFLINE: '', HF_HUB_DISABLE_SYMLINKS: '', TRANSFORMERS_OFFLINE: '' }
  return { ...none, HF_HOME: at('home'), HF_HUB_CACHE: cache, HF_ENDPOINT: server.url, ...changes }
}

const run = (args: readonly string[], changes?: Readonly<Record<string, string>>) =>
  start(process.execPath, [program, ...args], { cwd: at(), env: environment(changes) })

const inOther = (...parts: string[]) => join(cache, 'models--maker--other', ...parts)
const isWhole = (path: string) => digest('sha256', readFileSync(path)) === digest('sha256', weights)
const large = digest('sha256', weights)

/** The result of a command that may have shown downloads. */
function resultOf<Result>({ code, stdout, stderr }: Outcome): Result {
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^[^\n]+\n$/)
  return JSON.parse(stdout)
}

describe('heddle pull', () => {
  it('prints the directory, and shows each file on standard error', async () => {
    const { code, stdout, stderr } = await run(['pull', name]).ended
    const directory = join(cache, 'models--maker--tiny', 'snapshots', commit)
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${directory}\n` })
    expect(stderr).toMatch(/^config\.json {2}\d+B$/m)
    expect(stderr).toMatch(/^model\.safetensors {2}[\d.]+kB$/m)
    expect(readdirSync(directory)).toEqual(expect.arrayContaining(['config.json', 'data.json', 'tokenizer.json']))
    expect(readdirSync(directory)).not.toContain('training_state.safetensors')
    const second = await run(['pull', `${name}@${commit}`, '--json']).ended
    expect(parseOnlyLine(second)).toMatchObject({ model: name, commit, directory, downloaded: [] })
  })

  it('takes a revision and a file', async () => {
    const files = { 'README.md': '', 'a.gguf': noise(3000), 'b.gguf': noise(5000) }
    const older = server.commit('maker/gguf', files, 'v1')
    const outcome = await run(['pull', 'maker/gguf', '--revision', 'v1', '--file', 'b.gguf', '--json']).ended
    const { directory, ...rest } = resultOf<{ directory: string }>(outcome)
    expect(rest).toMatchObject({ revision: 'v1', commit: older, files: ['b.gguf'], downloaded: ['b.gguf'] })
    expect(readFileSync(join(directory, 'b.gguf')).equals(noise(5000))).toBe(true)
  })

  it.each<[code: number, message: RegExp, args: string[], changes: Record<string, string>]>([
    [2, /expected a model's name OWNER\/NAME .* got "gpt2"/, ['gpt2'], {}],
    [2, /revision: expected a branch, a tag or a commit, got "\.\.\/x"/, [name, '--revision', '../x'], {}],
    [2, /HF_ENDPOINT: expected an address/, [name], { HF_ENDPOINT: 'mirror' }],
    [3, /maker\/nothing: 127\.0\.0\.1:\d+ has no model of this name/, ['maker/nothing'], {}],
    [3, /has no revision 'v9'/, [name, '--revision', 'v9'], {}],
    [3, /there is no file x\.gguf/, [name, '--file', 'x.gguf'], {}],
    [3, /not in the cache .* HF_HUB_OFFLINE forbids/, [name], { HF_HUB_OFFLINE: '1' }],
    [1, /127\.0\.0\.1:1024: cannot be reached \(ECONNREFUSED\)/, [name], { HF_ENDPOINT: 'http://127.0.0.1:1024' }],
    [1, /hub\.invalid: cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/, [name], { HF_ENDPOINT: 'http://hub.invalid' }],
  ])('exits with %d: %s', async (code, message, args, changes) => {
    const outcome = await run(['pull', ...args], changes).ended
    expect(outcome).toEqual({ code, stdout: '', stderr: expect.stringMatching(/^heddle: [^\n]+\n$/) })
    expect(outcome.stderr).toMatch(message)
    expect(existsSync(join(cache, 'models--maker--tiny', 'refs'))).toBe(false)
  })

  it('goes on after what may pass', async () => {
    server.fail({ path: '/revision/', status: 429, headers: { 'retry-after': '0' } })
    server.fail({ path: '/cdn/', reset: 100_000 })
    server.fail({ path: '/cdn/', status: 503, headers: { 'retry-after': '0' } })
    const { code, stderr } = await run(['pull', 'maker/other']).ended
    expect(code).toBe(0)
    expect(stderr).toMatch(/^heddle: 127\.0\.0\.1:\d+: HTTP 429 for maker\/other; trying again$/m)
    expect(stderr).toMatch(/^heddle: localhost:\d+: the connection failed \(UND_ERR_SOCKET\); trying again in 1 s$/m)
    expect(isWhole(inOther('blobs', large))).toBe(true)
  })

  it('refuses a file with another checksum, and keeps nothing of it', async () => {
    server.fail({ path: '/cdn/', content: noise(400_000, 3) })
    const { code, stdout, stderr } = await run(['pull', 'maker/other']).ended
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    expect(stderr).toMatch(
      /heddle: maker\/other: model\.safetensors has the checksum [0-9a-f]{64}, expected 400000 bytes/,
    )
    expect(readdirSync(inOther('blobs')).filter((blob) => blob.startsWith(large))).toEqual([])
  })
})

describe('a download', () => {
  it('is stopped by Ctrl-C, and gone on with', async () => {
    server.fail({ path: '/cdn/', slow: 10 })
    const running = run(['pull', 'maker/other'])
    await running.says(/^tokenizer\.json/m)
    await until(() => existsSync(inOther('blobs', `${large}.incomplete`)))
    running.process.kill('SIGINT')
    const { code, stdout, stderr } = await running.ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^heddle: interrupted; what was downloaded is kept/m)
    expect(existsSync(inOther('snapshots'))).toBe(false)
    const { length } = readFileSync(inOther('blobs', `${large}.incomplete`))
    expect(length).toBeLessThan(400_000)
    expect((await run(['pull', 'maker/other']).ended).code).toBe(0)
    expect(server.downloads('/cdn/').at(-1)?.range).toBe(length === 0 ? undefined : `bytes=${length}-`)
    expect(isWhole(inOther('blobs', large))).toBe(true)
  })

  it('is gone on with after a kill, whose lock is nobody’s', async () => {
    server.fail({ path: '/cdn/', slow: 10 })
    const running = run(['pull', 'maker/other'])
    await until(() => sizeOf(inOther('blobs', `${large}.incomplete`)) > 2000)
    running.process.kill('SIGKILL')
    await running.ended
    expect(readdirSync(join(cache, '.locks/models--maker--other'))).toEqual([`${large}.heddle.lock`])
    const left = sizeOf(inOther('blobs', `${large}.incomplete`))
    const { code, stderr } = await run(['pull', 'maker/other']).ended
    expect(code, stderr).toBe(0)
    expect(server.downloads('/cdn/').at(-1)?.range).toBe(`bytes=${left}-`)
    expect(isWhole(inOther('blobs', large))).toBe(true)
  })

  it('is made once by two processes', async () => {
    server.fail({ path: '/cdn/', slow: 1 })
    const outcomes = await Promise.all([0, 1].map(() => run(['pull', 'maker/other', '--json']).ended))
    const results = outcomes.map((outcome) => resultOf<{ directory: string; downloaded: string[] }>(outcome))
    expect(results[0].directory).toBe(results[1].directory)
    expect(server.downloads('/cdn/')).toHaveLength(1)
    expect(results.flatMap(({ downloaded }) => downloaded).filter((file) => file === 'model.safetensors')).toHaveLength(
      1,
    )
    expect(outcomes.map(({ stderr }) => stderr).join('')).toMatch(
      /model\.safetensors: another process is downloading it/,
    )
    expect(isWhole(join(results[1].directory, 'model.safetensors'))).toBe(true)
    expect(readdirSync(inOther('blobs')).filter((blob) => blob.includes('.'))).toEqual([])
  })
})

describe("a model's name in the place of a directory", () => {
  const ids = ['--ids', '1,2,3', '--json']

  it('downloads the model at first, and later needs no network', async () => {
    const expected = await heddleJson('logits', '--model', checkpoint, '--ids', '1,2,3')
    const first = await run(['logits', '--model', name, ...ids]).ended
    expect(resultOf(first)).toEqual(expected)
    expect(first.stderr).toMatch(
      /^heddle: maker\/tiny: no such directory and not in the cache; downloading it from http/,
    )
    const { length } = server.seen
    const nowhere: Record<string, string>[] = [{}, { HF_HUB_OFFLINE: '1' }, { HF_ENDPOINT: 'http://127.0.0.1:1024' }]
    for (const changes of nowhere) {
      expect(parseOnlyLine(await run(['logits', '--model', `${name}@main`, ...ids], changes).ended)).toEqual(expected)
    }
    expect(server.seen).toHaveLength(length)
  })

  it('is a directory where there is one', async () => {
    mkdirSync(at('owner/empty'), { recursive: true })
    const { code, stderr } = await run(['logits', '--model', 'owner/empty', ...ids]).ended
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringMatching(/owner\/empty: has no config\.json/) })
    const mistyped = await run(['logits', '--model', 'owner/emtpy', ...ids]).ended
    expect(mistyped.code).toBe(3)
    expect(mistyped.stderr).toMatch(/owner\/emtpy: no such directory in owner; .*: heddle pull owner\/emtpy\n$/)
    expect(server.seen).toEqual([])
  })

  it('starts a training, which keeps the name in its recipe and goes on without the network', async () => {
    const recipe = at('from.yaml')
    const data = { train: at('text.txt') }
    const train = { steps: 2, batchSize: 2, checkpointEvery: 1 }
    writeFileSync(recipe, JSON.stringify({ model: { from: name }, data, train }))
    const out = at(`run-from-${count}`)
    resultOf(await run(['train', recipe, '--out', out, '--json']).ended)
    expect(readFileSync(join(out, 'recipe.yaml'), 'utf8')).toMatch(/^ {2}from: maker\/tiny$/m)
    const { length } = server.seen
    const state = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))
    writeFileSync(join(out, 'run.json'), JSON.stringify({ ...state, status: 'stopped', result: undefined }))
    const again = ['train', recipe, '--out', out, '--resume', '--json', '--set', 'train.steps=3']
    resultOf(await run(again, { HF_HUB_CACHE: at('nowhere'), HF_HUB_OFFLINE: '1' }).ended)
    expect(server.seen).toHaveLength(length)
  })
})

if (python === undefined) console.log('skipped: HEDDLE_PYTHON or python3 with torch and transformers is not there')

describe.skipIf(python === undefined)("Python's huggingface_hub", () => {
  interface Scan {
    readonly warnings: string[]
    readonly repositories: Record<string, Record<string, { refs: string[]; files: Record<string, object> }>>
  }

  /** Not started and waited for at once: the server runs in this process. */
  async function ask<Result>(args: readonly string[], changes: Record<string, string> = {}): Promise<Result> {
    const script = join(root, 'test/parity/reference/check_hub_cache.py')
    const quiet = { OMP_NUM_THREADS: '1', CUDA_VISIBLE_DEVICES: '', HF_HUB_DISABLE_PROGRESS_BARS: '1' }
    const env = environment({ ...quiet, HF_HUB_DISABLE_TELEMETRY: '1', ...changes })
    const { code, stdout, stderr } = await start(python ?? 'python3', [script, ...args], { env }).ended
    expect(code, stderr).toBe(0)
    return JSON.parse(stdout)
  }

  it('opens what heddle pull has downloaded, without a network', async () => {
    await run(['pull', name]).ended
    const { warnings, repositories } = await ask<Scan>(['scan'])
    expect(warnings).toEqual([])
    expect(Object.keys(repositories)).toEqual([name])
    expect(repositories[name][commit].refs).toEqual(['main'])
    const bytes = readFileSync(join(checkpoint, 'model.safetensors'))
    expect(repositories[name][commit].files['model.safetensors']).toEqual({
      blob: digest('sha256', bytes),
      size: bytes.length,
    })
    const { length } = server.seen
    const text = 'the sea sang'
    const found = await ask<{ ids: number[]; logits: number[][] }>(['open', name, text], { HF_HUB_OFFLINE: '1' })
    const options = ['--model', checkpoint, '--ids', found.ids.join()]
    const { logits } = await heddleJson<{ logits: number[][] }>('logits', ...options)
    expect(found.ids).toHaveLength(text.length)
    expect(largestDifference(found.logits.flat(), logits.flat())).toBeLessThan(1e-4)
    expect(server.seen).toHaveLength(length)
    // And online it finds that there is nothing to download.
    await ask(['download', name, 'config.json', 'model.safetensors', 'tokenizer*'])
    expect(server.downloads('/cdn/').filter(({ path }) => path.endsWith('/model.safetensors'))).toHaveLength(1)
  })

  it('makes a cache that heddle opens, without a network', async () => {
    const { directory } = await ask<{ directory: string }>(['download', name])
    const { length } = server.seen
    const outcome = await run(['logits', '--model', name, '--ids', '1,2,3', '--json']).ended
    expect(parseOnlyLine(outcome)).toEqual(await heddleJson('logits', '--model', checkpoint, '--ids', '1,2,3'))
    expect(server.seen).toHaveLength(length)
    const pulled = parseOnlyLine<{ directory: string; downloaded: string[] }>(await run(['pull', name, '--json']).ended)
    expect(pulled).toMatchObject({ directory, downloaded: [] })
    expect(readlinkSync(join(directory, 'config.json'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/)
  })

  it('and heddle download one model at once', async () => {
    server.fail({ path: '/cdn/', slow: 1, times: 9 })
    const [, pulled] = await Promise.all([
      ask<{ directory: string }>(['download', 'maker/other']),
      run(['pull', 'maker/other', '--json']).ended,
    ])
    expect(isWhole(join(resultOf<{ directory: string }>(pulled).directory, 'model.safetensors'))).toBe(true)
    expect((await ask<Scan>(['scan'])).warnings).toEqual([])
    expect(isWhole(inOther('blobs', large))).toBe(true)
  })
})

function sizeOf(path: string): number {
  return existsSync(path) ? readFileSync(path).length : 0
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 3000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(condition()).toBe(true)
}
