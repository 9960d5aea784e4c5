/** A text, or the index of a value that goes there. */
export type FormPiece = string | number

/** A text that lacks only some values: many texts differ in nothing else. */
export interface TextForm {
  readonly gaps: readonly { readonly before: string; readonly value: number }[]
  readonly end: string
}

/** A form of `pieces` in their order. */
export function textForm(pieces: readonly FormPiece[]): TextForm {
  const gaps: { before: string; value: number }[] = []
  let text = ''
  for (const piece of pieces) {
    if (typeof piece === 'string') text += piece
    else {
      gaps.push({ before: text, value: piece })
      text = ''
    }
  }
  return { gaps, end: text }
}

/** The text with `values` in their places; there is one for each index that the form uses. */
export function fillIn(form: TextForm, values: readonly string[]): string {
  let text = ''
  for (const { before, value } of form.gaps) text += before + values[value]
  return text + form.end
}
