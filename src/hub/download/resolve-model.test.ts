import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { HubServer } from '../../../test/e2e/hub-server.js'
import { CheckpointError, NetworkError } from '../../errors.js'
import { type ResolveOptions, resolveModel } from './resolve-model.js'
import { hubSettings } from './settings.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-resolve-'))
let server: HubServer
let cacheDirectory: string
let count = 0
const files = { 'config.json': '{}', 'model.safetensors': 'weights', 'vocab.txt': 'a' }

beforeAll(async () => {
  server = await HubServer.start()
  server.commit('maker/model', files)
})
beforeEach(() => {
  cacheDirectory = join(folder, String(count++))
  server.seen.length = 0
})
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})

function resolve(name: string, { settings, ...options }: ResolveOptions = {}) {
  const base = { ...hubSettings({}), token: undefined, endpoint: server.url, cacheDirectory }
  return resolveModel(name, { pauses: [], ...options, settings: { ...base, ...settings } })
}

/** Makes a snapshot as Python does, which downloads file by file. */
function snapshot(commit: string, names: readonly string[], revision = 'main'): string {
  const at = (...parts: string[]) => join(cacheDirectory, 'models--maker--model', ...parts)
  for (const part of [at('blobs'), at('refs'), at('snapshots', commit)]) mkdirSync(part, { recursive: true })
  writeFileSync(at('refs', revision), commit)
  for (const name of names) {
    writeFileSync(at('blobs', name), JSON.stringify({ weight_map: { w: 'model-1.safetensors' } }))
    symlinkSync(`../../blobs/${name}`, at('snapshots', commit, name))
  }
  return at('snapshots', commit)
}

const commit = '1'.repeat(40)

describe('resolveModel', () => {
  it('takes a path as it is, and leaves to its reader what is neither path nor name', async () => {
    const directory = join(folder, 'owner', 'name')
    mkdirSync(directory, { recursive: true })
    for (const path of [directory, 'missing', './a/b', '/no/where', 'a/b/c']) expect(await resolve(path)).toBe(path)
    expect(server.seen).toEqual([])
  })

  it('downloads a model once, with a message, and later asks nobody', async () => {
    const messages: string[] = []
    const onMessage = (message: string) => messages.push(message)
    const directory = await resolve('maker/model', { onMessage })
    expect(messages).toEqual([`maker/model: no such directory and not in the cache; downloading it from ${server.url}`])
    expect(directory).toContain(join('models--maker--model', 'snapshots'))
    const requests = server.seen.length
    expect(await resolve('maker/model', { onMessage })).toBe(directory)
    expect(await resolve('maker/model', { settings: { offline: true } })).toBe(directory)
    expect({ requests: server.seen.length, messages: messages.length }).toEqual({ requests, messages: 1 })
  })

  it('asks again where that is wanted, and does without where nobody answers', async () => {
    const directory = await resolve('maker/model')
    server.commit('maker/model', { ...files, 'config.json': '{"new": true}' })
    const newer = await resolve('maker/model', { refresh: true })
    expect(newer).not.toBe(directory)
    server.fail({ path: '/revision/', status: 500 })
    const messages: string[] = []
    expect(await resolve('maker/model', { refresh: true, onMessage: (message) => messages.push(message) })).toBe(newer)
    expect(messages).toEqual([expect.stringMatching(/HTTP 500 for maker\/model; using what is in the cache/)])
  })

  it.each<[what: string, names: string[]]>([
    ['whole weights', ['config.json', 'model.safetensors', 'tokenizer.json']],
    ['shards', ['config.json', 'model.safetensors.index.json', 'model-1.safetensors', 'vocab.txt']],
    ['a .gguf', ['a.gguf']],
  ])('finds a snapshot that Python made: %s', async (what, names) => {
    const made = snapshot(commit, names)
    expect(await resolve('maker/model')).toBe(what === 'a .gguf' ? join(made, 'a.gguf') : made)
    expect(await resolve(`maker/model@${commit}`)).toContain(made)
    expect(server.seen).toEqual([])
  })

  it.each<[what: string, names: string[]]>([
    ['no weights', ['config.json', 'tokenizer.json']],
    ['a missing shard', ['config.json', 'model.safetensors.index.json', 'vocab.txt']],
    ['no tokenizer', ['config.json', 'model.safetensors']],
    ['no configuration', ['model.safetensors', 'vocab.txt']],
  ])('completes a snapshot that has %s', async (_what, names) => {
    snapshot(commit, names)
    await expect(resolve('maker/model', { settings: { offline: true } })).rejects.toThrow(/not in the cache/)
    expect(await resolve('maker/model')).not.toContain(commit)
  })

  it('knows that a model has no tokenizer', async () => {
    server.commit('maker/bare', { 'config.json': '{}', 'model.safetensors': 'weights' })
    const directory = await resolve('maker/bare')
    server.seen.length = 0
    expect(await resolve('maker/bare')).toBe(directory)
    expect(server.seen).toEqual([])
  })

  it('needs no weights for a tokenizer', async () => {
    await resolve('maker/model', { parts: 'tokenizer' })
    expect(server.downloads('model.safetensors')).toEqual([])
    expect(server.downloads('vocab.txt')).toHaveLength(1)
    await resolve('maker/model')
    expect(server.downloads('model.safetensors')).toHaveLength(1)
    expect(server.downloads('vocab.txt')).toHaveLength(1)
  })

  it('asks which of several .gguf files is meant', async () => {
    snapshot(commit, ['a.gguf', 'b.gguf'])
    await expect(resolve('maker/model')).rejects.toThrow(/choose one of its files and give its path: a\.gguf, b\.gguf/)
  })

  it('takes a name in a folder that is there for a mistyped path', async () => {
    const before = process.cwd()
    mkdirSync(join(folder, 'maker'), { recursive: true })
    try {
      process.chdir(folder)
      await expect(resolve('maker/modle')).rejects.toThrow(
        'maker/modle: no such directory in maker; for the model of this name on the hub: heddle pull maker/modle',
      )
      await expect(resolve('maker/modle')).rejects.toBeInstanceOf(CheckpointError)
      expect(server.seen).toEqual([])
      const made = snapshot(commit, ['config.json', 'model.safetensors', 'vocab.txt'])
      expect(await resolve('maker/model')).toBe(made)
    } finally {
      process.chdir(before)
    }
  })

  it('says that a name is neither a directory nor a model', async () => {
    await expect(resolve('maker/nothing')).rejects.toThrow(
      /^maker\/nothing: 127\.0\.0\.1:\d+ has no model of this name/,
    )
    const endpoint = 'http://127.0.0.1:1024'
    await expect(resolve('a/b', { settings: { endpoint } })).rejects.toBeInstanceOf(NetworkError)
  })
})
