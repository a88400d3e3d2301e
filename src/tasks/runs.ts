import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { DataError } from '../errors.js'
import { type RunState, readRun } from '../hub/run-directory.js'
import { type MetricsEntry, readMetrics } from '../training/metrics-log.js'

/** A training run as its directory tells it. */
export interface RunSummary {
  readonly name: string
  readonly directory: string
  readonly status: RunState['status']
  /** Newest step of the log. */
  readonly step: number
  /** Last training loss. */
  readonly loss: number | undefined
  /** Lowest validation loss. */
  readonly validationLoss: number | undefined
  readonly tokensPerSecond: number | undefined
  /** When the log's newest entry was written, in seconds since 1970. */
  readonly updated: number | undefined
  /** The curve to draw: validation losses where there are two or more, else training losses. */
  readonly curve: readonly number[]
}

/**
 * Summarizes the training runs in a folder (or the one that the folder is), the newest first.
 *
 * @throws DataError where the folder does not exist
 */
export function listRuns(folder: string): RunSummary[] {
  if (!existsSync(folder)) throw new DataError(`${folder}: no such folder; give the one that holds your runs`)
  const inside = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const directories = [folder, ...inside.map(({ name }) => join(folder, name))]
  const runs = directories.flatMap((directory) => {
    const state = readRun(directory)
    return state === undefined ? [] : [summarize(directory, state)]
  })
  return runs.sort((a, b) => (b.updated ?? 0) - (a.updated ?? 0))
}

function summarize(directory: string, state: RunState): RunSummary {
  const log = readMetrics(directory)
  const values = (key: 'loss' | 'validationLoss' | 'tokensPerSecond') =>
    log.map((entry: MetricsEntry) => entry[key]).filter((value) => typeof value === 'number')
  const [losses, validations] = [values('loss'), values('validationLoss')]
  return {
    name: basename(directory),
    directory,
    status: state.status,
    step: log.at(-1)?.step ?? 0,
    loss: losses.at(-1),
    validationLoss: validations.length === 0 ? undefined : Math.min(...validations),
    tokensPerSecond: values('tokensPerSecond').at(-1),
    updated: log.at(-1)?.time,
    curve: validations.length > 1 ? validations : losses,
  }
}
