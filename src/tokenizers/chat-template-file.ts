import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readJson, readTextFile } from '../hub/files.js'
import { isGgufFile } from '../hub/gguf/find.js'
import { loadGgufChatTemplate } from '../hub/gguf/tokenizer.js'

const configuration = z.looseObject({
  chat_template: z
    .union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))])
    .nullish()
    .catch(undefined),
})

/**
 * The chat template that a checkpoint brings, in Jinja: `chat_template.jinja`, else `chat_template` in
 * `tokenizer_config.json`, of several named ones the `default`; or a GGUF file's own.
 *
 * @returns undefined where the checkpoint has none
 * @throws CheckpointError where a file cannot be read
 */
export function readChatTemplate(directory: string): string | undefined {
  if (isGgufFile(directory)) return loadGgufChatTemplate(directory)
  const own = join(directory, 'chat_template.jinja')
  if (existsSync(own)) return readTextFile(own)
  const path = join(directory, 'tokenizer_config.json')
  if (!existsSync(path)) return undefined
  const found = configuration.safeParse(readJson(path)).data?.chat_template
  if (typeof found === 'string') return found
  return (found?.find(({ name }) => name === 'default') ?? found?.[0])?.template
}
