import { type SecretKind, watch } from './secret-watch.ts'

/** What commands print on purpose: `serve` in local mode and `local-cloud` say how to get in, `token` makes one. */
const printing: readonly (readonly [command: string, kinds: readonly SecretKind[]])[] = [
  ['serve', ['token', 'root-key']],
  ['local-cloud', ['root-key']],
  ['token', ['token']],
]

/** Looks through everything that a process of the product printed. */
export function watchOutput(args: readonly string[], text: string): void {
  const allowed = printing.find(([command]) => args.includes(command))?.[1] ?? []
  watch(`what "${args.filter((arg) => !arg.startsWith('-')).join(' ')}" printed`, text, allowed)
}
