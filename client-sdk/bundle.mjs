import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'vite'
import { withoutPreloading } from './without-preloading.mjs'

/**
 * Makes the two files of `dist` that no compiler makes: the worker with all it needs, for pages whose bundler copies it as it is or that have
 * none, and the whole SDK as one file for `<script type="module">`.
 */
const root = import.meta.dirname

/** Bundles `entry` into the one file `dist/fileName`, and returns its text. */
async function bundle(entry, fileName, plugins = []) {
  const { output } = await build({
    configFile: false,
    root,
    logLevel: 'warn',
    plugins: [withoutPreloading, ...plugins],
    build: {
      outDir: join(root, 'dist'),
      emptyOutDir: false,
      target: 'es2022',
      reportCompressedSize: false,
      rolldownOptions: {
        input: entry,
        preserveEntrySignatures: 'strict',
        output: { format: 'es', entryFileNames: fileName, codeSplitting: false },
      },
    },
  })
  const [chunk] = output
  if (chunk?.type !== 'chunk') throw new Error(`${entry} came to nothing`)
  return chunk.code
}

/** What web pages may use, in one module. */
const sdkFolders = ['browser', 'queue']
const wholeSdk = {
  name: 'whole-sdk',
  resolveId: (id) => (id === 'whole-sdk' ? id : undefined),
  load: (id) =>
    id === 'whole-sdk'
      ? sdkFolders.map((folder) => `export * from '${root}/${folder}/index.ts'`).join('\n')
      : undefined,
}

/** One file has no second one beside it for the worker: the worker's text travels along and becomes a file as a Blob. */
const inlineWorker = (text) => ({
  name: 'inline-worker',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith('/browser/browser-hashing.ts')) return
    const workerFile = "new URL('./hash-worker.js', import.meta.url)"
    if (code.split(workerFile).length !== 2) throw new Error(`browser-hashing.ts should say ${workerFile}, once`)
    const blobUrl = `
let workerUrl
const inlineWorkerUrl = () => (workerUrl ??= URL.createObjectURL(new Blob([${JSON.stringify(text)}], { type: 'text/javascript' })))
`
    return { code: code.replace(workerFile, 'inlineWorkerUrl()') + blobUrl, map: null }
  },
})

const workerText = await bundle(join(root, 'browser/hash-worker.ts'), 'browser/hash-worker.js')
await bundle('whole-sdk', 'partway-client.js', [wholeSdk, inlineWorker(workerText)])
await writeFile(
  join(root, 'dist/partway-client.d.ts'),
  sdkFolders.map((folder) => `export * from './${folder}/index.js'\n`).join(''),
)
