import type { Command } from 'commander'
import { registerRewriting } from './rewrite.js'

/** Adds `heddle translate`. */
export function register(program: Command): void {
  registerRewriting(program, {
    name: 'translate',
    summary: 'translate texts',
    description:
      'Translate a text, or each line of a file or of standard input, with an encoder–decoder such as a Transformer, Marian or T5.',
    done: 'translated',
  })
}
