import type { Command } from 'commander'
import { pullModel } from '../hub/download/index.js'
import { showingDownloads } from './local-model.js'
import { action, type GlobalOptions, printText } from './output.js'

interface PullCommandOptions extends GlobalOptions {
  revision?: string
  file?: string
}

/** Adds `heddle pull`. */
export function register(program: Command): void {
  program
    .command('pull')
    .summary('download a model of the Hugging Face hub')
    .description(
      "Download a model into Hugging Face's cache, or what has changed of it, and print its directory. Commands take its name for --model.",
    )
    .argument('<model>', 'OWNER/NAME, or OWNER/NAME@REVISION')
    .option('--revision <name>', 'a branch, a tag or a commit (default: main)')
    .option('--file <name>', 'a file to take instead of the weights, such as one of several .gguf')
    .addHelpText('after', environmentHelp)
    .action(action(pull))
}

const environmentHelp = `
Environment:
  HF_TOKEN         for private and gated models
  HF_ENDPOINT      a mirror instead of https://huggingface.co
  HF_HUB_CACHE     the cache, by default ~/.cache/huggingface/hub
  HF_HUB_OFFLINE   1 for no requests`

async function pull(name: string, { revision, file, json }: PullCommandOptions) {
  const started = performance.now()
  const pulled = await showingDownloads((options) => pullModel(name, { ...options, revision, file }))
  if (!json) printText(pulled.directory)
  return { ...pulled, seconds: (performance.now() - started) / 1000 }
}
