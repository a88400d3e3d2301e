let training = false

/** Builds a graph for training: dropout is part of it. Outside of this call graphs are built for use, without dropout. */
export function forTraining<T>(build: () => T): T {
  const outer = training
  training = true
  try {
    return build()
  } finally {
    training = outer
  }
}

/** Whether the graph being built is one for training. */
export function isTraining(): boolean {
  return training
}
