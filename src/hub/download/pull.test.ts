import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digest, gitSha1, HubServer, type HubServerOptions, noise } from '../../../test/e2e/hub-server.js'
import { CheckpointError, HeddleError, NetworkError, UsageError } from '../../errors.js'
import { type PullOptions, pullModel } from './pull.js'
import { type HubSettings, hubSettings } from './settings.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-pull-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const weights = noise(300_000)
const config = '{"model_type": "gpt2"}'
const files = { 'config.json': config, 'tokenizer.json': '{}', 'README.md': 'no', 'model.safetensors': weights }
const name = 'maker/model'
const large = digest('sha256', weights)

function expectBytes(path: string, bytes: Uint8Array): void {
  expect(digest('sha256', readFileSync(path))).toBe(digest('sha256', bytes))
}

let server: HubServer
let cacheDirectory: string
let count = 0

beforeEach(async () => {
  await open({})
})
afterEach(() => server.close())

async function open(options: HubServerOptions): Promise<void> {
  await server?.close()
  server = await HubServer.start(options)
  cacheDirectory = join(folder, String(count++))
}

function settings(changes: Partial<HubSettings> = {}): HubSettings {
  return { ...hubSettings({}), token: undefined, endpoint: server.url, cacheDirectory, ...changes }
}

const pull = (options: PullOptions = {}, model = name) =>
  pullModel(model, { pauses: [0, 0], ...options, settings: settings(options.settings) })

const inModel = (...parts: string[]) => join(cacheDirectory, 'models--maker--model', ...parts)

/** The whole files that are in the cache, of all kinds. */
const blobs = () => (existsSync(inModel('blobs')) ? readdirSync(inModel('blobs')).sort() : [])

