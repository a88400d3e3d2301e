import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeddleError } from '../../errors.js'
import { chooseFiles } from './choose-files.js'
import { waitOf } from './connection.js'
import { isBlobName, isSafePath } from './names.js'
import { factsOfAnswer, parseListing } from './repository.js'

const sha = 'c'.repeat(40)
const [git, lfs] = ['a'.repeat(40), 'b'.repeat(64)]

describe('parseListing', () => {
  it('takes checksums and lengths, and of large files those of the file instead of its pointer', () => {
    const siblings = [
      { rfilename: 'config.json', size: 12, blobId: git },
      { rfilename: 'model.safetensors', size: 9, blobId: git, lfs: { sha256: lfs, size: 9, pointerSize: 134 } },
      { rfilename: 'bare' },
      { rfilename: 'strange', size: 9, blobId: git, lfs: { sha256: 'short', size: 9 } },
      { rfilename: 'negative', size: -1, blobId: git },
    ]
    expect(parseListing({ sha, siblings, other: 1 }, 'hub')).toEqual({
      commit: sha,
      files: [
        { path: 'config.json', facts: { etag: git, size: 12 } },
        { path: 'model.safetensors', facts: { etag: lfs, size: 9 } },
        { path: 'bare', facts: undefined },
        { path: 'strange', facts: undefined },
        { path: 'negative', facts: undefined },
      ],
    })
  })

  it('answers whatever a server may say with files that can be written, or an error', () => {
    const sibling = fc.record(
      {
        rfilename: fc.oneof(
          fc.constantFrom('config.json', 'model.safetensors', 'a.gguf', '../x', 'a\\b'),
          fc.anything(),
        ),
        size: fc.oneof(fc.nat(), fc.anything()),
        blobId: fc.oneof(fc.constantFrom(git, '../../x'), fc.anything()),
        lfs: fc.oneof(fc.record({ sha256: fc.constantFrom(lfs, '/etc/x'), size: fc.nat() }), fc.anything()),
      },
      { requiredKeys: [] },
    )
    const answer = fc.oneof(
      fc.anything(),
      fc.record({
        sha: fc.oneof({ weight: 9, arbitrary: fc.constant(sha) }, fc.anything()),
        siblings: fc.array(sibling),
      }),
    )
    let listed = 0
    fc.assert(
      fc.property(answer, (value) => {
        try {
          const { commit, files } = parseListing(value, 'hub')
          listed++
          expect(commit).toBe(sha)
          for (const { facts } of files) if (facts !== undefined) expect(isBlobName(facts.etag)).toBe(true)
          const choice = chooseFiles(
            files.map(({ path }) => path),
            'a/b',
          )
          for (const path of [...choice.small, ...choice.weights]) expect(isSafePath(path)).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(HeddleError)
          // One line that no terminal takes for a command.
          // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
          expect((error as Error).message).not.toMatch(/[\u0000-\u001f]/)
        }
      }),
      { numRuns: 3000 },
    )
    expect(listed).toBeGreaterThan(100)
  })
})

describe('factsOfAnswer', () => {
  const answer = (facts: Record<string, string>, headers: Record<string, string> = {}, status = 200) =>
    factsOfAnswer({
      status,
      facts: new Headers(facts),
      headers: new Headers(headers),
      host: 'hub',
      async *chunks() {},
      async cancel() {},
    })

  it('prefers what the hub says of a large file', () => {
    expect(answer({ etag: `"${git}"`, 'x-linked-etag': `"${lfs}"`, 'x-linked-size': '7' }, {}, 302)).toEqual({
      etag: lfs,
      size: 7,
    })
    expect(answer({ etag: `W/"${git}"` }, { 'content-length': '12' })).toEqual({ etag: git, size: 12 })
    expect(answer({ etag: `"${git}"` }, { 'content-length': '12', 'content-encoding': 'gzip' })?.size).toBeUndefined()
    expect(answer({ etag: `"${git}"` }, { 'content-length': '0' }, 302)?.size).toBeUndefined()
    expect(answer({})).toBeUndefined()
  })

  it('takes no entity tag that is no file name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }), (etag) => {
        const facts = answer({ etag })
        if (facts !== undefined) expect(isBlobName(facts.etag)).toBe(true)
      }),
    )
  })
})

describe('waitOf', () => {
  it.each<[headers: Record<string, string>, seconds: number | undefined]>([
    [{ 'retry-after': '7' }, 7],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }, 30],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, undefined],
    [{ ratelimit: '"api";r=0;t=55' }, 55],
    [{ ratelimit: '"api";r=9;t=55' }, undefined],
    [{}, undefined],
  ])('%j', (headers, seconds) => {
    expect(waitOf(new Headers(headers), Date.UTC(2026, 0, 1))).toBe(seconds)
  })
})
