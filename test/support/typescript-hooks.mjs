// `node --import ./test/support/typescript-hooks.mjs file.ts` runs the sources as they are, so that tests which need
// a process of their own (to be killed, or several at once) never run a stale build. Types are dropped, not checked.
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { threadId } from 'node:worker_threads'

// Named by what they were made from, so none is ever stale. A process that compiles for itself needs seconds of CPU before its first line.
const compiled = new URL('../../node_modules/.cache/partway-typescript/', import.meta.url)
// A change of what is below makes all of them anew.
const ownText = await readFile(new URL(import.meta.url), 'utf8')

if (import.meta.url.endsWith('#hooks')) {
  // Loaded a second time, on the thread of the hooks: nothing to register there.
} else {
  register(`${import.meta.url}#hooks`)
}

export async function load(url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context)
  const source = await readFile(fileURLToPath(url), 'utf8')
  // The path too: it stands in the source map.
  const name = createHash('sha256').update(`${ownText}\0${url}\0${source}`).digest('hex')
  const file = new URL(`${name}.js`, compiled)
  const text = (await readFile(file, 'utf8').catch(() => null)) ?? (await compile(url, source, file))
  return { format: 'module', source: text, shortCircuit: true }
}

async function compile(url, source, file) {
  const { default: ts } = await import('typescript')
  const { outputText } = ts.transpileModule(source, {
    fileName: fileURLToPath(url),
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, inlineSourceMap: true },
  })
  // Renamed into its place when whole: other processes read there at the same moment. Some run as users who may not write.
  const partial = new URL(`${file.href}.${process.pid}.${threadId}`)
  await mkdir(compiled, { recursive: true })
    .then(() => writeFile(partial, outputText))
    .then(() => rename(partial, file))
    .catch(() => undefined)
  return outputText
}
