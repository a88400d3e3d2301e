let scope = ''

/** The path of the module whose forward is running, '' outside of any. */
export function currentScope(): string {
  return scope
}

/** Runs `build` so that the tensors it makes are named within `path`. */
export function inScope<T>(path: string, build: () => T): T {
  const outer = scope
  scope = path
  try {
    return build()
  } finally {
    scope = outer
  }
}

/** Joins two parts of a dotted name, either of which may be empty. */
export function joinName(path: string, label: string): string {
  return path === '' || label === '' ? path + label : `${path}.${label}`
}
