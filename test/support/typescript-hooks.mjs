// `node --import ./test/support/typescript-hooks.mjs file.ts` runs the sources as they are, so that tests which need
// a process of their own (to be killed, or several at once) never run a stale build. Types are dropped, not checked.
import { readFile } from 'node:fs/promises'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'

if (import.meta.url.endsWith('#hooks')) {
  // Loaded a second time, on the thread of the hooks: nothing to register there.
} else {
  register(`${import.meta.url}#hooks`)
}

export async function load(url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context)
  const { default: ts } = await import('typescript')
  const { outputText } = ts.transpileModule(await readFile(fileURLToPath(url), 'utf8'), {
    fileName: fileURLToPath(url),
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, inlineSourceMap: true },
  })
  return { format: 'module', source: outputText, shortCircuit: true }
}
