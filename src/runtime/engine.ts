import type { InferenceSession } from 'onnxruntime-common'

/** Where a program runs. */
export type Device = 'cpu' | 'cuda' | 'webgpu' | 'coreml' | 'directml'

/** A compiled ONNX model: what programs use of an ONNX Runtime session. */
export interface Session {
  /**
   * Computes outputs.
   *
   * @param fetches the outputs by name: a tensor whose array receives the output, or null for a new one
   */
  run(
    feeds: InferenceSession.OnnxValueMapType,
    fetches: InferenceSession.NullableOnnxValueMapType,
  ): Promise<InferenceSession.OnnxValueMapType>
  /** Frees the engine's memory of the model. */
  release(): Promise<void>
}

/** ONNX Runtime's options of a session, with the execution providers to try. */
export type SessionOptions = InferenceSession.SessionOptions & {
  readonly executionProviders: readonly InferenceSession.ExecutionProviderConfig[]
}

/** ONNX Runtime's execution providers of each device, first choice first; none where a device does not exist. */
export type ExecutionProviders = Readonly<Record<Device, readonly InferenceSession.ExecutionProviderConfig[]>>
