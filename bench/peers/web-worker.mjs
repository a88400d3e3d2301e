import { resolveObjectURL } from 'node:buffer'
import { Worker } from 'node:worker_threads'

/** What a script in a web worker finds, on top of worker_threads. */
const scope = `
const { parentPort } = require('node:worker_threads')
globalThis.self = globalThis
globalThis.postMessage = (message) => parentPort.postMessage(message)
parentPort.on('message', (data) => self.onmessage({ data }))
`

/** As much of a browser's Worker as jax-js takes: a script behind a blob's address, and messages. */
class WebWorker {
  #thread

  constructor(url) {
    this.#thread = this.#start(url)
  }

  postMessage(message) {
    // The messages wait in order for a thread that is not there yet.
    this.#thread = this.#thread.then((thread) => {
      thread.postMessage(message)
      return thread
    })
  }

  async #start(url) {
    const script = await resolveObjectURL(url).text()
    const thread = new Worker(scope + script, { eval: true })
    thread.on('message', (data) => this.onmessage({ data }))
    thread.on('error', (error) => this.onerror(error))
    return thread
  }
}

/** Gives this process the browser's `Worker`, and tells libraries how many to start. */
export function provideWorkers(count) {
  globalThis.Worker = WebWorker
  Object.defineProperty(globalThis, 'navigator', { value: { hardwareConcurrency: count }, configurable: true })
}
