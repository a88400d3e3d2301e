import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Environment, hubSettings } from './settings.js'

const folder = mkdtempSync(join(tmpdir(), 'heddle-settings-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('hubSettings', () => {
  it.each<[environment: Environment, cacheDirectory: string]>([
    [{}, join(homedir(), '.cache/huggingface/hub')],
    [{ XDG_CACHE_HOME: '/xdg' }, '/xdg/huggingface/hub'],
    [{ XDG_CACHE_HOME: '/xdg', HF_HOME: '/home' }, '/home/hub'],
    [{ HF_HOME: '/home', HUGGINGFACE_HUB_CACHE: '/older' }, '/older'],
    [{ HF_HOME: '/home', HUGGINGFACE_HUB_CACHE: '/older', HF_HUB_CACHE: '/cache' }, '/cache'],
    [{ HF_HUB_CACHE: '' }, join(homedir(), '.cache/huggingface/hub')],
    [{ HF_HUB_CACHE: '~/models' }, join(homedir(), 'models')],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's
    [{ HF_HUB_CACHE: '$DISK/${NAME}/$OTHER', DISK: '/disk', NAME: 'hub' }, '/disk/hub/$OTHER'],
  ])('finds the cache with %j', (environment, cacheDirectory) => {
    expect(hubSettings(environment).cacheDirectory).toBe(cacheDirectory)
  })

  it('finds the token: in the variable, else where Python has written it', () => {
    writeFileSync(join(folder, 'token'), 'hf_file\n')
    writeFileSync(join(folder, 'other'), 'hf_other')
    const token = (environment: Environment) => hubSettings({ HF_HOME: folder, ...environment }).token
    expect(token({})).toBe('hf_file')
    expect(token({ HF_TOKEN_PATH: join(folder, 'other') })).toBe('hf_other')
    expect(token({ HF_TOKEN: ' hf_set\n' })).toBe('hf_set')
    expect(token({ HUGGING_FACE_HUB_TOKEN: 'hf_older' })).toBe('hf_older')
    expect(token({ HF_TOKEN: 'hf_set', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toBeUndefined()
    expect(token({ HF_HOME: join(folder, 'nowhere') })).toBeUndefined()
  })

  it('reads the switches and times', () => {
    expect(hubSettings({ HF_HOME: folder })).toMatchObject({
      endpoint: 'https://huggingface.co',
      offline: false,
      symlinks: true,
      answerSeconds: 30,
      stallSeconds: 30,
    })
    const environment = { HF_ENDPOINT: 'https://mirror/hf//', HF_HUB_OFFLINE: 'yes', HF_HUB_DISABLE_SYMLINKS: 'on' }
    const times = { HF_HUB_ETAG_TIMEOUT: '5', HF_HUB_DOWNLOAD_TIMEOUT: 'long' }
    expect(hubSettings({ HF_HOME: folder, ...environment, ...times })).toMatchObject({
      endpoint: 'https://mirror/hf',
      offline: true,
      symlinks: false,
      answerSeconds: 5,
      stallSeconds: 30,
    })
    expect(hubSettings({ TRANSFORMERS_OFFLINE: '1' }).offline).toBe(true)
    expect(hubSettings({ HF_HUB_OFFLINE: '0' }).offline).toBe(false)
  })
})
