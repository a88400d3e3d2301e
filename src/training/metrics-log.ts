import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { DataError } from '../errors.js'
import { writeFileAtomically } from '../hub/files.js'
import { type TensorBoardEvent, tensorBoardHeader, tensorBoardRecord } from './tensorboard.js'

/** The log's name in a run's directory: one JSON object a line. */
export const metricsFile = 'metrics.jsonl'

/** The event file's name in a run's directory; TensorBoard finds it by the word `tfevents`. */
const eventsFile = 'events.out.tfevents.heddle'

const entrySchema = z.looseObject({
  step: z.int().nonnegative(),
  /** Seconds since 1970. */
  time: z.number(),
  /** Training loss of the step. */
  loss: z.number().nullish(),
  validationLoss: z.number().nullish(),
  /** Of how many checkpoints the mean was evaluated, at the end of the training. */
  averaged: z.int().optional(),
  /** What an evaluation measured beside the loss. */
  metrics: z.record(z.string(), z.number()).optional(),
  learningRate: z.number().nullish(),
  gradientNorm: z.number().nullish(),
  tokensPerSecond: z.number().nullish(),
  /** Bytes of the process in main memory. */
  memory: z.number().nullish(),
  /** Texts that the model wrote at an evaluation. */
  samples: z.array(z.object({ prompt: z.string(), text: z.string() })).optional(),
})

/** One line of the log: figures of one step, or of an evaluation after it. */
export type MetricsEntry = z.infer<typeof entrySchema>

/** TensorBoard's tags of the log's figures. */
const tags = {
  loss: 'loss/train',
  validationLoss: 'loss/validation',
  learningRate: 'train/learning_rate',
  gradientNorm: 'train/gradient_norm',
  tokensPerSecond: 'speed/tokens_per_second',
  memory: 'speed/memory_bytes',
} as const

/** Writes a run's figures as they come: `metrics.jsonl` for programs, an event file for TensorBoard. */
export class MetricsLog {
  readonly #log: string
  readonly #events: string

  /**
   * Opens the log of a run; what it holds of steps after `step` is taken out, since a resumed run makes them again, and so
   * is what comes behind the last step.
   *
   * @param step the step that the run goes on from, 0 for a new one
   */
  constructor(directory: string, step: number) {
    this.#log = join(directory, metricsFile)
    this.#events = join(directory, eventsFile)
    const isKept = (entry: MetricsEntry) => entry.step <= step && entry.averaged === undefined
    const kept = step === 0 ? [] : readMetrics(directory).filter(isKept)
    rmSync(this.#log, { force: true })
    writeFileAtomically(this.#log, kept.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
    const records = [tensorBoardHeader(kept[0]?.time ?? Date.now() / 1000), ...kept.map(toRecord)]
    writeFileAtomically(this.#events, records)
  }

  /** Appends one entry. */
  add(figures: Omit<MetricsEntry, 'time'>): void {
    const entry: MetricsEntry = entrySchema.parse({ ...figures, time: Date.now() / 1000 })
    appendFileSync(this.#log, `${JSON.stringify(entry)}\n`)
    appendFileSync(this.#events, toRecord(entry))
  }
}

/**
 * Reads a run's log. A last line without an end is one that is being written, or was when the process died: it is left
 * out.
 *
 * @throws DataError naming the line that is not an entry
 */
export function readMetrics(directory: string): MetricsEntry[] {
  const path = join(directory, metricsFile)
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.slice(0, -1).map((line, i) => {
    const entry = entrySchema.safeParse(parseJson(line))
    if (entry.success) return entry.data
    throw new DataError(`${path}:${i + 1}: expected an object with a step and a time, got ${line.slice(0, 80)}`)
  })
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function toRecord(entry: MetricsEntry): Uint8Array {
  const scalars: Record<string, number> = {}
  const place = entry.averaged === undefined ? '' : 'average/'
  for (const [key, tag] of Object.entries(tags)) {
    const value = entry[key]
    if (typeof value === 'number') scalars[`${place}${tag}`] = value
  }
  for (const [name, value] of Object.entries(entry.metrics ?? {})) scalars[`${place}validation/${name}`] = value
  const samples = entry.samples?.map(({ prompt, text }, i) => [`sample/${i}`, `**${prompt}**${text}`])
  const event: TensorBoardEvent = {
    time: entry.time,
    step: entry.step,
    scalars,
    texts: Object.fromEntries(samples ?? []),
  }
  return tensorBoardRecord(event)
}
