/** Trains in a worker, so that the page stays alive. */
import { trainAndGenerate } from '../training-run.js'
import type { Reply, Request } from './messages.js'

const stop = new AbortController()

addEventListener('message', async ({ data }: MessageEvent<Request>) => {
  if (data.type === 'stop') return stop.abort()
  try {
    const onStep = (step: number) => reply({ type: 'step', step })
    reply({ type: 'result', run: await trainAndGenerate({ steps: data.steps, signal: stop.signal, onStep }) })
  } catch (error) {
    reply({ type: 'error', message: String(error) })
  }
})

function reply(message: Reply): void {
  postMessage(message)
}
