import { type Command, Option } from 'commander'
import { UsageError } from '../errors.js'
import { beamSearch, greedy, type Strategy, sample } from '../generation/strategies.js'
import type { GenerationOptions } from '../generation/types.js'
import type { Device } from '../runtime/index.js'
import { type Prompt, TextGenerator } from '../tasks/text-generator.js'
import { deviceOption, modelOption } from './options.js'
import { action, type GlobalOptions, nonNegativeInteger, number, parseIds, positiveInteger } from './output.js'

interface GenerateCommandOptions extends GlobalOptions {
  model: string
  prompt?: string
  ids?: number[]
  strategy: 'greedy' | 'sample' | 'beam'
  maxNewTokens: number
  temperature?: number
  topK?: number
  topP?: number
  minP?: number
  repetitionPenalty?: number
  beams: number
  lengthPenalty: number
  stop?: string[]
  seed: number
  device: Device
}

/** Adds `heddle generate`. */
export function register(program: Command): void {
  program
    .command('generate')
    .summary('continue a text')
    .description(
      'Continue a text with a language model. The text streams to standard output; with --json the result comes at the end.',
    )
    .addOption(modelOption())
    .addOption(new Option('--prompt <text>', 'the text to continue').conflicts('ids'))
    .option('--ids <list>', 'token ids to continue, e.g. 1,2,3', parseIds)
    .addOption(
      new Option('--strategy <name>', 'how tokens are chosen').choices(['greedy', 'sample', 'beam']).default('sample'),
    )
    .option('--max-new-tokens <n>', 'most tokens to generate', positiveInteger, 200)
    .option('--temperature <t>', 'below 1 more predictable, above 1 more varied (sample)', number)
    .option('--top-k <k>', 'choose among the k likeliest tokens (sample)', positiveInteger)
    .option('--top-p <p>', 'choose among the likeliest tokens with total probability p (sample)', number)
    .option('--min-p <p>', 'leave out tokens less likely than p times the likeliest (sample)', number)
    .option('--repetition-penalty <r>', 'above 1 makes tokens that have occurred less likely', number)
    .option('--beams <b>', 'sequences that are followed at once (beam)', positiveInteger, 4)
    .option('--length-penalty <a>', 'above 0 favours longer sequences (beam)', number, 1)
    .option('--stop <text...>', 'stop where this text would come; may be given several times')
    .option('--seed <s>', 'the same seed gives the same text', nonNegativeInteger, 0)
    .addOption(deviceOption())
    .action(action(generate))
}

async function generate(options: GenerateCommandOptions) {
  const prompt = promptOf(options)
  const strategy = strategyOf(options)
  const generator = await TextGenerator.load(options.model, {
    device: options.device,
    tokenizer: options.ids === undefined,
  })
  const { maxNewTokens, seed, stop, repetitionPenalty } = options
  const settings: GenerationOptions = { strategy, maxNewTokens, seed, stop, repetitionPenalty }
  const started = performance.now()
  const result = await (options.json || strategy.kind === 'beam' || generator.tokenizer === undefined
    ? complete(generator, prompt, settings, !options.json)
    : stream(generator, prompt, settings))
  const seconds = (performance.now() - started) / 1000
  await generator.dispose()
  const { ids, text, finishReason } = result
  return { text: text ?? null, ids, finishReason, tokensPerSecond: ids.length / seconds }
}

async function complete(generator: TextGenerator, prompt: Prompt, settings: GenerationOptions, print: boolean) {
  const [result] = await generator.complete(prompt, settings)
  if (print) process.stdout.write(`${result.text ?? result.ids.join(',')}\n`)
  return result
}

async function stream(generator: TextGenerator, prompt: Prompt, settings: GenerationOptions) {
  const pieces = generator.stream(prompt, settings)
  let piece = await pieces.next()
  for (; !piece.done; piece = await pieces.next()) process.stdout.write(piece.value)
  process.stdout.write('\n')
  if (piece.value === undefined) throw new UsageError('generate: the stream ended without a result')
  return piece.value
}

function promptOf({ prompt, ids }: GenerateCommandOptions): Prompt {
  const given = prompt ?? ids
  if (given !== undefined) return given
  throw new UsageError('generate: give --prompt TEXT or --ids 1,2,3')
}

function strategyOf(options: GenerateCommandOptions): Strategy {
  const { strategy, temperature, topK, topP, minP, beams, lengthPenalty } = options
  if (strategy === 'greedy') return greedy()
  if (strategy === 'beam') return beamSearch({ beams, lengthPenalty })
  return sample({ temperature, topK, topP, minP })
}
