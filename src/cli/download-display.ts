import type { DownloadProgress } from '../hub/download/index.js'
import { formatCount, formatDuration, type ProgressOptions, type ProgressStream } from './progress.js'

/** A file that is being downloaded. */
interface ActiveFile {
  readonly received: number
  readonly size: number | undefined
  /** What an earlier download had left, and when this one began. */
  readonly from: number
  readonly began: number
  /** When a plain line was written of it. */
  readonly told: number
}

const redrawMilliseconds = 100
const plainMilliseconds = 10_000

/**
 * The downloads of several files on standard error: on a terminal a line for each that is rewritten in place, elsewhere a
 * plain line for each file that is done, and for the others every 10 seconds.
 */
export class DownloadDisplay {
  readonly #stream: ProgressStream
  readonly #now: () => number
  readonly #active = new Map<string, ActiveFile>()
  /** Lines on the terminal that will be rewritten. */
  #drawn = 0
  #lastDraw = Number.NEGATIVE_INFINITY

  constructor({ stream = process.stderr, now = () => performance.now() }: ProgressOptions = {}) {
    this.#stream = stream
    this.#now = now
  }

  /** Takes new figures of a file and shows them when it is time to. */
  update({ file, received, size, done }: DownloadProgress): void {
    const now = this.#now()
    // Bytes that turn out to be useless are downloaded again.
    const known = this.#active.get(file)
    const before = known === undefined || received < known.from ? { from: received, began: now, told: now } : known
    const state = { ...before, received, size }
    if (done) {
      this.#active.delete(file)
      this.note(`${file}  ${bytes(received)}${spent(now - state.began)}`)
    } else if (!this.#stream.isTTY && now - state.told >= plainMilliseconds) {
      this.#active.set(file, { ...state, told: now })
      this.#stream.write(`${describe(file, state, now)}\n`)
    } else {
      this.#active.set(file, state)
      if (this.#stream.isTTY && now - this.#lastDraw >= redrawMilliseconds) this.#draw()
    }
  }

  /** Prints a line that stays. */
  note(text: string): void {
    this.#clear()
    this.#stream.write(`${text}\n`)
    if (this.#stream.isTTY) this.#draw()
  }

  /** Removes what was to be rewritten. */
  finish(): void {
    this.#clear()
    this.#active.clear()
  }

  #draw(): void {
    this.#clear()
    const now = this.#now()
    // One column stays free: a full line makes some terminals wrap.
    const width = (this.#stream.columns || 80) - 1
    for (const [file, state] of this.#active) this.#stream.write(`${describe(file, state, now).slice(0, width)}\n`)
    this.#drawn = this.#active.size
    this.#lastDraw = now
  }

  #clear(): void {
    if (this.#drawn > 0) this.#stream.write(`\u001b[${this.#drawn}A\r\u001b[J`)
    this.#drawn = 0
  }
}

function describe(file: string, { received, size, from, began }: ActiveFile, now: number): string {
  const seconds = (now - began) / 1000
  const speed = seconds > 0 ? (received - from) / seconds : 0
  const left = size === undefined || speed === 0 ? undefined : (size - received) / speed
  const parts = [
    file,
    size === undefined || size === 0 ? undefined : `${Math.floor((100 * received) / size)}%`,
    size === undefined ? bytes(received) : `${bytes(received)} of ${bytes(size)}`,
    speed === 0 ? undefined : `${bytes(speed)}/s`,
    left === undefined ? undefined : `${formatDuration(left)} left`,
  ]
  return parts.filter((part) => part !== undefined).join('  ')
}

function bytes(count: number): string {
  return `${formatCount(count)}B`
}

function spent(milliseconds: number): string {
  return milliseconds < 1000 ? '' : ` in ${formatDuration(milliseconds / 1000)}`
}
