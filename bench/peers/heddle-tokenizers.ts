/**
 * Our side of the tokenizer benchmark, in the words of hf_tokenizers.py: takes the same CONFIG, says when it is warm, and
 * answers each line {"steps": n} of its input with the times of n pieces of work.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { createTokenizer, type TokenizerTrainingOptions, trainTokenizer } from 'heddle/tokenizers'

type Config =
  | {
      readonly job: 'train'
      readonly file: string
      readonly type: TokenizerTrainingOptions['type']
      readonly vocabularySize: number
    }
  | { readonly job: 'file' | 'lines'; readonly file: string; readonly tokenizer: string }

/** Does the work once. Returns how long it took in seconds, and the number of tokens that came out. */
async function work(config: Config): Promise<{ seconds: number; tokens: number }> {
  if (config.job === 'train') {
    const { type, vocabularySize } = config
    const start = performance.now()
    // Reading the file is part of training from it.
    const json = await trainTokenizer([readFileSync(config.file, 'utf8')], { type, vocabularySize })
    const seconds = (performance.now() - start) / 1000
    return { seconds, tokens: createTokenizer(json).vocabularySize }
  }
  const text = readFileSync(config.file, 'utf8')
  const lines = text.split(/(?<=\n)/)
  // A tokenizer that has encoded nothing: ours remembers words.
  const tokenizer = createTokenizer(readFileSync(config.tokenizer, 'utf8'))
  const start = performance.now()
  const tokens =
    config.job === 'file'
      ? (await tokenizer.encodeToArray(text, { addSpecialTokens: false })).length
      : (await tokenizer.encodeBatch(lines)).reduce((sum, { ids, tokens, offsets }) => {
          return sum + (tokens.length === offsets.length ? ids.length : Number.NaN)
        }, 0)
  return { seconds: (performance.now() - start) / 1000, tokens }
}

function answer(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const config: Config = JSON.parse(process.argv[2])
answer({ ready: true, version: process.versions.node, parameters: 0 })
for await (const line of createInterface({ input: process.stdin })) {
  const { steps }: { steps: number } = JSON.parse(line)
  const seconds: number[] = []
  let tokens = 0
  for (let i = 0; i < steps; i++) {
    const done = await work(config)
    seconds.push(done.seconds)
    tokens = done.tokens
  }
  answer({ seconds, peakRss: process.resourceUsage().maxRSS * 1024, loss: tokens })
}
