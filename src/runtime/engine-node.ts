import { InferenceSession } from 'onnxruntime-node'
import type { ExecutionProviders, Session, SessionOptions } from './engine.js'

export { Tensor } from 'onnxruntime-node'
export type { Device } from './engine.js'

/** ONNX Runtime's execution providers of a device, first choice first. */
export const executionProviders: ExecutionProviders = {
  cpu: ['cpu'],
  cuda: ['cuda', 'cpu'],
  webgpu: ['webgpu', 'cpu'],
  coreml: ['coreml', 'cpu'],
  directml: ['dml', 'cpu'],
}

/** Makes a session of an ONNX model's bytes. */
export function createSession(model: Uint8Array, options: SessionOptions): Promise<Session> {
  return InferenceSession.create(model, options)
}
