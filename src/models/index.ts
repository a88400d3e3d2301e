export {
  GPT,
  type GPTConfig,
  GPTForSequenceClassification,
  type GPTInput,
  GPTModel,
  gpt2Large,
  gpt2Medium,
  gpt2Small,
  gpt2XL,
  gptCharacter,
} from './gpt.js'
