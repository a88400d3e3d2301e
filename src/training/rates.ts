/** How fast the parts of a model learn, in comparison. */
export interface RateOptions {
  /** What the rate is multiplied with for every layer that lies above a parameter (default 1). */
  readonly layerDecay?: number
  /** How many layers from the bottom, the embeddings among them, do not learn at all. */
  readonly freezeLayers?: number
}

/**
 * What the learning rate is multiplied with for each parameter: decay^(layers above it), as discriminative fine-tuning
 * does (Howard & Ruder 2018, §3.2). Embeddings are below all layers; what is in no layer and no embedding, such as a
 * head, is above them.
 *
 * @param names all parameters' paths
 * @returns the factor of a parameter by its path; 0 for a frozen one
 */
export function layerRates(names: readonly string[], options: RateOptions): (name: string) => number {
  const { layerDecay = 1, freezeLayers } = options
  const top = 1 + Math.max(0, ...names.map((name) => layerOf(name) ?? 0))
  return (name) => {
    const place = placeOf(name, top)
    return freezeLayers !== undefined && place <= freezeLayers ? 0 : layerDecay ** (top - place)
  }
}

/** 0 for embeddings, 1 for the first layer, …, `top` for what is above the last. */
function placeOf(name: string, top: number): number {
  return layerOf(name) ?? (/(^|\.)(embeddings\.|wte\.|wpe\.)/.test(name) ? 0 : top)
}

/** The number of the layer that a parameter is in, from 1. */
function layerOf(name: string): number | undefined {
  const match = /(?:^|\.)(?:layer|layers|h|block)\.(\d+)\./.exec(name)
  return match === null ? undefined : Number(match[1]) + 1
}
