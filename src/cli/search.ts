import type { Command } from 'commander'
import { UsageError } from '../errors.js'
import { type SearchResult, SemanticSearch } from '../tasks/semantic-search.js'
import { reportingCuts } from './cut-texts.js'
import { type EmbedderOptions, loadEmbedder, poolingOption } from './embed.js'
import { deviceOption, maxLengthOption, modelOption } from './options.js'
import { action, type GlobalOptions, positiveInteger } from './output.js'
import { Progress } from './progress.js'
import { forEachText } from './texts.js'

interface SearchCommandOptions extends GlobalOptions, EmbedderOptions {
  file: string
  column?: string
  query?: string
  topK: number
  index?: string
}

/** Adds `heddle search`. */
export function register(program: Command): void {
  program
    .command('search')
    .summary('find texts that mean the same')
    .description(
      'Find the texts of a file that are nearest in meaning to a query, or to each line of standard input: cosine, line, text.',
    )
    .addOption(modelOption())
    .requiredOption('--file <file>', 'what is searched: one text a line, or CSV, TSV, JSONL, JSON or Parquet')
    .option('--column <name>', 'the column with the text, by its name or its position from 0')
    .option('--query <text>', 'what to look for (default: each line of standard input)')
    .option('--top-k <k>', 'how many texts to find', positiveInteger, 5)
    .option(
      '--index <file>',
      'keep the vectors in this safetensors file, and use them as long as the texts are the same',
    )
    .addOption(poolingOption())
    .addOption(maxLengthOption())
    .addOption(deviceOption())
    .action(action(search))
}

async function search(options: SearchCommandOptions): Promise<void> {
  const { file, query, topK, index } = options
  if (query === undefined && process.stdin.isTTY) {
    throw new UsageError('search: give --query TEXT, or queries on standard input, one a line')
  }
  const embedder = await loadEmbedder(options)
  const progress = new Progress()
  try {
    const texts = await SemanticSearch.open(embedder, file, {
      column: columnOf(options.column),
      index,
      onProgress: (done) => progress.prepare('embedding', done, ' texts'),
      onWarning: (message) => progress.note(`heddle: ${message}`),
    })
    progress.finish()
    const queries = { json: options.json, text: query }
    const work = reportingCuts(queries, embedder.maxLength, async (some, onCut) => {
      const found = await texts.find(some, { topK, onCut })
      return found.map((results) => ({ results }))
    })
    await forEachText(queries, work, ({ results }, text) => describe(results, query === undefined ? text : undefined))
  } finally {
    progress.finish()
    await embedder.dispose()
  }
}

/** One query is known to who gives it; of many each is shown above what was found. */
function describe(results: readonly SearchResult[], query: string | undefined): string {
  const lines = results.map(
    ({ score, line, text }) => `${score.toFixed(4)}\t${line}\t${text.replace(/\s*\n\s*/g, ' ')}`,
  )
  return query === undefined ? lines.join('\n') : [query, ...lines.map((line) => `\t${line}`)].join('\n')
}

function columnOf(column: string | undefined): string | number | undefined {
  return column !== undefined && /^\d+$/.test(column) ? Number(column) : column
}
