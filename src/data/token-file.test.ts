import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UsageError } from '../errors.js'
import { openTokenFile, TokenFileWriter } from './token-file.js'
import { MemoryTokenStore, sliceTokens, type TokenStore } from './token-store.js'
import { MemoryTokenSink } from './tokenize.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-tokens-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const path = (name = 'a.tokens') => join(folder, name)

/** Writes documents, each in parts of at most 1,000 ids. */
function writeDocuments(documents: readonly Uint32Array[], vocabularySize: number, name?: string): void {
  const writer = new TokenFileWriter(path(name), `${path(name)}.tmp`, vocabularySize)
  for (const ids of documents) {
    for (let start = 0; start < ids.length; start += 1000) writer.add(ids.subarray(start, start + 1000))
    writer.endDocument()
  }
  writer.finish()
}

function open(memoryLimit: number, name?: string): TokenStore {
  const store = openTokenFile(path(name), memoryLimit)
  if (store === undefined) throw new Error('the file is not valid')
  return store
}

const documentsOf = (store: TokenStore) => {
  const starts = store.documentStarts(0, store.documents + 1)
  return Array.from({ length: store.documents }, (_, i) => [...store.read(starts[i], starts[i + 1] - starts[i])])
}

describe('token files', () => {
  // 300,000 tokens are several blocks and buffers.
  const large = Uint32Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 65_536)

  it.each([
    [65_536, 2],
    [65_537, 4],
  ])('keep ids of a vocabulary of %d in %d bytes', (vocabularySize, bytes) => {
    const ids = Uint32Array.of(0, 1, vocabularySize - 1)
    writeDocuments([ids, Uint32Array.of(), Uint32Array.of(5)], vocabularySize)
    expect(statSync(path()).size).toBe(64 + 8 * Math.ceil((4 * bytes) / 8) + 3 * 8)
    for (const memoryLimit of [0, 1e9]) {
      const store = open(memoryLimit)
      expect(store).toHaveLength(4)
      expect(documentsOf(store)).toEqual([[...ids], [5]])
      store.close()
    }
  })

  it('read any range, from the file as from memory', () => {
    writeDocuments([large, large.subarray(0, 10)], 65_536)
    const all = new Uint32Array(300_010)
    all.set(large)
    all.set(large.subarray(0, 10), 300_000)
    for (const store of [open(0), open(1e9)]) {
      const ranges = fc.tuple(fc.integer({ min: 0, max: 300_010 }), fc.integer({ min: 0, max: 50_000 }))
      fc.assert(
        fc.property(ranges, ([start, length]) => {
          const count = Math.min(length, 300_010 - start)
          const read = Uint32Array.from(store.read(start, count))
          expect(Buffer.from(read.buffer).equals(Buffer.from(all.slice(start, start + count).buffer))).toBe(true)
        }),
        { numRuns: 50 },
      )
      expect([...store.documentStarts(0, 3)]).toEqual([0, 300_000, 300_010])
      for (const [start, count] of [
        [0, 300_011],
        [300_011, 0],
        [-1, 2],
        [0.5, 1],
      ]) {
        expect(() => store.read(start, count)).toThrow(UsageError)
      }
      expect(() => store.documentStarts(2, 2)).toThrow('expected a range within 3 documents, got 2 from 2 on')
      store.close()
    }
  })

  it('are not there until they are whole', () => {
    const writer = new TokenFileWriter(path('b.tokens'), path('b.tmp'), 100)
    writer.add(Uint32Array.of(1, 2))
    expect(openTokenFile(path('b.tokens'), 0)).toBeUndefined()
    writer.discard()
    expect(readdirSync(folder).filter((name) => name.startsWith('b.'))).toEqual([])
  })

  it('are refused with any byte changed or missing', () => {
    writeDocuments([Uint32Array.of(1, 2, 3), Uint32Array.of(4)], 100)
    const whole = readFileSync(path())
    for (const memoryLimit of [0, 1e9]) {
      for (let byte = 0; byte < whole.length; byte++) {
        if (byte >= 40 && byte < 64) continue // the header's unused end
        const changed = Buffer.from(whole)
        changed[byte] ^= 0x10
        writeFileSync(path('c.tokens'), changed)
        expect(openTokenFile(path('c.tokens'), memoryLimit), `byte ${byte}`).toBeUndefined()
        writeFileSync(path('c.tokens'), whole.subarray(0, byte))
        expect(openTokenFile(path('c.tokens'), memoryLimit), `length ${byte}`).toBeUndefined()
      }
    }
  })
})

describe('MemoryTokenSink', () => {
  it('gathers documents and leaves out empty ones', () => {
    const sink = new MemoryTokenSink()
    sink.endDocument()
    const ids = Uint32Array.from({ length: 5000 }, (_, i) => i)
    for (const part of [ids.subarray(0, 10), ids.subarray(10)]) sink.add(part)
    sink.endDocument()
    sink.endDocument()
    sink.add(Uint32Array.of(7))
    expect(documentsOf(sink.finish())).toEqual([[...ids], [7]])
  })
})

describe('sliceTokens', () => {
  const store = new MemoryTokenStore(
    Uint32Array.from({ length: 10 }, (_, i) => i),
    Float64Array.of(0, 3, 4, 8, 10),
  )

  it.each([
    [{}, [[0, 1, 2], [3], [4, 5, 6, 7], [8, 9]]],
    [{ firstDocument: 1, endDocument: 3 }, [[3], [4, 5, 6, 7]]],
    [{ firstDocument: 4 }, []],
    [{ firstDocument: 1, maximumTokens: 3 }, [[3], [4, 5]]],
    [{ firstDocument: 1, maximumTokens: 1 }, [[3]]],
    [{ maximumTokens: 4 }, [[0, 1, 2], [3]]],
    [{ maximumTokens: 0 }, []],
    [{ maximumTokens: 99 }, [[0, 1, 2], [3], [4, 5, 6, 7], [8, 9]]],
  ])('takes the part %j', (range, expected) => {
    const part = sliceTokens(store, range)
    expect(part).toHaveLength(expected.flat().length)
    expect(documentsOf(part)).toEqual(expected)
    expect(() => part.read(0, expected.flat().length + 1)).toThrow(UsageError)
  })

  it('takes parts of parts', () => {
    const part = sliceTokens(sliceTokens(store, { firstDocument: 1 }), { firstDocument: 1, maximumTokens: 5 })
    expect(documentsOf(part)).toEqual([[4, 5, 6, 7], [8]])
  })
})
