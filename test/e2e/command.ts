import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect } from 'vitest'

/** The package's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** The program, as users start it. */
export const program = join(root, 'bin/heddle.js')

/** How a command ended. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that is running. */
export interface RunningCommand {
  readonly process: ChildProcess
  /** Resolves when standard error matches, rejects where the command ends before. */
  readonly says: (pattern: RegExp) => Promise<void>
  readonly ended: Promise<Outcome>
}

/** Starts a program, with no terminal. */
export function start(
  file: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): RunningCommand {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  const says = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => pattern.test(stderr) && resolve()
      child.stderr.on('data', look)
      look()
      ended.then(() => reject(new Error(`ended before it said ${pattern}: ${stderr}`)), reject)
    })
  return { process: child, says, ended }
}

/** Runs `heddle` with some words. */
export function heddle(...args: string[]): Promise<Outcome> {
  return start(process.execPath, [program, ...args]).ended
}

/** Runs `heddle`, which must succeed, and returns the one line of JSON that it prints. */
export async function heddleJson<Result>(...args: string[]): Promise<Result> {
  return parseOnlyLine(await heddle(...args, '--json'))
}

/** The value of a successful command's output, which must be one line of JSON and nothing else. */
export function parseOnlyLine<Result>({ code, stdout, stderr }: Outcome): Result {
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^[^\n]+\n$/)
  return JSON.parse(stdout)
}

/** A temporary folder that is removed after the tests of the file; returns a function that makes paths in it. */
export function temporaryFolder(): (...names: string[]) => string {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-e2e-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return (...names) => join(folder, ...names)
}

/** What `heddle train --json` prints. */
export interface TrainOutput {
  readonly steps: number
  readonly seconds: number
  readonly tokensPerSecond: number
  readonly trainLoss: number
  readonly validationLoss: number
  readonly parameters: number
  readonly checkpoint: string
  readonly interrupted?: boolean
}

/** What a tiny training needs: a text of some thousand characters and a recipe that learns it, in JSON, which is YAML too. */
export interface TinyTraining {
  readonly text: string
  readonly textFile: string
  readonly recipeFile: string
}

/** The sizes of the tiny model, which tests compute with. */
export const tinyModel = { layers: 1, heads: 2, width: 16, contextLength: 16 }

/** Writes a text and a recipe for a model of some thousand parameters. */
export function writeTinyTraining(
  at: (name: string) => string,
  changes: { model?: object; train?: object } = {},
): TinyTraining {
  const text = sentences(300)
  const textFile = at('text.txt')
  const recipeFile = at('recipe.yaml')
  const train = { steps: 12, batchSize: 4, evaluateEvery: 6, checkpointEvery: 4, ...changes.train }
  const recipe = { model: { ...tinyModel, ...changes.model }, data: { train: textFile }, train }
  writeFileSync(textFile, text)
  writeFileSync(recipeFile, JSON.stringify(recipe))
  return { text, textFile, recipeFile }
}

/** Sentences of a few words in an order that looks random, the same every time; about ten characters each. */
export function sentences(count: number): string {
  const words = ['the', 'sea', 'ship', 'old', 'whale', 'sang', 'blue', 'grew', 'far', '—', 'naïve']
  let state = 1
  const next = () => {
    state = (state * 48271) % 2147483647
    return words[state % words.length]
  }
  return Array.from({ length: count }, () => `${next()} ${next()} ${next()}.\n`).join('')
}
