import { existsSync } from 'node:fs'
import { type PullOptions, resolveModel } from '../hub/download/index.js'
import { DownloadDisplay } from './download-display.js'

/** What a download is told by the command line. */
export type DownloadOptions = Pick<PullOptions, 'signal' | 'onProgress' | 'onMessage'>

/** Does something that may download files: they are shown on standard error, and Ctrl-C stops them so that they can be gone on with. */
export async function showingDownloads<Result>(work: (options: DownloadOptions) => Promise<Result>): Promise<Result> {
  const display = new DownloadDisplay()
  const interrupt = new AbortController()
  const stop = () => interrupt.abort()
  process.once('SIGINT', stop)
  try {
    return await work({
      signal: interrupt.signal,
      onProgress: (progress) => display.update(progress),
      onMessage: (message) => display.note(`heddle: ${message}`),
    })
  } finally {
    process.removeListener('SIGINT', stop)
    display.finish()
  }
}

/** The path of a model that a command was given: as it is, or of a model of the hub in the cache, where it is put first. */
export async function localModel(nameOrPath: string): Promise<string> {
  return existsSync(nameOrPath) ? nameOrPath : showingDownloads((options) => resolveModel(nameOrPath, options))
}