describe('pullModel', () => {
  it("makes Hugging Face's cache layout of what a model needs, and no more", async () => {
    const commit = server.commit(name, { ...files, 'generation_config.json': '{"a": 1}', 'onnx/model.onnx': 'x' })
    const pulled = await pull()
    expect(pulled).toMatchObject({ model: name, revision: 'main', commit, directory: inModel('snapshots', commit) })
    expect([...pulled.downloaded].sort()).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
    ])
    expect(readdirSync(pulled.directory).sort()).toEqual([...pulled.downloaded].sort())
    expect(readFileSync(inModel('refs/main'), 'utf8')).toBe(commit)
    expect(readlinkSync(join(pulled.directory, 'model.safetensors'))).toBe(`../../blobs/${large}`)
    expectBytes(join(pulled.directory, 'model.safetensors'), weights)
    expect(readlinkSync(join(pulled.directory, 'config.json'))).toBe(`../../blobs/${gitSha1(Buffer.from(config))}`)
    expect(readFileSync(join(pulled.directory, 'config.json'), 'utf8')).toBe(config)
    expect(blobs().filter((blob) => blob.includes('.'))).toEqual([])
    expect(readdirSync(inModel('.no_exist', commit))).toContain('chat_template.jinja')
    expect(readdirSync(join(cacheDirectory, '.locks/models--maker--model'))).toEqual([])
  })

  it('asks only for what has changed, and shares equal files between commits', async () => {
    const first = server.commit(name, files)
    await pull()
    const again = await pull()
    expect(again.downloaded).toEqual([])
    const second = server.commit(name, { ...files, 'config.json': '{"model_type": "bert"}' })
    const pulled = await pull()
    expect(pulled).toMatchObject({ commit: second, downloaded: ['config.json'] })
    expect(server.downloads('/cdn/')).toHaveLength(1)
    expectBytes(join(pulled.directory, 'model.safetensors'), weights)
    expect(readFileSync(inModel('refs/main'), 'utf8')).toBe(second)
    expect(readFileSync(inModel('snapshots', first, 'config.json'), 'utf8')).toBe(config)
  })

  it('takes a branch, a tag, a pull request or a commit', async () => {
    const first = server.commit(name, files, 'v1')
    const main = server.commit(name, { ...files, 'config.json': '{}' })
    const proposed = server.commit(name, { ...files, 'config.json': '[]' }, 'refs/pr/2')
    expect((await pull({ revision: 'v1' })).commit).toBe(first)
    expect((await pull({}, `${name}@${main}`)).commit).toBe(main)
    expect((await pull({ revision: 'refs/pr/2' })).commit).toBe(proposed)
    expect(readFileSync(inModel('refs/refs/pr/2'), 'utf8')).toBe(proposed)
    expect(existsSync(inModel('refs', main))).toBe(false)
    // A commit never changes: what the cache has of it is not asked for again.
    const requests = server.seen.length
    expect((await pull({ revision: first })).directory).toBe(inModel('snapshots', first))
    expect(server.seen).toHaveLength(requests)
  })

  it('downloads the shards that the index names', async () => {
    const map = {
      'a.weight': 'model-1.safetensors',
      'b.weight': 'model-2.safetensors',
      'c.weight': 'model-1.safetensors',
    }
    const shards = { 'model-1.safetensors': weights, 'model-2.safetensors': noise(2000, 5), 'model-3.safetensors': 'x' }
    const index = JSON.stringify({ weight_map: map })
    server.commit(name, { 'config.json': config, 'model.safetensors.index.json': index, ...shards })
    const { directory } = await pull()
    expect(readdirSync(directory).sort()).toEqual([
      'config.json',
      'model-1.safetensors',
      'model-2.safetensors',
      'model.safetensors.index.json',
    ])
    expectBytes(join(directory, 'model-1.safetensors'), weights)
  })

  it('takes the .gguf that is asked for, or the only one', async () => {
    server.commit(name, { 'README.md': '', 'a-q4.gguf': noise(3000), 'a-q8.gguf': noise(4000) })
    await expect(pull()).rejects.toThrow(`${name}: choose one of its files with --file: a-q4.gguf, a-q8.gguf`)
    const { directory } = await pull({ file: 'a-q8.gguf' })
    expect(readdirSync(directory)).toEqual(['a-q8.gguf'])
    server.commit('maker/other', { 'b.gguf': noise(3000) })
    expect((await pull({}, 'maker/other')).files).toEqual(['b.gguf'])
  })

  it('makes copies where links are not wanted', async () => {
    server.commit(name, files)
    const { directory } = await pull({ settings: { symlinks: false } })
    expect(lstatSync(join(directory, 'model.safetensors')).isFile()).toBe(true)
    expectBytes(join(directory, 'model.safetensors'), weights)
    expect((await pull({ settings: { symlinks: false } })).downloaded).toEqual([])
  })

  it('works through a mirror with a path and without lengths and checksums in its lists', async () => {
    await open({ prefix: '/hugging/face', bareLists: true })
    server.commit(name, files)
    const { directory, downloaded } = await pull()
    expect(downloaded).toHaveLength(3)
    expect(readlinkSync(join(directory, 'model.safetensors'))).toBe(`../../blobs/${large}`)
    expectBytes(join(directory, 'model.safetensors'), weights)
  })

  it('tells how far each file is', async () => {
    server.commit(name, files)
    const seen: string[] = []
    await pull({ onProgress: ({ file, received, size, done }) => seen.push(`${file} ${received}/${size} ${done}`) })
    expect(seen).toContain('model.safetensors 0/300000 false')
    expect(seen.filter((line) => line.endsWith('true')).sort()).toEqual([
      'config.json 22/22 true',
      'model.safetensors 300000/300000 true',
      'tokenizer.json 2/2 true',
    ])
  })

  it('gives the token to the hub and to nobody else', async () => {
    server.commit(name, files)
    server.protect(name, 'hf_secret')
    await pull({ settings: { token: 'hf_secret' } })
    const tokens = (host: string) =>
      new Set(server.seen.filter((request) => request.server === host).map(({ authorization }) => authorization))
    expect(tokens('hub')).toEqual(new Set(['Bearer hf_secret']))
    expect(tokens('cdn')).toEqual(new Set([undefined]))
  })
})

