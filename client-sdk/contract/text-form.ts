/** A text that lacks only the values of some names: many texts differ in nothing else. */
export interface TextForm {
  /** All names that are needed, as `Object.keys` gives them. */
  readonly names: readonly string[]
  readonly gaps: readonly { readonly before: string; readonly name: string }[]
  readonly end: string
}

/** A form of `pieces` in order, each a text or the name whose value goes there. */
export function textForm(names: readonly string[], pieces: readonly (string | { name: string })[]): TextForm {
  const gaps: { before: string; name: string }[] = []
  let text = ''
  for (const piece of pieces) {
    if (typeof piece === 'string') text += piece
    else {
      gaps.push({ before: text, name: piece.name })
      text = ''
    }
  }
  return { names, gaps, end: text }
}

/** Whether `values` has exactly the names of the form, in its order. */
export function isFormOf(form: TextForm, values: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(values)
  return names.length === form.names.length && names.every((name, index) => name === form.names[index])
}

export function fillIn<Value>(
  form: TextForm,
  values: Readonly<Record<string, Value>>,
  print: (value: Value | undefined) => string,
): string {
  let text = ''
  for (const { before, name } of form.gaps) text += before + print(values[name])
  return text + form.end
}
