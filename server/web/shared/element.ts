/** The one element of `kind` that `selector` means below `root`. Throws where the page lacks it: a mistake of the page itself. */
export function element<Kind extends Element>(
  root: ParentNode,
  selector: string,
  kind: abstract new (...args: never) => Kind,
): Kind {
  const found = root.querySelector(selector)
  if (found instanceof kind) return found
  throw new Error(`The page has no ${kind.name} at ${selector}`)
}

/** A fresh copy of what is in a `<template>`. */
export function copyOf(template: HTMLTemplateElement): HTMLLIElement {
  return element(document.importNode(template.content, true), 'li', HTMLLIElement)
}

/** Sets a text only where it differs: the same text again would still make the browser lay the line out anew. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text
}
