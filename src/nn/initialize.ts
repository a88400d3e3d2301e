import type { Parameter } from '../graph/index.js'
import { RandomStream } from '../runtime/index.js'

/**
 * Gives parameters their first values, each from its own initializer and a generator keyed by the seed and its path, so
 * that the values do not depend on the order of parameters.
 */
export function initialize(parameters: Readonly<Record<string, Parameter>>, seed: number): void {
  for (const [path, parameter] of Object.entries(parameters)) {
    parameter.data ??= new Float32Array(parameter.size)
    fill(parameter.data, parameter, new RandomStream(seed, path))
  }
}

function fill(data: Float32Array, { initializer }: Parameter, random: RandomStream): void {
  if (initializer.kind === 'constant') data.fill(initializer.value)
  else for (let i = 0; i < data.length; i++) data[i] = initializer.deviation * random.normal()
}
