import type { InferenceSession } from 'onnxruntime-common'

export { InferenceSession, Tensor } from 'onnxruntime-node'

/** Where a program runs. */
export type Device = 'cpu' | 'cuda' | 'webgpu' | 'coreml' | 'directml'

/** ONNX Runtime's execution providers of a device, first choice first. */
export const executionProviders: Readonly<Record<Device, InferenceSession.ExecutionProviderConfig[]>> = {
  cpu: ['cpu'],
  cuda: ['cuda', 'cpu'],
  webgpu: ['webgpu', 'cpu'],
  coreml: ['coreml', 'cpu'],
  directml: ['dml', 'cpu'],
}
