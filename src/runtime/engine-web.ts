import type { Env, InferenceSession, Tensor } from 'onnxruntime-common'
import { RuntimeError } from '../errors.js'
import type { ExecutionProviders, Session, SessionOptions } from './engine.js'

export { Tensor } from 'onnxruntime-common'
export type { Device } from './engine.js'

/** ONNX Runtime Web's execution providers of a device, first choice first; native ones do not exist in a browser. */
export const executionProviders: ExecutionProviders = {
  cpu: ['wasm'],
  webgpu: ['webgpu', 'wasm'],
  cuda: [],
  coreml: [],
  directml: [],
}

/**
 * Makes a session of an ONNX model's bytes.
 *
 * The engine is loaded at the first call: pages that train nothing do not download it, those without WebGPU get the
 * smaller build, and bundlers put it into a file of its own, which its threads have to load again by themselves.
 */
export async function createSession(model: Uint8Array, options: SessionOptions): Promise<Session> {
  const engine = options.executionProviders.includes('webgpu')
    ? await import('onnxruntime-web/webgpu')
    : await import('onnxruntime-web/wasm')
  setThreads(engine.env, options.intraOpNumThreads)
  return new WebSession(await engine.InferenceSession.create(model, options))
}

/** Threads are the page's, not the session's: the first session decides. Without cross-origin isolation there are none. */
function setThreads(env: Env, threads: number | undefined): void {
  if (globalThis.crossOriginIsolated && threads !== undefined) env.wasm.numThreads ??= threads
}

/**
 * A session that fills the arrays given for outputs, which ONNX Runtime Web 1.30 hands back as they were, and that lets
 * the page or worker handle its events between runs.
 */
class WebSession implements Session {
  readonly #session: InferenceSession

  constructor(session: InferenceSession) {
    this.#session = session
  }

  async run(
    feeds: InferenceSession.OnnxValueMapType,
    fetches: InferenceSession.NullableOnnxValueMapType,
  ): Promise<InferenceSession.OnnxValueMapType> {
    await giveWay()
    const computed = await this.#session.run(feeds, Object.keys(fetches))
    const filled = Object.entries(fetches).map(([name, target]) => {
      if (target === null) return [name, computed[name]]
      copyInto(target, computed[name])
      return [name, target]
    })
    return Object.fromEntries(filled)
  }

  release(): Promise<void> {
    return this.#session.release()
  }
}

/** How long the engine may keep a page or worker from handling events, in milliseconds: one frame. */
const longestTask = 16
let taskStarted = 0

/** Ends the present task where it has lasted: the engine's promises alone never let a click or a message through. */
async function giveWay(): Promise<void> {
  if (performance.now() - taskStarted < longestTask) return
  await new Promise<void>((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
  taskStarted = performance.now()
}

function copyInto(target: Tensor, source: Tensor): void {
  bytesOf(target).set(bytesOf(source))
}

function bytesOf({ data }: Tensor): Uint8Array {
  if (!ArrayBuffer.isView(data)) throw new RuntimeError('engine: an output of text has no array to be filled')
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
