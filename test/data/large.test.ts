import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCorpus } from '../../src/data/corpus.js'
import { Windows } from '../../src/data/windows.js'
import { loadTokenizer } from '../../src/tokenizers/node.js'
import { parseRecipe } from '../../src/training/recipe.js'
import { runRecipe } from '../../src/training/run.js'

/** More than 2³¹, so that positions in the text and in the token file do not fit 32 bits. */
const textLength = 2_200_000_000
const memoryLimit = 1e9

/**
 * Writes a text of made-up words, all of it ASCII, so that with one token a character the token at any position is the
 * byte at that position. Every megabyte is different: it is cut from 16 MB of words at a different place.
 */
function writeText(path: string): void {
  const words: string[] = []
  let state = 1
  const next = (bound: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
  for (let length = 0; length < 2 ** 24; length += words[words.length - 1].length) {
    const letters = Array.from({ length: 1 + next(9) }, () => String.fromCharCode(97 + next(26)))
    words.push(letters.join('') + [' ', ' ', ' ', ', ', '.\n', '\n\n'][next(6)])
  }
  const source = Buffer.from(words.join(''))
  const file = openSync(path, 'w')
  for (let written = 0; written < textLength; ) {
    const start = next(source.length - 2 ** 20)
    written += writeSync(file, source, start, Math.min(2 ** 20, textLength - written))
  }
  closeSync(file)
}

const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`
const peakMegabytes = () => Math.round((process.resourceUsage().maxRSS * 1024) / 1e6)

describe.skipIf(!process.env.HEDDLE_SLOW)('a text of 2.2 GB (skipped where HEDDLE_SLOW is not set)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-large-'))
  const text = join(folder, 'large.txt')
  const earlier = process.env.HEDDLE_CACHE
  beforeAll(() => {
    process.env.HEDDLE_CACHE = join(folder, 'cache')
    writeText(text)
  }, 600_000)
  afterAll(() => {
    if (earlier === undefined) delete process.env.HEDDLE_CACHE
    else process.env.HEDDLE_CACHE = earlier
    rmSync(folder, { recursive: true, force: true })
  })

  it('trains in less than 1 GB of memory, the second time from the cache', { timeout: 3_600_000 }, async () => {
    const sets = [`data.train=${text}`, 'data.validationTokens=50000', 'model.contextLength=128', 'train.steps=3']
    const recipe = parseRecipe('', 'large', sets)
    console.log(`peak memory before: ${peakMegabytes()} MB`)
    const losses: number[] = []
    for (const run of ['first', 'second']) {
      const started = performance.now()
      let ready = ''
      const result = await runRecipe({
        recipe,
        directory: join(folder, run),
        onStart: () => {
          ready = seconds(started)
        },
      })
      losses.push(result.validationLoss ?? Number.NaN)
      console.log(`${run} run: tokens after ${ready}, 3 steps after ${seconds(started)}, peak ${peakMegabytes()} MB`)
    }
    expect(losses[0]).toBeLessThan(4)
    expect(losses[1]).toBe(losses[0])
    expect(process.resourceUsage().maxRSS * 1024).toBeLessThan(memoryLimit)
  })

  it('holds the token of every character in its place', { timeout: 600_000 }, async () => {
    const tokenizer = await loadTokenizer(join(folder, 'first/checkpoint-3'))
    const { train, validation } = await loadCorpus({ train: text, validationTokens: textLength }, tokenizer)
    expect(train.length).toBe(Math.floor(textLength * 0.9))
    expect(train.length + validation.length).toBe(textLength)
    const file = openSync(text, 'r')
    const bytes = Buffer.alloc(1000)
    const check = (ids: Iterable<number | bigint>, position: number) => {
      const count = readSync(file, bytes, 0, 1000, position)
      const found = tokenizer.decode(Uint32Array.from([...ids].slice(0, count), Number))
      expect(bytes.toString('latin1').startsWith(found) && found.length > 100, `at ${position}`).toBe(true)
    }
    for (const position of [0, 65_000, 1_234_567_890, train.length - 1000]) check(train.read(position, 1000), position)
    const end = textLength - 1000
    check(validation.read(end - train.length, 1000), end)
    expect(end).toBeGreaterThan(2 ** 31)
    const { ids } = new Windows(train, { contextLength: 512, seed: 1 }).batch(0, 1)
    expect(ids).toHaveLength(512)
    closeSync(file)
    train.close()
  })
})
