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

/**
 * The engine's threads wait for each other by spinning: fastest on a machine of one's own, slow for all where several
 * programs share the cores. `HEDDLE_SPINNING=0` lets them sleep instead.
 */
const waiting = process.env.HEDDLE_SPINNING === '0' ? { extra: { session: { intra_op: { allow_spinning: '0' } } } } : {}

/** Makes a session of an ONNX model's bytes. */
export function createSession(model: Uint8Array, options: SessionOptions): Promise<Session> {
  return InferenceSession.create(model, { ...options, ...waiting })
}
