import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from './command.js'

/** The Python that HEDDLE_PYTHON names, else `python3`; undefined where that has no transformers. */
export const python = findPython()

/** One thread of the processor, no accelerator, no network. */
const environment = {
  ...process.env,
  OMP_NUM_THREADS: '1',
  OMP_WAIT_POLICY: 'PASSIVE',
  CUDA_VISIBLE_DEVICES: '',
  HF_HUB_OFFLINE: '1',
}

/** Runs a script of test/parity/reference, which must succeed, and returns the JSON that it prints. */
export function runReference<Result>(script: string, args: readonly string[], input?: unknown): Result {
  const path = join(root, 'test/parity/reference', script)
  const options = { input: JSON.stringify(input), env: environment, encoding: 'utf8', maxBuffer: 2 ** 28 } as const
  const { status, stdout, stderr } = spawnSync(python ?? 'python3', [path, ...args], options)
  if (status !== 0) throw new Error(`${script} failed with ${status}: ${stderr}`)
  return JSON.parse(stdout)
}

function findPython(): string | undefined {
  // Set but empty, as in continuous integration, it means none.
  const file = process.env.HEDDLE_PYTHON ?? 'python3'
  if (file === '') return undefined
  const find = "import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in ('torch', 'transformers')))"
  return spawnSync(file, ['-c', find]).status === 0 ? file : undefined
}
