import type { Command } from 'commander'
import { listRuns, type RunSummary } from '../tasks/runs.js'
import { action, type GlobalOptions, printText } from './output.js'
import { formatCount, formatDuration } from './progress.js'

/** Adds `heddle runs`. */
export function register(program: Command): void {
  program
    .command('runs')
    .summary('list and compare training runs')
    .description('List the training runs of a folder, the newest first, each with a small curve of its losses.')
    .argument('[folder]', 'the folder that holds the runs', 'runs')
    .action(action(runs))
}

function runs(folder: string, options: GlobalOptions) {
  const found = listRuns(folder)
  if (!options.json) {
    if (found.length === 0) printText(`no training runs in ${folder}`)
    else for (const line of table(found)) printText(line)
  }
  return { runs: found }
}

const curveWidth = 24

function table(found: readonly RunSummary[]): string[] {
  const best = Math.min(...found.map(({ validationLoss }) => validationLoss ?? Number.POSITIVE_INFINITY))
  const heading = ['run', 'status', 'step', 'loss', 'validation', 'tokens/s', 'last change', 'curve']
  const rows = found.map((run) => [
    run.name,
    run.status,
    String(run.step),
    run.loss?.toFixed(4) ?? '',
    run.validationLoss === undefined ? '' : run.validationLoss.toFixed(4) + (run.validationLoss === best ? ' *' : ''),
    run.tokensPerSecond === undefined ? '' : formatCount(run.tokensPerSecond),
    run.updated === undefined ? '' : `${formatDuration(Date.now() / 1000 - run.updated)} ago`,
    sparkline(run.curve, curveWidth),
  ])
  const widths = heading.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row[column])].map((text) => text.length)),
  )
  return [heading, ...rows].map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  )
}

const blocks = '▁▂▃▄▅▆▇█'

/** Values as a line of blocks of different heights, averaged to at most `width` of them. */
export function sparkline(values: readonly number[], width: number): string {
  const count = Math.min(width, values.length)
  const means = Array.from({ length: count }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / count), Math.floor(((i + 1) * values.length) / count))
    return part.reduce((sum, value) => sum + value, 0) / part.length
  })
  const [low, high] = [Math.min(...means), Math.max(...means)]
  const height = (value: number) =>
    high === low ? 0 : Math.round(((value - low) / (high - low)) * (blocks.length - 1))
  return means.map((value) => blocks[height(value)]).join('')
}
