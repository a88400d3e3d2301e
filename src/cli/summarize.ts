import type { Command } from 'commander'
import { registerRewriting } from './rewrite.js'

/** Adds `heddle summarize`. */
export function register(program: Command): void {
  registerRewriting(program, {
    name: 'summarize',
    summary: 'summarize texts',
    description:
      'Summarize a text, or each line of a file or of standard input, with an encoder–decoder such as BART or T5 that was trained for it.',
    done: 'summarized',
  })
}
