import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DataError } from '../errors.js'
import { createProgram, main } from './main.js'
import type { GlobalOptions } from './output.js'
import { action, positiveInteger, printText } from './output.js'

interface RepeatOptions extends GlobalOptions {
  times: number
}

/** A command that does a little of everything. */
function registerRepeat(program: Command): void {
  program
    .command('repeat <word>')
    .description('say a word again')
    .option('--times <n>', 'how often', positiveInteger, 2)
    .action(
      action((word: string, options: RepeatOptions) => {
        if (word === 'bad') throw new DataError('words.txt: expected a word,\n got "bad"')
        if (word === 'bug') throw new TypeError('x is not a function')
        const text = word.repeat(options.times)
        if (!options.json) printText(text)
        return { text, mean: Number.NaN }
      }),
    )
}

async function runMain(...args: string[]) {
  let stdout = ''
  let stderr = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text
    return true
  })
  const code = await main(args, createProgram([{ heading: 'Words:', commands: [registerRepeat] }]))
  vi.restoreAllMocks()
  return { code, stdout, stderr }
}

afterEach(() => vi.restoreAllMocks())

describe('main', () => {
  it('runs a command with its arguments and options', async () => {
    expect(await runMain('repeat', 'ab', '--times', '3')).toEqual({ code: 0, stdout: 'ababab\n', stderr: '' })
  })

  it('prints exactly one line of JSON, with --json before or after the command', async () => {
    const expected = { code: 0, stdout: '{"text":"abab","mean":null}\n', stderr: '' }
    expect(await runMain('repeat', 'ab', '--json')).toEqual(expected)
    expect(await runMain('--json', 'repeat', 'ab')).toEqual(expected)
  })

  it('prints an error in one line with the exit code of its kind', async () => {
    const stderr = 'heddle: words.txt: expected a word, got "bad"\n'
    expect(await runMain('repeat', 'bad')).toEqual({ code: 3, stdout: '', stderr })
    expect(await runMain('repeat', 'bad', '--json')).toEqual({ code: 3, stdout: '', stderr })
    const bug = await runMain('repeat', 'bug')
    expect(bug).toEqual({
      code: 1,
      stdout: '',
      stderr: 'heddle: x is not a function (unexpected: --debug shows where)\n',
    })
  })

  it('adds the stack under --debug, before or after the command', async () => {
    for (const args of [
      ['--debug', 'repeat', 'bug'],
      ['repeat', 'bug', '--debug'],
    ]) {
      const { code, stderr } = await runMain(...args)
      expect(code).toBe(1)
      expect(stderr).toMatch(/^heddle: x is not a function.*\nTypeError: x is not a function\n {4}at .*main\.test\.ts/)
    }
  })

  it.each<[args: string[], stderr: string]>([
    [['repeat', 'ab', '--tims', '3'], "heddle: unknown option '--tims' (Did you mean --times?)\n"],
    [['repaet', 'ab'], "heddle: unknown command 'repaet' (Did you mean repeat?)\n"],
    [['repeat'], "heddle: missing required argument 'word'\n"],
    [['repeat', 'a', 'b'], "heddle: too many arguments for 'repeat'. Expected 1 argument but got 2.\n"],
    [
      ['repeat', 'a', '--times', 'x'],
      "heddle: option '--times <n>' argument 'x' is invalid. Expected a whole number of 1 or more, got \"x\".\n",
    ],
  ])('answers wrong usage %j in one line and exits with 2', async (args, stderr) => {
    expect(await runMain(...args)).toEqual({ code: 2, stdout: '', stderr })
  })

  it('shows the version of package.json', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await runMain('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('shows help with groups and examples on standard output, and on standard error without a command', async () => {
    const { code, stdout } = await runMain('--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(/Usage: heddle .*\n[\s\S]*Words:\n {2}repeat .* say a word again\n[\s\S]*Examples:\n/)
    expect(await runMain()).toEqual({ code: 2, stdout: '', stderr: stdout })
    expect((await runMain('repeat', '--help')).stdout).toMatch(/Global Options:\n[\s\S]*--json/)
  })
})

describe('bin/heddle.js', () => {
  it('says what to do when the program is not built', () => {
    const folder = mkdtempSync(join(tmpdir(), 'heddle-bin-'))
    try {
      mkdirSync(join(folder, 'bin'))
      copyFileSync(fileURLToPath(new URL('../../bin/heddle.js', import.meta.url)), join(folder, 'bin/heddle.mjs'))
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'bin/heddle.mjs')], {
        encoding: 'utf8',
      })
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
      expect(stderr).toMatch(/^heddle: the program is not built .*npm ci.*npm run build.*\n$/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
