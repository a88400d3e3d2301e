import { isAbsolute, join, posix, relative, win32 } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CheckpointError } from '../../errors.js'
import { checkListedNames, formatModelName, isBlobName, isSafePath, parseModelName } from './names.js'

/** Names that are made of what file systems treat in special ways. */
const hostileName = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '..',
        '.',
        '/',
        '\\',
        '\0',
        ':',
        'C:',
        '~',
        '$HOME',
        '%2e%2e',
        '\u2215',
        '..;',
        ' ',
        '\n',
        'CON',
        'a',
        '-',
      ),
      fc.string({ unit: 'binary', maxLength: 3 }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))

describe('isSafePath', () => {
  it('lets nothing out of the folder that it is joined to, on any system', () => {
    fc.assert(
      fc.property(hostileName, (name) => {
        if (!isSafePath(name)) return
        for (const system of [posix, win32]) {
          const inside = system.relative('/root/folder', system.join('/root/folder', ...name.split('/')))
          expect(inside).not.toBe('')
          expect(inside.split(/[\\/]/)).not.toContain('..')
          expect(system.isAbsolute(inside)).toBe(false)
        }
      }),
      { numRuns: 5000 },
    )
  })

  it.each(['config.json', '1_Pooling/config.json', 'a..b', '...', 'ä/文', 'refs/pr/1', '-x', 'a b'])(
    'takes %j',
    (name) => {
      expect(isSafePath(name)).toBe(true)
      expect(relative('/x', join('/x', name))).toBe(join(name))
    },
  )

  it.each([
    '',
    '.',
    '..',
    '/',
    '/a',
    'a/',
    'a//b',
    'a/../b',
    './a',
    'a\\b',
    'a\0',
    'C:/a',
    'a\u001b[2J',
    'x'.repeat(1001),
  ])('refuses %j', (name) => {
    expect(isSafePath(name)).toBe(false)
  })
})

describe('checkListedNames', () => {
  it('refuses what no repository can hold, and lets through what is only strange', () => {
    expect(() => checkListedNames(['a\\b', 'C:x', 'ok/ok', '...'], 'hub')).not.toThrow()
    fc.assert(
      fc.property(fc.array(hostileName), (names) => {
        const leaving = names.some((name) => {
          const parts = name.split('/')
          return name.includes('\0') || parts.includes('..') || parts.includes('.') || parts.includes('')
        })
        if (leaving) expect(() => checkListedNames(names, 'hub')).toThrow(CheckpointError)
        else expect(() => checkListedNames(names, 'hub')).not.toThrow()
      }),
      { numRuns: 2000 },
    )
  })
})

describe('isBlobName', () => {
  it('takes entity tags that are one file name', () => {
    for (const etag of ['a'.repeat(64), '7b1e-2', '0x8DC.A=', 'version-7']) expect(isBlobName(etag)).toBe(true)
    fc.assert(
      fc.property(hostileName, (etag) => {
        if (!isBlobName(etag)) return
        for (const system of [posix, win32]) expect(system.basename(system.join('/blobs', etag))).toBe(etag)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('parseModelName', () => {
  it.each<[text: string, repository: string, revision: string]>([
    ['openai-community/gpt2', 'openai-community/gpt2', 'main'],
    ['Qwen/Qwen2.5-0.5B@refs/pr/3', 'Qwen/Qwen2.5-0.5B', 'refs/pr/3'],
    ['a/b@v1.0', 'a/b', 'v1.0'],
    ['_x/y_@607a30d783dfa663caf39e06633721c8d4cfcd7e', '_x/y_', '607a30d783dfa663caf39e06633721c8d4cfcd7e'],
  ])('%s', (text, repository, revision) => {
    const model = parseModelName(text)
    expect(model).toEqual({ repository, revision })
    expect(model && formatModelName(model)).toBe(text)
  })

  it.each([
    'gpt2',
    'a/b/c',
    '/a/b',
    './a',
    '../a',
    'a/..',
    'a/b.',
    '-a/b',
    'a--b/c',
    'a/b..c',
    'a/b.git',
    'a/b@',
    'a/b@../x',
    'a b/c',
    'C:\\a/b',
    'runs/x\\y',
  ])('is no name: %s', (text) => {
    expect(parseModelName(text)).toBeUndefined()
  })

  it('never names a folder outside of the cache', () => {
    fc.assert(
      fc.property(hostileName, hostileName, (owner, name) => {
        const model = parseModelName(`${owner}/${name}`)
        if (model === undefined) return
        const folder = `models--${model.repository.replace('/', '--')}`
        expect(win32.basename(folder)).toBe(folder)
        expect(isAbsolute(folder)).toBe(false)
        expect(isSafePath(model.revision)).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })
})
