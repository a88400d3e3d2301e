import { statSync } from 'node:fs'
import { text as readAll } from 'node:stream/consumers'
import { type Command, Option } from 'commander'
import { type DocumentPiece, readDocuments } from '../data/documents.js'
import { findFiles } from '../data/find-files.js'
import { tokenizablePieces } from '../data/pieces.js'
import { makeFolder } from '../hub/files.js'
import { resolveCheckpoint } from '../hub/run-directory.js'
import { createTokenizer, loadTokenizer } from '../tokenizers/node.js'
import { saveTokenizer } from '../tokenizers/save.js'
import { trainableTypes } from '../tokenizers/training/request.js'
import { type TokenizerProgress, type TokenizerTrainingOptions, trainTokenizer } from '../tokenizers/training/train.js'
import { modelOption } from './options.js'
import { action, type GlobalOptions, positiveInteger, printText } from './output.js'
import { formatCount, formatDuration } from './progress.js'

interface TrainTokenizerOptions extends GlobalOptions {
  type: TokenizerTrainingOptions['type']
  vocabularySize: number
  files: string[]
  out: string
  specialTokens?: string[]
  minimumFrequency?: number
  alphabetLimit?: number
  lowercase: boolean
  lines: boolean
}

interface EncodeOptions extends GlobalOptions {
  model: string
  text?: string
}

/** Adds `heddle tokenizer` with its commands `train` and `encode`. */
export function register(program: Command): void {
  const tokenizer = program
    .command('tokenizer')
    .summary('train a tokenizer, or see what one does')
    .description('Train a tokenizer on files, or encode a text with the tokenizer of a checkpoint.')
  tokenizer
    .command('train')
    .summary('train a tokenizer on files')
    .description(
      'Train a tokenizer on the texts of files (text, JSONL, CSV, …) and write tokenizer.json, which Python opens too.',
    )
    .addOption(
      new Option('--type <type>', "bpe as GPT-2's, unigram as SentencePiece's, wordpiece as BERT's")
        .choices(trainableTypes)
        .default('bpe'),
    )
    .option('--vocabulary-size <n>', 'number of tokens, special ones included', positiveInteger, 8000)
    .requiredOption('--files <file...>', 'files or patterns')
    .requiredOption('--out <directory>', 'where to write the tokenizer')
    .option('--special-tokens <token...>', 'tokens that are not text, instead of the usual ones of the type')
    .option('--minimum-frequency <n>', 'how often a pair must occur to be merged (bpe, wordpiece)', positiveInteger)
    .option('--alphabet-limit <n>', 'how many different characters are kept (unigram, wordpiece)', positiveInteger)
    .option('--lowercase', 'ignore upper case and accents (wordpiece)', true)
    .option('--no-lowercase', 'tell upper case and accents apart (wordpiece)')
    .option('--no-lines', 'let tokens run across line ends, for texts that are more than lines')
    .action(action(train))
  tokenizer
    .command('encode')
    .summary('show the tokens of a text')
    .description('Show the tokens of a text with their ids and where each comes from, in UTF-16 units.')
    .addOption(modelOption())
    .option('--text <text>', 'the text; standard input where absent')
    .action(action(encode))
}

async function train(options: TrainTokenizerOptions) {
  const { type, vocabularySize, specialTokens, minimumFrequency, alphabetLimit, lowercase, lines, json } = options
  const files = findFiles(options.files)
  const started = performance.now()
  const status = new TrainingStatus(files, options)
  const text = await trainTokenizer(textsOf(files, status), {
    ...{ type, vocabularySize, specialTokens, minimumFrequency, alphabetLimit, lowercase, lines },
    onProgress: (progress) => status.show(progress),
  })
  status.finish()
  const tokenizer = createTokenizer(text)
  makeFolder(options.out)
  saveTokenizer(options.out, tokenizer)
  const seconds = (performance.now() - started) / 1000
  const result = { type, vocabularySize: tokenizer.vocabularySize, files, seconds }
  if (!json) printText(`${result.vocabularySize} tokens in ${formatDuration(seconds)}: ${options.out}`)
  return result
}

async function* textsOf(files: readonly string[], status: TrainingStatus): AsyncGenerator<string> {
  const documents: AsyncIterable<DocumentPiece> = readDocuments(files, { onBytes: (count) => status.read(count) })
  for await (const { text } of tokenizablePieces(documents)) yield text
}

async function encode({ model, text, json }: EncodeOptions) {
  const tokenizer = await openTokenizer(model)
  const given = text ?? (await readAll(process.stdin))
  const encoding = await tokenizer.encode(given)
  if (!json) {
    encoding.ids.forEach((id, i) => {
      const [start, end] = encoding.offsets[i]
      printText(`${String(id).padStart(6)}  ${encoding.tokens[i]}  [${start}, ${end})`)
    })
  }
  return encoding
}

/** The tokenizer of a directory that holds one, else of a checkpoint or a training run. */
async function openTokenizer(path: string) {
  try {
    return await loadTokenizer(path)
  } catch (error) {
    let directory: string
    try {
      directory = resolveCheckpoint(path)
    } catch {
      throw error
    }
    return loadTokenizer(directory)
  }
}

/** How far a training is, on standard error: a line that is rewritten on a terminal, elsewhere one every ten seconds. */
class TrainingStatus {
  readonly #bytes: number
  readonly #options: TrainTokenizerOptions
  readonly #pause = process.stderr.isTTY ? 100 : 10_000
  #read = 0
  #shown = performance.now()
  #drawn = false

  constructor(files: readonly string[], options: TrainTokenizerOptions) {
    this.#bytes = files.reduce((sum, file) => sum + statSync(file).size, 0)
    this.#options = options
  }

  read(bytes: number): void {
    this.#read += bytes
  }

  show({ stage, done, words }: TokenizerProgress): void {
    if (performance.now() - this.#shown < this.#pause) return
    this.#shown = performance.now()
    const share = Math.floor((100 * this.#read) / Math.max(1, this.#bytes))
    const line =
      stage === 'read'
        ? `reading ${share}%  ${formatCount(words)} different words`
        : `learning from ${formatCount(words)} different words: ${done} tokens, ${this.#options.vocabularySize} wanted`
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${line}` : `${line}\n`)
    this.#drawn = true
  }

  finish(): void {
    if (this.#drawn && process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  }
}
