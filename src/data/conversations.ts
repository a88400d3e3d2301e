import { z } from 'zod'
import { DataError } from '../errors.js'
import type { DataFormat } from './formats.js'
import { readRecords } from './records.js'

/** One turn of a conversation. */
export interface Message {
  readonly role: string
  readonly content: string
}

/** What instruction tuning learns from: a prompt with its completion, or a conversation whose answers are learnt. */
export type Conversation =
  | { readonly prompt: string; readonly completion: string }
  | { readonly messages: readonly Message[] }

const pair = z.object({ prompt: z.string(), completion: z.string().min(1) })
const chat = z.object({ messages: z.array(z.object({ role: z.string(), content: z.string() })).min(1) })

/**
 * Reads `{prompt, completion}` or `{messages: [{role, content}, …]}` from JSONL, JSON or Parquet.
 *
 * @throws DataError `file:line: problem` where a record is neither, or a conversation has no answer
 */
export async function* readConversations(
  files: string | readonly string[],
  options: { format?: DataFormat } = {},
): AsyncGenerator<Conversation> {
  for await (const { fields, file, line } of readRecords(files, options)) {
    const found = 'messages' in fields ? chat.safeParse(fields) : pair.safeParse(fields)
    if (!found.success) {
      const [{ path, message }] = found.error.issues
      const expected = 'expected {"prompt", "completion"} or {"messages": [{"role", "content"}, …]}'
      throw new DataError(`${file}:${line}: ${expected}; ${path.join('.')}: ${message}`)
    }
    if ('messages' in found.data && !found.data.messages.some(({ role }) => role === 'assistant')) {
      throw new DataError(
        `${file}:${line}: the conversation has no message with the role assistant, so nothing to learn`,
      )
    }
    yield found.data
  }
}
