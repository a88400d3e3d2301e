import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's folder. */
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Builds dist/ once, before the tests that run the built program, where it is missing or older than its sources. */
export default function setup(): void {
  if (!isStale()) return
  const { status, stdout, stderr } = spawnSync('npm', ['run', 'build'], { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm run build failed, and the program cannot be tested:\n${stdout}${stderr}`)
}

function isStale(): boolean {
  const built = newest(join(root, 'dist'), /\.js$/)
  const sources = [
    newest(join(root, 'src'), /(?<!\.test|\.testing|\.generated)\.ts$/),
    newest(join(root, 'kernels'), /\.ts$/),
  ]
  return Math.max(...sources) > built
}

/** The time of the last change of a file whose name matches, in milliseconds; 0 where there is none. */
function newest(folder: string, name: RegExp): number {
  try {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => name.test(file))
    return Math.max(0, ...files.map((file) => statSync(join(folder, file)).mtimeMs))
  } catch {
    return 0
  }
}
