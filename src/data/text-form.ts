/** What is done to parallel texts before a model sees them, in training as in use. */
export interface TextForm {
  /** Whether capital letters are ignored, on both sides (default false). */
  readonly lowercase?: boolean | undefined
  /** What stands before every source, such as T5's `translate English to German: `. */
  readonly prefix?: string | undefined
}

/** A source as a model reads it: in lower case where that is asked for, behind the prefix. */
export function sourceForm(text: string, { lowercase, prefix = '' }: TextForm): string {
  return prefix + targetForm(text, { lowercase })
}

/** A target, or a reference that results are compared with, as a model writes it. */
export function targetForm(text: string, { lowercase = false }: TextForm): string {
  return lowercase ? text.toLowerCase() : text
}
