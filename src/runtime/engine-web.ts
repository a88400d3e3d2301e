import type { InferenceSession } from 'onnxruntime-common'
import type { Device } from './engine-node.js'

export { InferenceSession, Tensor } from 'onnxruntime-web'
export type { Device }

/** ONNX Runtime Web's execution providers of a device, first choice first; native ones do not exist in a browser. */
export const executionProviders: Readonly<Record<Device, InferenceSession.ExecutionProviderConfig[]>> = {
  cpu: ['wasm'],
  webgpu: ['webgpu', 'wasm'],
  cuda: [],
  coreml: [],
  directml: [],
}
