import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import type { Side, Turn } from './side.js'
import { median } from './statistics.js'

/** What {@link interleave} needs of a side. */
export type Competitor = Pick<Side, 'name' | 'turn' | 'cpuSeconds' | 'peakMemory'>

/** How the sides take turns. */
export interface TurnOptions {
  /** Turns of each side. */
  readonly groups: number
  /** Steps of a turn: the same of every side, or each side's own. */
  readonly steps: number | readonly number[]
  /** Called after each group with the last turn of every side. */
  readonly onGroup?: (group: number, turns: readonly Turn[]) => void
}

/** What was measured of one side. */
export interface Measurement {
  readonly name: string
  /** Seconds of each step, group by group. */
  readonly groups: readonly (readonly number[])[]
  /** Seconds of the parts of each step, by name; empty where the side cannot tell. */
  readonly phases: Readonly<Record<string, readonly number[]>>
  /** Bytes. */
  readonly peakMemory: number
  /** Cores kept busy during its own turns, on average; undefined where the system does not tell. */
  readonly coresUsed: number | undefined
  /** Cores kept busy during the turns of the others, which it should leave alone. */
  readonly coresUsedIdle: number | undefined
  /** Of the last step. */
  readonly loss: number
}

/** {@link Measurement} in figures. */
export interface Summary {
  /** Seconds. */
  readonly median: number
  /** Seconds of the fastest step. */
  readonly best: number
  /** Median seconds of the parts of a step, by name. */
  readonly phases: Readonly<Record<string, number>>
  /** Bytes. */
  readonly peakMemory: number
  readonly coresUsed: number | null
  readonly coresUsedIdle: number | null
  readonly loss: number
}

/** Threads that have just worked wait for more for some milliseconds before they sleep: the next turn begins after that. */
const settleMilliseconds = 50

/** A load average from which on a benchmark is disturbed. */
const busyLoad = 0.5

/** Wall time and processor time of a side, both in seconds. */
class Usage {
  wall = 0
  cpu: number | undefined = 0

  add(wall: number, before: number | undefined, after: number | undefined): void {
    this.wall += wall
    this.cpu =
      this.cpu === undefined || before === undefined || after === undefined ? undefined : this.cpu + after - before
  }

  /** Undefined where nothing was measured. */
  get cores(): number | undefined {
    return this.cpu === undefined || this.wall === 0 ? undefined : this.cpu / this.wall
  }
}

/**
 * Lets some sides take turns, A B A B …, a few steps each, so that whatever else slows the machine slows all alike.
 *
 * Only one side works at a time. What the others do meanwhile is measured too: threads that spin while they wait would
 * take cores from the side that is measured.
 */
export async function interleave(sides: readonly Competitor[], options: TurnOptions): Promise<Measurement[]> {
  const { steps } = options
  const turns: Turn[][] = sides.map(() => [])
  const active = sides.map(() => new Usage())
  const idle = sides.map(() => new Usage())
  for (let group = 0; group < options.groups; group++) {
    for (const [i, side] of sides.entries()) {
      await pause(settleMilliseconds)
      const before = sides.map((other) => other.cpuSeconds())
      const start = performance.now()
      turns[i].push(await side.turn(typeof steps === 'number' ? steps : steps[i]))
      const wall = (performance.now() - start) / 1000
      for (const [j, other] of sides.entries()) (i === j ? active : idle)[j].add(wall, before[j], other.cpuSeconds())
    }
    options.onGroup?.(
      group,
      turns.map((own) => own[group]),
    )
  }
  return sides.map((side, i) => ({
    name: side.name,
    groups: turns[i].map(({ seconds }) => seconds),
    phases: joinPhases(turns[i]),
    peakMemory: side.peakMemory(),
    coresUsed: active[i].cores,
    coresUsedIdle: idle[i].cores,
    loss: turns[i].at(-1)?.loss ?? Number.NaN,
  }))
}

/** The figures of a measurement. */
export function summarize(measurement: Measurement): Summary {
  const seconds = measurement.groups.flat()
  const { peakMemory, loss } = measurement
  return {
    median: median(seconds),
    best: Math.min(...seconds),
    phases: Object.fromEntries(Object.entries(measurement.phases).map(([name, values]) => [name, median(values)])),
    peakMemory,
    coresUsed: measurement.coresUsed ?? null,
    coresUsedIdle: measurement.coresUsedIdle ?? null,
    loss,
  }
}

/** What the figures depend on besides the programs that are compared. */
export interface Machine {
  readonly processor: string
  readonly cores: number
  /** Bytes. */
  readonly memory: number
  readonly system: string
  readonly node: string
  /** Processes that wanted a core, a mean over the last minute: before the benchmark, and at its end. */
  readonly loadAverage: readonly [number, number]
}

/** Describes this machine. */
export function describeMachine(loadBefore: number): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: totalmem(),
    system: `${platform()} ${arch()} ${release()}`,
    node: process.versions.node,
    loadAverage: [loadBefore, loadavg()[0]],
  }
}

/** The machine in a line, with a warning below where other work disturbed the benchmark. */
export function formatMachine(machine: Machine): string {
  const { processor, cores, memory, system, node, loadAverage } = machine
  const [before, after] = loadAverage.map((load) => load.toFixed(1))
  const line = `${processor}, ${cores} cores, ${(memory / 2 ** 30).toFixed(0)} GB; ${system}; Node ${node}; load average ${before} before, ${after} after`
  if (loadAverage[0] < busyLoad) return line
  return `${line}\nThe machine was busy before the benchmark began: take these figures for a rough guess.`
}

/** Rows of text as a table with aligned columns: the first column to the left, the others to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column]) : text.padStart(widths[column])
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n')
}

function joinPhases(turns: readonly Turn[]): Record<string, number[]> {
  const joined: Record<string, number[]> = {}
  for (const { phases = {} } of turns) {
    for (const [name, seconds] of Object.entries(phases)) joined[name] = [...(joined[name] ?? []), ...seconds]
  }
  return joined
}
