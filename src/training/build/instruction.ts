import { type Conversation, readConversations } from '../../data/conversations.js'
import { holdOut } from '../../data/hold-out.js'
import { ChatTemplate, defaultChatTemplate } from '../../tokenizers/chat-template.js'
import type { Tokenizer } from '../../tokenizers/tokenizer.js'
import type { BuildOptions, Ingredients } from '../build.js'
import { type AnsweredSequence, InstructionTuning } from '../objectives/instruction.js'
import type { Recipe } from '../recipe.js'
import { languageModel } from './causal-lm.js'

/** Sets up instruction tuning on prompts with completions, or on conversations. */
export async function buildInstruction({ recipe, checkpoint }: BuildOptions): Promise<Ingredients> {
  const { data, train: options } = recipe
  const started = await languageModel(recipe, checkpoint, () => textsOf(data.train))
  const { model, tokenizer, chatTemplate = defaultChatTemplate } = started
  const all = await encodeFiles(data.train, { recipe, tokenizer, chatTemplate })
  const given =
    data.validation === undefined ? undefined : await encodeFiles(data.validation, { recipe, tokenizer, chatTemplate })
  const { train, validation } = given === undefined ? holdOut(all, options.seed) : { train: all, validation: given }
  const { contextLength } = model.config
  const objective = new InstructionTuning({
    ...options,
    model,
    contextLength,
    train,
    validation,
  })
  const size = { count: train.length, unit: 'examples' } as const
  return { model, tokenizer, objective, size, chatTemplate }
}

async function* textsOf(files: string | string[]) {
  for await (const conversation of readConversations(files)) {
    const parts =
      'messages' in conversation
        ? conversation.messages.map(({ content }) => content)
        : [conversation.prompt, conversation.completion]
    yield { text: parts.join('\n'), ends: true }
  }
}

async function encodeFiles(
  files: string | string[],
  { recipe, tokenizer, chatTemplate }: { recipe: Recipe; tokenizer: Tokenizer; chatTemplate: string },
): Promise<AnsweredSequence[]> {
  const sequences: AnsweredSequence[] = []
  for await (const conversation of readConversations(files, recipe.data)) {
    sequences.push(await encodeConversation(conversation, tokenizer, chatTemplate))
  }
  return sequences
}

/**
 * A conversation as token ids, the answers marked. A completion ends with the end-of-sequence token where the tokenizer
 * has one, so that the model learns to stop.
 */
export async function encodeConversation(
  conversation: Conversation,
  tokenizer: Tokenizer,
  chatTemplate = defaultChatTemplate,
): Promise<AnsweredSequence> {
  const eos = tokenizer.eosTokenId === undefined ? '' : (tokenizer.idToToken(tokenizer.eosTokenId) ?? '')
  const pieces =
    'messages' in conversation
      ? new ChatTemplate(chatTemplate, eos).pieces(conversation.messages)
      : [
          { text: conversation.prompt, isAnswer: false },
          { text: conversation.completion + eos, isAnswer: true },
        ]
  const ids: number[] = []
  const isAnswer: boolean[] = []
  for (const piece of pieces) {
    const encoding = await tokenizer.encode(piece.text, { addSpecialTokens: false })
    ids.push(...encoding.ids)
    isAnswer.push(...encoding.ids.map(() => piece.isAnswer))
  }
  return { ids, isAnswer }
}
