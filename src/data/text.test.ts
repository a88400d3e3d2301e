import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadTexts, splitText } from './text.js'

describe('splitText', () => {
  it('cuts after nine tenths', () => {
    expect(splitText('0123456789abcdefghi')).toEqual({ train: '0123456789abcdefg', validation: 'hi' }) // ⌊17.1⌋ = 17
    expect(splitText('0123456789', 0.5)).toEqual({ train: '01234', validation: '56789' })
  })

  it('never cuts a surrogate pair', () => {
    // 10 units; the cut at 9 would separate the halves of the last character
    expect(splitText('01234567\u{1f9f5}')).toEqual({ train: '01234567', validation: '\u{1f9f5}' })
    expect(splitText('0123456\u{1f9f5}8')).toEqual({ train: '0123456\u{1f9f5}', validation: '8' })
  })
})

describe('loadTexts', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'heddle-text-'))
    writeFileSync(join(folder, 'train.txt'), '0123456789')
    writeFileSync(join(folder, 'validation.txt'), 'other')
    writeFileSync(join(folder, 'tiny.txt'), 'x')
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('splits one file or takes two', () => {
    const train = join(folder, 'train.txt')
    expect(loadTexts({ train })).toEqual({ train: '012345678', validation: '9' })
    const validation = join(folder, 'validation.txt')
    expect(loadTexts({ train, validation })).toEqual({ train: '0123456789', validation: 'other' })
  })

  it('refuses a text that leaves one part empty', () => {
    expect(() => loadTexts({ train: join(folder, 'tiny.txt') })).toThrow('tiny.txt: 1 characters are too few to split')
  })

  const real = process.env.HEDDLE_DATA
  it.skipIf(!real)('splits Tiny Shakespeare as nanoGPT does (skipped where HEDDLE_DATA is not set)', () => {
    const { train, validation } = loadTexts({ train: join(real ?? '', 'lm/tinyshakespeare.txt') })
    expect([train.length, validation.length]).toEqual([1_003_854, 111_540])
  })
})
