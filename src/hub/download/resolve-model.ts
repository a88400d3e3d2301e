import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CheckpointError, NetworkError } from '../../errors.js'
import { ggufFiles, hasWeights, ModelCache } from './cache.js'
import { parseModelName } from './names.js'
import { type PullOptions, pullModel } from './pull.js'
import { hubSettings } from './settings.js'

/** How a model is found. */
export interface ResolveOptions extends Omit<PullOptions, 'revision' | 'file'> {
  /** Ask the hub whether there is something newer, where the cache has the model. */
  readonly refresh?: boolean
}

/**
 * The directory or file that a model's name stands for: an existing path is taken as it is; `OWNER/NAME` or
 * `OWNER/NAME@REVISION` from the cache that Python's huggingface_hub shares, without a request, or else from the hub.
 *
 * ```ts
 * const writer = await TextGenerator.load(await resolveModel('HuggingFaceTB/SmolLM2-135M-Instruct'))
 * ```
 *
 * @returns a checkpoint's directory, or a `.gguf` file; what is neither a path nor such a name is returned as it is
 * @throws CheckpointError where a folder OWNER is there but has no NAME, or the snapshot has several `.gguf`; whatever
 * `pullModel` throws
 */
export async function resolveModel(nameOrPath: string, options: ResolveOptions = {}): Promise<string> {
  if (existsSync(nameOrPath)) return nameOrPath
  const model = parseModelName(nameOrPath)
  if (model === undefined) return nameOrPath
  const settings = { ...hubSettings(), ...options.settings }
  const cached = new ModelCache(settings, model.repository).find(model, options.parts)
  if (cached !== undefined && !options.refresh) return weightsOf(cached, options)
  // Most likely a path that was mistyped: no reason to ask the network.
  const [folder] = nameOrPath.split('/')
  if (cached === undefined && existsSync(folder)) {
    throw new CheckpointError(
      `${nameOrPath}: no such directory in ${folder}; for the model of this name on the hub: heddle pull ${nameOrPath}`,
    )
  }
  if (cached === undefined && !settings.offline) {
    options.onMessage?.(
      `${nameOrPath}: no such directory and not in the cache; downloading it from ${settings.endpoint}`,
    )
  }
  try {
    return weightsOf((await pullModel(nameOrPath, options)).directory, options)
  } catch (error) {
    if (cached === undefined || !(error instanceof NetworkError)) throw error
    options.onMessage?.(`${error.message}; using what is in the cache`)
    return weightsOf(cached, options)
  }
}

/** A snapshot, or its only `.gguf` where that is all the weights it has. */
function weightsOf(snapshot: string, { parts }: ResolveOptions): string {
  if (parts === 'tokenizer' || hasWeights(snapshot)) return snapshot
  const files = ggufFiles(snapshot)
  if (files.length < 2) return files.length === 0 ? snapshot : join(snapshot, files[0])
  throw new CheckpointError(`${snapshot}: choose one of its files and give its path: ${files.join(', ')}`)
}
