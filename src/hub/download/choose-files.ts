import { basename } from 'node:path'
import { CheckpointError, nearestName } from '../../errors.js'
import { isSafePath } from './names.js'

/** Which of a repository's files are needed. */
export interface Choice {
  /** Configuration, tokenizer and templates. */
  readonly small: readonly string[]
  /** The weights; empty where they are named by the index. */
  readonly weights: readonly string[]
  /** The file that names the shards of the weights. */
  readonly index: string | undefined
}

/** What a checkpoint's folder may have beside the weights, that Heddle or Python's transformers read. */
const smallFiles = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'vocab.txt',
  'encoder.json',
  'vocab.bpe',
  'tokenizer.model',
  'sentencepiece.bpe.model',
  'spiece.model',
  'source.spm',
  'target.spm',
  'chat_template.jinja',
  'chat_template.json',
  'data.json',
  'modules.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
]
const smallInFolders = [
  /^\d+_[A-Za-z]+\/config\.json$/,
  /^source_tokenizer\/[\w.-]+\.(json|txt)$/,
  /^additional_chat_templates\/[\w.-]+\.jinja$/,
]

/** Of the small files the ones that hold a tokenizer, any of which will do. */
export const tokenizerFiles = smallFiles.filter((name) =>
  /^(tokenizer\.|vocab|encoder|sentencepiece|spiece|source)/.test(name),
)

/** The weights in one file, and the file that names their shards. */
export const wholeWeights = 'model.safetensors'
export const shardIndex = 'model.safetensors.index.json'

const pickle = /\.(bin|pt|pth|ckpt|pkl|pickle|joblib|npy|npz)$/i

/** What is wanted of a repository. */
export interface Wanted {
  /** A file to take instead of the weights, such as one of several `.gguf`. */
  readonly file?: string | undefined
  /** `tokenizer` leaves the weights out (default `model`). */
  readonly parts?: 'model' | 'tokenizer' | undefined
}

/**
 * Chooses the files that a model needs: its weights as safetensors, or its only `.gguf`, and the small files beside them.
 *
 * @param names the repository's files
 * @param where the model, for messages
 * @throws CheckpointError where there are no such weights, several to choose from, or only Python pickles
 */
export function chooseFiles(names: readonly string[], where: string, wanted: Wanted = {}): Choice {
  const small = names.filter(
    (name) => smallFiles.includes(name) || smallInFolders.some((pattern) => pattern.test(name)),
  )
  if (wanted.file !== undefined) return { small, weights: [named(wanted.file, names, where)], index: undefined }
  if (wanted.parts === 'tokenizer') return { small, weights: [], index: undefined }
  if (names.includes(wholeWeights)) return { small, weights: [wholeWeights], index: undefined }
  if (names.includes(shardIndex)) return { small, weights: [], index: shardIndex }
  const quantized = names.filter((name) => name.endsWith('.gguf') && isSafePath(name))
  if (quantized.length === 1) return { small, weights: quantized, index: undefined }
  throw new CheckpointError(`${where}: ${missingWeights(names, quantized, where)}`)
}

/**
 * The shards that an index names.
 *
 * @param shards the values of its `weight_map`
 * @param names the repository's files
 * @throws CheckpointError where one is not there
 */
export function chooseShards(shards: Iterable<string>, names: readonly string[], where: string): string[] {
  const chosen = [...new Set(shards)]
  const missing = chosen.find((name) => !names.includes(name) || !isSafePath(name) || pickle.test(name))
  if (missing === undefined) return chosen
  throw new CheckpointError(
    `${where}: ${shardIndex} names ${JSON.stringify(missing)}, which is not among the model's files of weights`,
  )
}

function named(file: string, names: readonly string[], where: string): string {
  if (!isSafePath(file)) {
    throw new CheckpointError(`${where}: ${JSON.stringify(file)} is not the name of a file in a repository`)
  }
  if (pickle.test(file)) throw new CheckpointError(`${where}: ${pickleAdvice(file, where)}`)
  if (names.includes(file)) return file
  const near = nearestName(file, names)
  const advice = near === undefined || !isSafePath(near) ? `there are ${listed(names)}` : `did you mean ${near}?`
  throw new CheckpointError(`${where}: there is no file ${file}; ${advice}`)
}

function missingWeights(names: readonly string[], quantized: readonly string[], where: string): string {
  if (quantized.length > 0) return `choose one of its files with --file: ${quantized.join(', ')}`
  const pickled = names.find((name) => pickle.test(name) && /^(pytorch_model|consolidated|model)/.test(basename(name)))
  if (pickled !== undefined) return pickleAdvice(pickled, where)
  return `expected ${wholeWeights}, ${shardIndex} or a .gguf, found none of them but ${listed(names)}`
}

/** The first of some files; only those whose names a terminal can show. */
function listed(names: readonly string[]): string {
  const safe = names.filter(isSafePath)
  return `${safe.slice(0, 10).join(', ') || 'no files'}${safe.length > 10 ? ` and ${safe.length - 10} more` : ''}`
}

function pickleAdvice(file: string, where: string): string {
  const [repository] = where.split('@')
  return `${file} is a Python pickle, which runs code when it is opened and is not downloaded; convert it in Python: AutoModel.from_pretrained('${repository}').save_pretrained('DIRECTORY'), with the class that the model is for, or look for a revision with safetensors on its page and give it with --revision`
}

/** The usual files in a checkpoint's own folder that a repository does not have. */
export function absentFiles(names: readonly string[]): string[] {
  return smallFiles.filter((name) => !names.includes(name))
}
