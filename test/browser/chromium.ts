import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome']

/** The Chromium of the system: `CHROMIUM_PATH`, or the first on the PATH; undefined where there is none. */
export function findChromium(): string | undefined {
  const { CHROMIUM_PATH, PATH = '' } = process.env
  if (CHROMIUM_PATH !== undefined) return CHROMIUM_PATH
  const candidates = PATH.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)))
  return candidates.find((path) => existsSync(path))
}

/** Starts a headless Chromium that talks to nobody but the pages it is sent to. */
export function launchChromium(executablePath: string): Promise<Browser> {
  const offline = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic']
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', ...offline] })
}
