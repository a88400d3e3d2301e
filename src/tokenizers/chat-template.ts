import { Template } from '@huggingface/jinja'
import type { Message } from '../data/conversations.js'
import { TokenizerError } from '../errors.js'

/** The template of models that have none: each turn between a line with its role and the end-of-sequence token. */
export const defaultChatTemplate =
  "{% for message in messages %}{{ '<|' + message.role + '|>\\n' + message.content + eos_token + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"

/** A piece of a conversation's text: what the assistant said, or everything else. */
export interface ConversationPiece {
  readonly text: string
  readonly isAnswer: boolean
}

/** A model's chat template, in Jinja as `tokenizer_config.json` has it. */
export class ChatTemplate {
  readonly #template: Template
  readonly #eosToken: string

  /** @throws TokenizerError where the template is not valid Jinja */
  constructor(source: string, eosToken: string) {
    try {
      this.#template = new Template(source)
    } catch (cause) {
      throw new TokenizerError(`chat template: not valid Jinja: ${String(cause)}`, { cause })
    }
    this.#eosToken = eosToken
  }

  /** The text of a conversation, with the beginning of the next answer where one is to be generated. */
  render(messages: readonly Message[], addGenerationPrompt = false): string {
    return this.#template.render({
      messages,
      eos_token: this.#eosToken,
      bos_token: '',
      add_generation_prompt: addGenerationPrompt,
    })
  }

  /**
   * The text of a conversation in pieces, the answers apart: each is what follows its own generation prompt.
   *
   * @throws TokenizerError where the template does not write a conversation as its beginning and more
   */
  pieces(messages: readonly Message[]): ConversationPiece[] {
    const pieces: ConversationPiece[] = []
    let written = ''
    const add = (upTo: string, isAnswer: boolean) => {
      if (!upTo.startsWith(written)) {
        throw new TokenizerError(
          'chat template: a longer conversation does not begin like the shorter one; answers cannot be told apart',
        )
      }
      if (upTo.length > written.length) pieces.push({ text: upTo.slice(written.length), isAnswer })
      written = upTo
    }
    for (const [i, { role }] of messages.entries()) {
      if (role !== 'assistant') continue
      add(this.render(messages.slice(0, i), true), false)
      add(this.render(messages.slice(0, i + 1)), true)
    }
    return pieces
  }
}