describe('a connection that fails', () => {
  it.each<[what: string, fault: Parameters<HubServer['fail']>[0], messages: RegExp]>([
    ['429', { path: '/revision/', status: 429, headers: { 'retry-after': '0' } }, /HTTP 429 for maker\/model; trying/],
    ['500', { path: '/revision/', status: 500 }, /HTTP 500 for maker\/model/],
    ['503 of a file', { path: '/cdn/', status: 503, times: 2 }, /HTTP 503 for maker\/model: model\.safetensors/],
    ['a reset', { path: '/cdn/', reset: 100_000 }, /the connection failed/],
    ['a reset of the list', { path: '/revision/', reset: 3 }, /the connection failed/],
    ['a body that ends early', { path: '/cdn/', end: 100_000 }, /ended after 100000 of 300000 bytes/],
    ['a stall', { path: '/cdn/', stall: 100_000 }, /no answer for 0\.3 s/],
  ])('%s', async (_what, fault, expected) => {
    server.commit(name, files)
    server.fail(fault)
    const messages: string[] = []
    const { directory } = await pull({
      settings: { stallSeconds: 0.3 },
      onMessage: (message) => messages.push(message),
    })
    expectBytes(join(directory, 'model.safetensors'), weights)
    expect(messages.join('\n')).toMatch(expected)
    if ('reset' in fault && fault.path === '/cdn/') {
      expect(server.downloads('/cdn/').map(({ range }) => range)).toEqual([
        undefined,
        expect.stringMatching(/^bytes=[1-9]\d*-$/),
      ])
    }
  })

  it('ends in an error that names the host, and what came is gone on with next time', async () => {
    server.commit(name, files)
    server.fail({ path: '/cdn/', reset: 100_000 })
    server.fail({ path: '/cdn/', status: 502, times: 3 })
    const failure = pull()
    await expect(failure).rejects.toThrow(/^localhost:\d+: HTTP 502 for maker\/model: model\.safetensors$/)
    await expect(failure).rejects.toBeInstanceOf(NetworkError)
    expect(existsSync(inModel('refs/main'))).toBe(false)
    expect(existsSync(inModel('snapshots'))).toBe(false)
    expect(blobs()).toContain(`${large}.incomplete`)
    expect(blobs()).not.toContain(large)
    const left = readFileSync(inModel('blobs', `${large}.incomplete`)).length
    const { directory } = await pull()
    expect(server.downloads('/cdn/').at(-1)?.range).toBe(`bytes=${left}-`)
    expectBytes(join(directory, 'model.safetensors'), weights)
    expect(blobs()).not.toContain(`${large}.incomplete`)
  })

  it('says which host cannot be reached, without waiting for it', async () => {
    const endpoint = server.url
    await server.close()
    const messages: string[] = []
    const failure = pull({ settings: { endpoint }, pauses: [60], onMessage: (message) => messages.push(message) })
    await expect(failure).rejects.toThrow(/^127\.0\.0\.1:\d+: cannot be reached \(ECONNREFUSED\); check the network/)
    expect(messages).toEqual([])
    server = await HubServer.start()
  })

  it('gives up on a server that lets one wait too long', async () => {
    server.commit(name, files)
    server.fail({ path: '/revision/', status: 429, headers: { 'retry-after': '3600' } })
    await expect(pull()).rejects.toThrow(/HTTP 429 for maker\/model/)
  })

  it('does not wait for a server that has stopped in the middle of its list', async () => {
    server.commit(name, files)
    server.fail({ path: '/revision/', status: 200, body: '<html>Sign in to this network</html>' })
    await expect(pull()).rejects.toThrow(/expected JSON, got something else; is HF_ENDPOINT a hub\?/)
  })

  it('is followed neither in circles nor to what is not the web', async () => {
    server.commit(name, files)
    server.fail({
      path: '/revision/',
      status: 302,
      headers: { location: `/api/models/${name}/revision/main` },
      times: 99,
    })
    await expect(pull()).rejects.toThrow(/more than 10 redirects/)
    await open({})
    server.commit(name, files)
    server.fail({ path: '/revision/', status: 302, headers: { location: 'file:///etc/passwd' } })
    await expect(pull()).rejects.toThrow(/redirects to where it is not safe to go \("file:/)
  })
})

describe('what an earlier download has left', () => {
  const leave = (bytes: Uint8Array) => {
    mkdirSync(inModel('blobs'), { recursive: true })
    writeFileSync(inModel('blobs', `${large}.incomplete`), bytes)
  }
  const ranges = () => server.downloads('/cdn/').map(({ range }) => range)

  it.each<[what: string, bytes: Uint8Array, noRange: boolean, expected: (string | undefined)[]]>([
    ['is gone on with', weights.subarray(0, 1234), false, ['bytes=1234-']],
    ['is all there was to download', weights, false, []],
    ['is sent again by a server without ranges', weights.subarray(0, 1234), true, ['bytes=1234-']],
    ['is of another file', noise(1234, 9), false, ['bytes=1234-', undefined]],
    ['is longer than the file', Buffer.concat([weights, weights]), false, [undefined]],
    ['is another file of the same length', noise(300_000, 9), false, [undefined]],
  ])('%s', async (_what, bytes, noRange, expected) => {
    server.commit(name, files)
    leave(bytes)
    if (noRange) server.fail({ path: '/cdn/', noRange })
    const { directory } = await pull()
    expect(ranges()).toEqual(expected)
    expectBytes(join(directory, 'model.safetensors'), weights)
  })

  it('is refused by the server (416)', async () => {
    server.commit(name, files)
    leave(weights.subarray(0, 1234))
    server.fail({ path: '/cdn/', status: 416 })
    const { directory } = await pull()
    expect(ranges()).toEqual(['bytes=1234-', undefined])
    expectBytes(join(directory, 'model.safetensors'), weights)
  })

  it('is not joined to a file that was replaced meanwhile', async () => {
    await open({ bareLists: true })
    const commit = server.commit(name, files)
    const other = noise(250_000, 7)
    server.fail({ path: '/cdn/', reset: 100_000 })
    let isReplaced = false
    const { directory } = await pull({
      onProgress: ({ file, received }) => {
        if (isReplaced || file !== 'model.safetensors' || received === 0) return
        isReplaced = true
        server.replace(name, commit, 'model.safetensors', other)
      },
    })
    expectBytes(join(directory, 'model.safetensors'), other)
    expect(readlinkSync(join(directory, 'model.safetensors'))).toBe(`../../blobs/${digest('sha256', other)}`)
    expect(blobs()).not.toContain(large)
    expect(blobs().filter((blob) => blob.endsWith('.incomplete'))).toEqual([])
  })

  it('is bound to its ETag where that is no checksum, and never used by a later download', async () => {
    await open({ bareLists: true })
    server.commit(name, { ...files, 'tokenizer.json': 'x'.repeat(900) })
    const headers = { etag: '"version-7"' }
    server.fail({ path: 'tokenizer.json', method: 'HEAD', headers })
    server.fail({ path: 'tokenizer.json', method: 'GET', headers, reset: 500 })
    server.fail({ path: 'tokenizer.json', method: 'GET', headers, times: 9 })
    mkdirSync(inModel('blobs'), { recursive: true })
    writeFileSync(inModel('blobs/version-7.incomplete'), 'rubbish')
    const { directory } = await pull()
    const [first, second] = server.downloads('tokenizer.json')
    expect(first).toMatchObject({ range: undefined, ifRange: undefined })
    expect(second).toMatchObject({ range: 'bytes=500-', ifRange: '"version-7"' })
    expect(readFileSync(join(directory, 'tokenizer.json'), 'utf8')).toBe('x'.repeat(900))
  })
})

describe('a file that is not the one', () => {
  const other = Buffer.from(weights)
  other[299_999] ^= 1

  it.each<[what: string, content: Uint8Array, message: RegExp]>([
    [
      'has another checksum',
      other,
      /model\.safetensors has the checksum [0-9a-f]{64}, expected 300000 bytes and checksum/,
    ],
    ['is shorter', weights.subarray(0, 299_999), /is announced with 299999 bytes, expected 300000 bytes/],
    ['is longer', Buffer.concat([weights, other]), /is announced with 600000 bytes, expected 300000 bytes/],
  ])('%s', async (_what, content, message) => {
    server.commit(name, files)
    server.fail({ path: '/cdn/', content })
    const failure = pull()
    await expect(failure).rejects.toThrow(message)
    await expect(failure).rejects.toBeInstanceOf(CheckpointError)
    expect(blobs().filter((blob) => blob.startsWith(large))).toEqual([])
    expect(existsSync(inModel('snapshots'))).toBe(false)
    expect(existsSync(inModel('refs'))).toBe(false)
  })

  it('is longer, and its length was not announced', async () => {
    server.commit(name, files)
    server.fail({ path: '/cdn/', content: Buffer.concat([weights, other]), end: 600_000 })
    await expect(pull()).rejects.toThrow(/model\.safetensors is longer, expected 300000 bytes/)
    expect(blobs().filter((blob) => blob.startsWith(large))).toEqual([])
  })

  it("is small, and judged by git's checksum", async () => {
    server.commit(name, files)
    server.fail({ path: 'resolve', method: 'GET', times: 3, content: Buffer.from('{"model_type": "gpt3"}') })
    await expect(pull()).rejects.toThrow(/config\.json (has the checksum|is announced)|tokenizer\.json is announced/)
    expect(existsSync(inModel('snapshots'))).toBe(false)
  })

  it('is gone from the blobs, though the snapshot links to it', async () => {
    const commit = server.commit(name, files)
    await pull()
    rmSync(inModel('blobs', large))
    expect((await pull()).downloaded).toEqual(['model.safetensors'])
    expectBytes(inModel('snapshots', commit, 'model.safetensors'), weights)
  })

  it('has another length than the list says, in the cache', async () => {
    const commit = server.commit(name, files)
    await pull()
    writeFileSync(inModel('blobs', large), 'short')
    expect((await pull()).downloaded).toEqual(['model.safetensors'])
    expectBytes(inModel('snapshots', commit, 'model.safetensors'), weights)
  })
})

describe('what is not there or not for everybody', () => {
  it.each<[what: string, model: string, options: PullOptions, message: RegExp]>([
    [
      'no model',
      'maker/nothing',
      {},
      /^maker\/nothing: 127\.0\.0\.1:\d+ has no model of this name, or a private one needs HF_TOKEN$/,
    ],
    ['no revision', name, { revision: 'v9' }, /has no revision 'v9' of this model/],
    [
      'no file',
      name,
      { file: 'model.gguf' },
      /maker\/model: there is no file model\.gguf; there are config\.json, tokenizer\.json, README\.md, model\.safe/,
    ],
    ['a gated model', 'maker/gated', {}, /its owner asks for consent; agree on http:.*\/maker\/gated and set HF_TOKEN/],
    ['a token of somebody else', 'maker/gated', { settings: { token: 'hf_x' } }, /asks for consent/],
    ['no weights', 'maker/empty', {}, /expected model\.safetensors, .* found none of them but README\.md/],
    [
      'a pickle',
      'maker/pickle',
      {},
      /pytorch_model\.bin is a Python pickle, which runs code when it is opened .*AutoModel\.from_pretrained\('maker\/pickle'\)/,
    ],
    ['a pickle that is asked for', name, { file: 'x/pytorch_model.bin' }, /is a Python pickle/],
    [
      'offline',
      'maker/other',
      { settings: { offline: true } },
      /maker\/other: not in the cache .*, and HF_HUB_OFFLINE forbids/,
    ],
  ])('%s', async (_what, model, options, message) => {
    server.commit(name, files)
    server.commit('maker/gated', files)
    server.protect('maker/gated', 'hf_secret', true)
    server.commit('maker/empty', { 'README.md': '' })
    server.commit('maker/pickle', { 'config.json': config, 'pytorch_model.bin': noise(2000) })
    const failure = pull(options, model)
    await expect(failure).rejects.toThrow(message)
    await expect(failure).rejects.toBeInstanceOf(CheckpointError)
    expect(server.downloads('/cdn/')).toEqual([])
  })

  it('a name that is none', async () => {
    for (const wrong of ['gpt2', '../model', 'a/b/c', 'maker/model@', 'maker/mo--del', 'maker/..', '-a/b']) {
      await expect(pull({}, wrong)).rejects.toBeInstanceOf(UsageError)
    }
    await expect(pull({ revision: '../../x' })).rejects.toThrow(/revision: expected a branch, a tag or a commit/)
    await expect(pull({ revision: 'a' }, `${name}@b`)).rejects.toThrow(/revision: expected none/)
    await expect(pull({ settings: { endpoint: 'ftp://x' } })).rejects.toThrow(/^HF_ENDPOINT: expected an address/)
    await expect(pull({ settings: { token: 'a\nb' } })).rejects.toThrow(/^HF_TOKEN: expected a token/)
  })
})

describe('a hostile repository', () => {
  it.each(['../../../evil', '/etc/evil', 'a/../../evil', 'a\0b', './config.json', 'a//b'])(
    'with a file %j',
    async (path) => {
      server.commit(name, { ...files, [path]: 'evil' })
      await expect(pull()).rejects.toThrow(/leads out of the repository; do not use it/)
      expect(existsSync(cacheDirectory)).toBe(false)
    },
  )

  it.each(['../../evil.safetensors', '/etc/passwd', 'a\\b.safetensors', 'absent.safetensors', 'pytorch_model.bin'])(
    'whose index names the shard %j',
    async (shard) => {
      const index = JSON.stringify({ weight_map: { w: shard } })
      server.commit(name, { 'config.json': config, 'model.safetensors.index.json': index, 'pytorch_model.bin': 'x' })
      await expect(pull()).rejects.toBeInstanceOf(CheckpointError)
      expect(existsSync(inModel('snapshots'))).toBe(false)
    },
  )

  it.each(['../../evil', '..', 'a/b', '.git', 'x.incomplete', ''])('whose file has the ETag %j', async (etag) => {
    await open({ bareLists: true })
    server.commit(name, { 'config.json': config, 'model.safetensors': 'tiny' })
    server.fail({ path: 'config.json', method: 'HEAD', headers: { etag: `"${etag}"` } })
    await expect(pull()).rejects.toThrow(/config\.json: expected an ETag of the file/)
    expect(readdirSync(folder).filter((entry) => entry.includes('evil'))).toEqual([])
  })

  it('whose commit would be another folder', async () => {
    server.commit(name, files)
    server.fail({ path: '/revision/', status: 200, body: JSON.stringify({ sha: '../../../evil', siblings: [] }) })
    await expect(pull()).rejects.toThrow(/not the answer of a hub \('sha'/)
  })

  it('does not write through a folder of the snapshot that is a link', async () => {
    const commit = server.commit(name, { ...files, '1_Pooling/config.json': '{"evil": true}' })
    const outside = join(folder, 'outside')
    mkdirSync(outside, { recursive: true })
    mkdirSync(inModel('snapshots', commit), { recursive: true })
    symlinkSync(outside, inModel('snapshots', commit, '1_Pooling'))
    await expect(pull()).rejects.toThrow(/1_Pooling: expected a folder, found a link that leads out of/)
    expect(readdirSync(outside)).toEqual([])
  })
})

describe('a download that is stopped', () => {
  it('leaves what can be gone on with, and nothing else', async () => {
    server.commit(name, files)
    server.fail({ path: '/cdn/', slow: 5 })
    const stop = new AbortController()
    const failure = pull({
      signal: stop.signal,
      onProgress: ({ received, size }) => size === 300_000 && received > 20_000 && stop.abort(),
    })
    await expect(failure).rejects.toThrow(/^interrupted; what was downloaded is kept/)
    await expect(failure).rejects.toBeInstanceOf(HeddleError)
    const left = readFileSync(inModel('blobs', `${large}.incomplete`))
    expect(left.length).toBeGreaterThan(20_000)
    expect(left.equals(weights.subarray(0, left.length))).toBe(true)
    expect(existsSync(inModel('snapshots'))).toBe(false)
    expect(readdirSync(join(cacheDirectory, '.locks/models--maker--model'))).toEqual([])
    await pull()
    expect(server.downloads('/cdn/').at(-1)?.range).toBe(`bytes=${left.length}-`)
  })

  it('does not begin where it is stopped before', async () => {
    server.commit(name, files)
    await expect(pull({ signal: AbortSignal.abort() })).rejects.toThrow(/^interrupted/)
    expect(server.seen).toEqual([])
  })

  it('is one of two of the same model', async () => {
    server.commit(name, files)
    server.fail({ path: '/cdn/', slow: 2 })
    const messages: string[] = []
    const both = await Promise.all([0, 1].map(() => pull({ onMessage: (message) => messages.push(message) })))
    expect(server.downloads('/cdn/')).toHaveLength(1)
    expect(both.map(({ downloaded }) => downloaded.includes('model.safetensors')).sort()).toEqual([false, true])
    expect(messages.join('\n')).toMatch(/model\.safetensors: another process is downloading it; waiting for that/)
    expectBytes(join(both[1].directory, 'model.safetensors'), weights)
  })

  it('has no room on the disk', async () => {
    server.commit(name, { ...files, 'model.safetensors': 'small' })
    const enormous = {
      sha: 'a'.repeat(40),
      siblings: [{ rfilename: 'model.safetensors', size: 9e15, blobId: 'b'.repeat(40) }],
    }
    server.fail({ path: '/revision/', status: 200, body: JSON.stringify(enormous) })
    await expect(pull()).rejects.toThrow(
      /maker\/model needs 9000000000\.0 MB more, [\d.]+ MB are free; free some or set HF_HUB_CACHE/,
    )
  })

  it('cannot write where the cache is', async () => {
    server.commit(name, files)
    mkdirSync(dirname(cacheDirectory), { recursive: true })
    writeFileSync(cacheDirectory, 'a file')
    await expect(pull()).rejects.toThrow(/cannot make the folder/)
  })
})
