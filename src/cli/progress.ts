/** What the line shows; `undefined` leaves a part as it was. */
export interface ProgressState {
  /** Optimizer steps done. */
  step: number
  /** Optimizer steps of the whole training, as far as known. */
  total: number
  loss: number
  /** The loss on the validation text: a new value is always shown. */
  validationLoss: number
  /** What was measured on the validation data beside the loss. */
  metrics: Readonly<Record<string, number>>
  learningRate: number
  /** What is learnt from in a second. */
  tokensPerSecond: number
  /** What the speed counts (default `tokens`). */
  unit: 'tokens' | 'examples'
  /** Estimated by the pace so far where it is not given. */
  secondsLeft: number
}

/** The part of a terminal stream that {@link Progress} needs. */
export interface ProgressStream {
  write(text: string): unknown
  /** True for a terminal, where a line can be rewritten. */
  isTTY?: boolean
  /** Width of the terminal in characters. */
  columns?: number
}

/** Where and when {@link Progress} writes; the defaults are standard error and the system's clock. */
export interface ProgressOptions {
  stream?: ProgressStream
  /** The time in milliseconds. */
  now?: () => number
}

const redrawMilliseconds = 100
const plainMilliseconds = 10_000
const plainShare = 0.05
const barWidth = 20
const clearLine = '\r\u001b[K'

/**
 * The progress of a training on standard error: on a terminal one line that is rewritten in place at most ten times a
 * second, elsewhere a plain line for every evaluation and every 10 seconds or 5 %.
 */
export class Progress {
  readonly #stream: ProgressStream
  readonly #now: () => number
  #state: Partial<ProgressState> = {}
  /** Where the pace is counted from: a resumed run does not start at step 0. */
  #first: { step: number; time: number } | undefined
  #lastWrite = Number.NEGATIVE_INFINITY
  #lastPrepare: number | undefined
  #lastStep = 0
  #drawn = false
  #pending = false

  constructor({ stream = process.stderr, now = () => performance.now() }: ProgressOptions = {}) {
    this.#stream = stream
    this.#now = now
  }

