import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** A benchmark that cannot go on: wrong options, or a side that failed. */
export class BenchmarkError extends Error {
  /** 1 failure while running, 2 wrong usage. */
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/** How a side is started. */
export interface SideCommand {
  /** What the side is called in tables and messages. */
  readonly name: string
  readonly command: string
  readonly arguments: readonly string[]
  /** Variables besides those of this process. */
  readonly environment?: Readonly<Record<string, string>>
}

/** What a side says once it is warm. */
export interface Ready {
  readonly ready: true
  /** Of the engine. */
  readonly version: string
  readonly parameters: number
  /** What the engine runs on, where the side tells. */
  readonly backend?: string
  /** Of the steps made so far, where the side tells. */
  readonly losses?: readonly number[]
}

/** What a side answers to `{"steps": n}`. */
export interface Turn {
  /** Of each step. */
  readonly seconds: readonly number[]
  /** Parts of each step by name, in seconds; only where the side can tell. */
  readonly phases?: Readonly<Record<string, readonly number[]>>
  /** Most resident memory so far, bytes, by the side's own account. */
  readonly peakRss: number
  /** Of the last step. */
  readonly loss: number
}

/** Characters of a side's messages that are kept for an error. */
const keptMessages = 4000

/** Linux counts processor time in hundredths of a second for every program (`getconf CLK_TCK`). */
const ticksPerSecond = 100

/**
 * One side of a comparison: a process that works only when asked to, a line of JSON for a line of JSON.
 *
 * Every side runs in a process of its own, ours too, so that time and memory are measured alike.
 */
export class Side {
  readonly name: string
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  #messages = ''
  #ready: Ready = { ready: true, version: '', parameters: 0 }
  #peak = 0

  private constructor(name: string, child: ChildProcessWithoutNullStreams) {
    this.name = name
    this.#child = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    child.stderr.on('data', (data) => {
      this.#messages = `${this.#messages}${data}`.slice(-keptMessages)
    })
    // A side that has ended cannot be written to; its end is reported where its answer is read.
    child.stdin.on('error', () => {})
  }

  /**
   * Starts a side and waits until it is warm.
   *
   * @throws BenchmarkError where it cannot be started, ends, or says something else
   */
  static async start({ name, command, arguments: words, environment }: SideCommand): Promise<Side> {
    const child = spawn(command, words, { env: { ...process.env, ...environment } })
    const side = new Side(name, child)
    try {
      await once(child, 'spawn')
    } catch (error) {
      throw new BenchmarkError(`${name}: '${command}' could not be started: ${error}`)
    }
    try {
      side.#ready = await side.#read(isReady)
    } catch (error) {
      child.kill()
      throw error
    }
    return side
  }

  /** What it said when it was warm. */
  get ready(): Ready {
    return this.#ready
  }

  /** Has it make some steps. */
  async turn(steps: number): Promise<Turn> {
    this.#child.stdin.write(`${JSON.stringify({ steps })}\n`)
    const turn = await this.#read(isTurn)
    if (turn.seconds.length !== steps) {
      throw new BenchmarkError(`${this.name}: expected the times of ${steps} steps, got ${turn.seconds.length}`)
    }
    this.#peak = turn.peakRss
    return turn
  }

  /** Processor time of all its threads since it started, in seconds; undefined where the system does not tell. */
  cpuSeconds(): number | undefined {
    const stat = readProcess(this.#child.pid, 'stat')
    if (stat === undefined) return undefined
    // The name, in parentheses, can hold spaces; utime and stime are the 14th and 15th field, the 12th and 13th after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  }

  /** The most resident memory that it had, bytes: as the system counts it, or else by its own account. */
  peakMemory(): number {
    // Not getrusage's figure: a child inherits that from the process that started it.
    const match = /^VmHWM:\s*(\d+) kB$/m.exec(readProcess(this.#child.pid, 'status') ?? '')
    return match === null ? this.#peak : Number(match[1]) * 1024
  }

  /** Ends it; waits until it has gone. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.stdin.end()
    const impatient = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await gone
    clearTimeout(impatient)
  }

  async #read<T>(isExpected: (value: unknown) => value is T): Promise<T> {
    const { value: line, done } = await this.#lines.next()
    if (done) throw new BenchmarkError(`${this.name} ended before it answered${await this.#lastWords()}`)
    const value = parse(line)
    if (!isExpected(value)) throw new BenchmarkError(`${this.name} gave an answer that is not understood: ${line}`)
    return value
  }

  async #lastWords(): Promise<string> {
    if (!this.#child.stderr.readableEnded) await once(this.#child.stderr, 'end')
    const messages = this.#messages.trim()
    return messages === '' ? '' : `:\n${messages}`
  }
}

function readProcess(pid: number | undefined, file: 'stat' | 'status'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number'
}

function isReady(value: unknown): value is Ready {
  return (
    isRecord(value) &&
    value.ready === true &&
    typeof value.parameters === 'number' &&
    typeof value.version === 'string' &&
    (value.backend === undefined || typeof value.backend === 'string') &&
    (value.losses === undefined || (Array.isArray(value.losses) && value.losses.every(isNumber)))
  )
}

function isTurn(value: unknown): value is Turn {
  return (
    isRecord(value) &&
    Array.isArray(value.seconds) &&
    typeof value.peakRss === 'number' &&
    typeof value.loss === 'number'
  )
}
