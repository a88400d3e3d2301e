#!/usr/bin/env node
import { existsSync } from 'node:fs'

const main = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(main)) {
  const { run } = await import(main.href)
  await run()
} else {
  console.error(
    'heddle: the program is not built (dist/ is missing): run "npm ci" or "npm run build" in its folder first',
  )
  process.exitCode = 1
}
