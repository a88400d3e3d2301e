export { type DownloadProgress, type PulledModel, type PullOptions, pullModel } from './pull.js'
export { type ResolveOptions, resolveModel } from './resolve-model.js'
export { type HubSettings, hubSettings } from './settings.js'
