import { readDataSettings } from '../hub/data-settings.js'
import { resolveCheckpoint } from '../hub/run-directory.js'
import { type EntityMetrics, entityMetrics } from '../metrics/index.js'
import type { Device } from '../runtime/index.js'
import { labelIndices, readSentences } from '../training/build/tagging.js'
import type { TaskReport } from './evaluate.js'
import { TextTagger } from './text-tagger.js'

/**
 * Evaluates a tagger on sentences whose words are tagged: an entity is right where its type, first and last word are.
 *
 * @param path a checkpoint or a training run
 * @param file tagged sentences, see `readTagged`; columns are those of the training data
 * @throws CheckpointError, TokenizerError, DataError for what is missing, damaged or does not fit
 */
export async function evaluateTagging(
  path: string,
  file: string,
  options: { device?: Device } = {},
): Promise<TaskReport<EntityMetrics>> {
  const { columns } = readDataSettings(resolveCheckpoint(path))
  const sentences = await readSentences(file, { columns })
  const tagger = await TextTagger.load(path, options)
  await labelIndices(sentences, tagger.model.labels)
  const found = await tagger.tagWords(sentences.map(({ words }) => words))
  await tagger.dispose()
  const predicted = found.map((words) => words.map(({ tag }) => tag))
  const expected = sentences.map(({ tags }) => tags)
  const metrics = entityMetrics(expected, predicted, { strict: tagger.scheme })
  return { examples: sentences.length, metrics }
}
