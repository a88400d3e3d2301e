export { GPT, type GPTConfig, type GPTInput, gpt2Large, gpt2Medium, gpt2Small, gpt2XL, gptCharacter } from './gpt.js'
