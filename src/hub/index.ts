export { averageCheckpoints } from './average-checkpoints.js'
export { type LoadedModel, loadModel, saveModel } from './checkpoint.js'
export {
  type DownloadProgress,
  type HubSettings,
  hubSettings,
  type PulledModel,
  type PullOptions,
  pullModel,
  type ResolveOptions,
  resolveModel,
} from './download/index.js'
export { readCheckpointTensors, readSafetensors, writeFileAtomically } from './files.js'
export { parseSafetensorsHeader, serializeSafetensors } from './safetensors.js'
