import type { TrainingRun } from '../training-run.js'
import type { Reply, Request } from './messages.js'

/** What a test calls in the page. */
export interface Page {
  /** Trains in a worker of its own; `stopAfter` is the step at which the page asks it to stop. */
  train(steps?: number, stopAfter?: number): Promise<TrainingRun>
}

const output = document.querySelector('output')

const page: Page = {
  train(steps, stopAfter) {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
    const ask = (request: Request) => worker.postMessage(request)
    return new Promise<TrainingRun>((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message))
      worker.onmessage = ({ data }: MessageEvent<Reply>) => {
        if (data.type === 'result') resolve(data.run)
        else if (data.type === 'error') reject(new Error(data.message))
        else {
          if (output !== null) output.value = String(data.step)
          if (data.step === stopAfter) ask({ type: 'stop' })
        }
      }
      ask({ type: 'train', steps })
    }).finally(() => worker.terminate())
  },
}

Object.assign(window, { page })