  /** Takes new figures and shows them when it is time to. */
  update(changes: Partial<ProgressState>): void {
    const given = Object.entries(changes).filter(([, value]) => value !== undefined)
    this.#state = { ...this.#state, ...Object.fromEntries(given) }
    if (this.#state.step !== undefined) this.#first ??= { step: this.#state.step, time: this.#now() }
    this.#pending = true
    if (this.#isDue(changes.validationLoss !== undefined)) this.#write()
  }

  /** Says what the speed counts, `tokens` by default. */
  countIn(unit: ProgressState['unit']): void {
    this.#state = { ...this.#state, unit }
  }

  /** Shows what comes before the first step and how far it is, such as the tokenizing of gigabytes. */
  prepare(what: string, { done, total }: { done: number; total: number }, unit = 'B'): void {
    this.#lastPrepare ??= this.#now()
    if (this.#now() - this.#lastPrepare < (this.#stream.isTTY ? redrawMilliseconds : plainMilliseconds)) return
    const share = Math.floor((100 * done) / total)
    const text = `${what}  ${share}%  ${formatCount(done)}${unit} of ${formatCount(total)}${unit}`
    this.#stream.write(this.#stream.isTTY ? clearLine + text : `${text}\n`)
    this.#drawn = this.#stream.isTTY === true
    this.#lastPrepare = this.#now()
  }

  /** Prints a line that stays above the progress. */
  note(text: string): void {
    if (this.#drawn) this.#stream.write(clearLine)
    this.#stream.write(`${text}\n`)
    if (this.#drawn && this.#state.step !== undefined) this.#write()
  }

  /** Shows the last figures and ends the line. Does nothing when nothing was shown or updated. */
  finish(): void {
    if (this.#pending) this.#write()
    if (this.#drawn) this.#stream.write('\n')
    this.#drawn = false
  }

  #isDue(evaluated: boolean): boolean {
    if (evaluated) return true
    const waited = this.#now() - this.#lastWrite
    if (this.#stream.isTTY) return waited >= redrawMilliseconds
    const { step = 0, total } = this.#state
    const share = total ? (step - this.#lastStep) / total : 0
    return waited >= plainMilliseconds || share >= plainShare
  }

  #write(): void {
    const state = { ...this.#state, secondsLeft: this.#state.secondsLeft ?? this.#estimate() }
    if (this.#stream.isTTY) {
      // One column stays free: a full line makes some terminals wrap.
      this.#stream.write(clearLine + formatProgress(state, (this.#stream.columns || 80) - 1))
      this.#drawn = true
    } else {
      this.#stream.write(`${formatProgress(state, Number.POSITIVE_INFINITY)}\n`)
    }
    this.#lastWrite = this.#now()
    this.#lastStep = this.#state.step ?? 0
    this.#pending = false
  }

  #estimate(): number | undefined {
    const { step, total } = this.#state
    if (step === undefined || total === undefined || this.#first === undefined) return undefined
    const done = step - this.#first.step
    const elapsed = (this.#now() - this.#first.time) / 1000
    return done > 0 ? (elapsed / done) * Math.max(0, total - step) : undefined
  }
}

/**
 * One line of figures, without the least important ones where it would be wider than the terminal.
 *
 * @param width in characters; where it is infinite there is no bar
 */
export function formatProgress(state: Partial<ProgressState>, width: number): string {
  const {
    step = 0,
    total,
    loss,
    validationLoss,
    metrics = {},
    learningRate,
    tokensPerSecond,
    unit = 'tokens',
    secondsLeft,
  } = state
  const share = total ? Math.min(1, step / total) : undefined
  const percentage = share === undefined ? undefined : `${Math.floor(share * 100)}%`
  const bar = share !== undefined && Number.isFinite(width) ? formatBar(share) : undefined
  // In the order of the line; the number says what goes first when there is no room.
  const parts: Array<[text: string | undefined, rank: number]> = [
    [total === undefined ? `step ${step}` : `step ${step}/${total}`, 0],
    [bar, 8],
    [percentage, 3],
    [loss === undefined ? undefined : `loss ${loss.toFixed(4)}`, 1],
    [validationLoss === undefined ? undefined : `validation ${validationLoss.toFixed(4)}`, 4],
    ...mainMetrics(metrics).map((text): [string, number] => [text, 5]),
    [learningRate === undefined ? undefined : `lr ${learningRate.toExponential(2)}`, 7],
    [tokensPerSecond === undefined ? undefined : `${formatCount(tokensPerSecond)} ${unit}/s`, 6],
    [secondsLeft === undefined ? undefined : `${formatDuration(secondsLeft)} left`, 2],
  ]
  let shown = parts.filter(([text]) => text !== undefined)
  const line = () => shown.map(([text]) => text).join('  ')
  while (shown.length > 1 && line().length > width) {
    const least = Math.max(...shown.map(([, rank]) => rank))
    shown = shown.filter(([, rank]) => rank !== least)
  }
  return Number.isFinite(width) ? line().slice(0, Math.max(0, width)) : line()
}

/** The metrics that stand for the others, at most two. */
function mainMetrics(metrics: Readonly<Record<string, number>>): string[] {
  return ['bleu', 'accuracy', 'exactMatch', 'f1', 'pearson']
    .filter((name) => metrics[name] !== undefined)
    .map((name) => `${name} ${metrics[name].toFixed(4)}`)
}

/**
 * A length of time for people: `0.4s`, `45s`, `1m 05s`, `2h 03m`, `3d 04h`.
 *
 * @param seconds 0 or more
 */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?'
  if (seconds >= 0.05 && seconds < 0.95) return `${seconds.toFixed(1)}s`
  const whole = Math.round(seconds)
  const two = (value: number) => String(value).padStart(2, '0')
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`
  // Minutes are cut, not rounded: 59m 59s and 1h 00m follow each other.
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`
  return `${Math.floor(whole / 86_400)}d ${two(Math.floor((whole % 86_400) / 3600))}h`
}

/** A count in at most five characters: `950`, `12.3k`, `4.56M`. */
export function formatCount(count: number): string {
  if (!Number.isFinite(count)) return '?'
  if (count < 999.5) return count.toFixed(0)
  const [scaled, unit] =
    count < 999_500 ? [count / 1e3, 'k'] : count < 999.5e6 ? [count / 1e6, 'M'] : [count / 1e9, 'G']
  return `${Number(scaled.toPrecision(3))}${unit}`
}

function formatBar(share: number): string {
  const done = Math.floor(share * barWidth)
  return `[${'#'.repeat(done)}${'.'.repeat(barWidth - done)}]`
}
