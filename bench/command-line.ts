import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { BenchmarkError } from './side.js'

/** What a benchmark does with the words behind its name. */
export interface BenchmarkCommand<Options> {
  readonly name: string
  readonly usage: string
  /** @throws BenchmarkError for wrong usage */
  parse(args: readonly string[]): Options | 'help'
  /** @param folder an empty one, which is removed afterwards */
  measure(options: Options, folder: string): Promise<void>
}

/**
 * Runs a benchmark.
 *
 * @param args the words after its name
 * @returns the exit code: 0 success, 1 failure while running, 2 wrong usage
 */
export async function runBenchmark<Options>(
  { name, usage, parse, measure }: BenchmarkCommand<Options>,
  args: readonly string[],
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
  try {
    const options = parse(args)
    if (options === 'help') process.stdout.write(`${usage}\n`)
    else await measure(options, folder)
    return 0
  } catch (error) {
    if (!(error instanceof BenchmarkError)) throw error
    process.stderr.write(`bench ${name}: ${error.message}\n`)
    return error.exitCode
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Tells how far the benchmark is; results alone go to standard output. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Seconds as milliseconds, for tables. */
export function milliseconds(seconds: number): string {
  return (seconds * 1000).toFixed(1)
}

/**
 * The value of an option that counts something.
 *
 * @throws BenchmarkError where it is not a whole number of 1 or more
 */
export function wholeNumber(name: string, given: string): number {
  const value = Number(given)
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new BenchmarkError(`--${name} must be a whole number of 1 or more, got '${given}'`, 2)
}

/** The Python that the peers run in: HEDDLE_PYTHON, or else python3. */
export function python(): string {
  return process.env.HEDDLE_PYTHON ?? 'python3'
}

/** Whether the peers' Python imports some modules. */
export function pythonImports(...modules: readonly string[]): boolean {
  return spawnSync(python(), ['-c', `import ${modules.join(', ')}`]).status === 0
}

/**
 * The variables that Python's sides run under: as many threads as our engine takes, which sleep where they have nothing to
 * do. Spinning threads take the cores from whoever works, which slows PyTorch itself too.
 */
export function openMpEnvironment(): Record<string, string> {
  const threads = process.env.OMP_NUM_THREADS ?? String(availableParallelism())
  return { OMP_NUM_THREADS: threads, OMP_WAIT_POLICY: 'PASSIVE' }
}
