import { DataError } from '../../errors.js'

/** All examples of data files. @throws DataError where there are none */
export async function collect<Example>(
  examples: AsyncIterable<Example>,
  files: string | readonly string[],
): Promise<Example[]> {
  const all: Example[] = []
  for await (const example of examples) all.push(example)
  if (all.length > 0) return all
  throw new DataError(`${[files].flat().join(', ')}: no examples; expected at least one`)
}
