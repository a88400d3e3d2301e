import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { sample } from '../tokenizers/training/texts.testing.js'
import { main } from './main.js'

let folder: string
let file: string
let out: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-tokenizer-'))
  file = join(folder, 'text.txt')
  out = join(folder, 'new/tokenizer')
  writeFileSync(file, sample)
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true })
})

async function run(...args: string[]) {
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += text
      return true
    })
  }
  const code = await main(['tokenizer', ...args])
  vi.restoreAllMocks()
  return { code, ...written }
}

const train = (...args: string[]) => run('train', '--files', file, '--out', out, '--vocabulary-size', '320', ...args)

describe('heddle tokenizer', () => {
  it('trains byte-level BPE and encodes with it, with JSON as result', async () => {
    const { code, stdout, stderr } = await train('--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { seconds, ...result } = JSON.parse(stdout)
    expect(result).toEqual({ type: 'bpe', vocabularySize: 320, files: [file] })
    expect(seconds).toBeGreaterThan(0)
    const config = JSON.parse(readFileSync(join(out, 'tokenizer_config.json'), 'utf8'))
    expect(config).toEqual({ tokenizer_class: 'PreTrainedTokenizerFast', eos_token: '<|endoftext|>' })
    const encoded = await run('encode', '--model', out, '--text', ' the thé', '--json')
    const { ids, tokens, offsets } = JSON.parse(encoded.stdout)
    expect(tokens).toEqual(['Ġthe', 'Ġth', 'Ã', '©'])
    expect(ids).toEqual([260, 259, 128, 103])
    expect(offsets).toEqual([
      [0, 4],
      [4, 7],
      [7, 8],
      [7, 8],
    ])
  })

  it('reads the text from standard input and shows a token a line', async () => {
    await train()
    vi.spyOn(process, 'stdin', 'get').mockReturnValue(
      Object.assign(Readable.from(['that ', 'the']), { fd: 0 as const }) as never,
    )
    const { stdout } = await run('encode', '--model', out)
    expect(stdout).toBe('   258  th  [0, 2)\n   264  at  [2, 4)\n   260  Ġthe  [4, 8)\n')
  })

  it('trains WordPiece and says which token plays which part', async () => {
    expect((await train('--type', 'wordpiece', '--minimum-frequency', '2')).stdout).toMatch(
      /^1\d\d tokens in .*tokenizer\n$/,
    )
    const config = JSON.parse(readFileSync(join(out, 'tokenizer_config.json'), 'utf8'))
    expect(config).toMatchObject({ unk_token: '[UNK]', pad_token: '[PAD]', cls_token: '[CLS]', mask_token: '[MASK]' })
    const { stdout } = await run('encode', '--model', out, '--text', 'The', '--json')
    expect(JSON.parse(stdout).tokens).toEqual(['[CLS]', 'the', '[SEP]'])
    await train('--type', 'wordpiece', '--no-lowercase')
    const cased = await run('encode', '--model', out, '--text', 'The', '--json')
    expect(JSON.parse(cased.stdout).tokens.join('')).toMatch(/^\[CLS\]T/)
  })

  it('trains a unigram model on several files and patterns, of records too', async () => {
    writeFileSync(join(folder, 'more.jsonl'), '{"text":"zzz zzz zzz"}\n{"text":"zzz"}\n')
    const args = ['--type', 'unigram', '--vocabulary-size', '110', '--out', out, '--json']
    const { stdout } = await run('train', '--files', join(folder, '*.txt'), join(folder, 'more.jsonl'), ...args)
    const { type, files } = JSON.parse(stdout)
    expect({ type, files: files.map((path: string) => resolve(path)) }).toEqual({
      type: 'unigram',
      files: [file, join(folder, 'more.jsonl')],
    })
    const encoded = await run('encode', '--model', out, '--text', 'zzz', '--json')
    expect(JSON.parse(encoded.stdout).tokens).toEqual(['▁zzz'])
  })

  it('lets tokens run across lines where asked', async () => {
    const merges = () => JSON.parse(readFileSync(join(out, 'tokenizer.json'), 'utf8')).model.merges
    await train()
    expect(merges()).not.toContainEqual(['Ċ', 'Ċ'])
    await train('--no-lines')
    expect(merges()).toContainEqual(['Ċ', 'Ċ'])
  })

  it.each<[string[], number, RegExp]>([
    [['train', '--files', 'nothing.txt', '--out', 'x'], 3, /nothing.txt: no such file/],
    [['train', '--out', 'x'], 2, /required option '--files <file...>' not specified/],
    [['train', '--type', 'bpee', '--files', 'a', '--out', 'x'], 2, /bpe, unigram, wordpiece/],
    [['encode', '--model', 'nowhere', '--text', 'a'], 3, /nowhere: expected tokenizer.json/],
  ])('answers %j with one line', async (args, expected, message) => {
    const { code, stdout, stderr } = await run(...args)
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  it('writes nothing where the vocabulary is too small', async () => {
    const { code, stderr } = await train('--vocabulary-size', '100')
    expect({ code, stderr }).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/expected a whole number of 257 or more/),
    })
    expect(existsSync(out)).toBe(false)
  })
})
