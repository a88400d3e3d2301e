export { averageCheckpoints } from './average-checkpoints.js'
export { type LoadedModel, loadModel, saveModel } from './checkpoint.js'
export { readCheckpointTensors, readSafetensors, writeFileAtomically } from './files.js'
export { parseSafetensorsHeader, serializeSafetensors } from './safetensors.js'
