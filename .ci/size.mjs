import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { withoutPreloading } from '../client-sdk/without-preloading.mjs'

/**
 * What the SDK weighs on a web page, as a bundler makes it of the built package, everything exported kept (`npm run size`). Exits 1 when a
 * piece passes its limit. `--modules` also says how much of each piece comes from where.
 */
const limits = {
  main: 10_500,
  engine: 10_500,
  ports: 6_000,
  'signing for mode sts': 3_000,
  'hashing in a worker': 10_000,
  'hashing on the page': 12_000,
  queue: 5_000,
  'ali-oss': 6_000,
  'all in one file': 40_000,
}

const dist = join(import.meta.dirname, '../client-sdk/dist')

/** What most pages import. */
const oneFunction = {
  name: 'one-function',
  resolveId: (id) => (id.endsWith('/one-function') ? id : undefined),
  load: (id) => (id.endsWith('/one-function') ? "export { createUploadClient } from './browser/index.js'" : undefined),
}

/** The chunks of a page that imports all of `entries`, files of `dist`. */
async function chunksOf(...entries) {
  const { output } = await build({
    configFile: false,
    root: dist,
    logLevel: 'error',
    plugins: [withoutPreloading, oneFunction],
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: entries.map((entry) => join(dist, entry)), preserveEntrySignatures: 'strict' },
    },
  })
  return output.filter(({ type }) => type === 'chunk')
}

/** The chunk that holds `module`, with all that it imports statically, but for what is `loaded` already. */
function loadedWith(chunks, module, loaded = []) {
  const found = new Set()
  const visit = (chunk) => {
    if (!chunk || found.has(chunk) || loaded.includes(chunk)) return
    found.add(chunk)
    for (const name of chunk.imports) visit(chunks.find(({ fileName }) => fileName === name))
  }
  const first = chunks.find(({ moduleIds }) => moduleIds.includes(join(dist, module)))
  if (!first) throw new Error(`no chunk holds ${module}`)
  visit(first)
  return [...found]
}

/** A file of `dist` that pages load as it is. */
const asItIs = (name) => [{ code: readFileSync(join(dist, name), 'utf8'), modules: {} }]

/** Prints one line, and returns the size. */
function report(name, chunks) {
  const minifiedBytes = chunks.reduce((sum, { code }) => sum + Buffer.byteLength(code), 0)
  const gzipBytes = chunks.reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0)
  const limit = limits[name]
  const isOver = limit !== undefined && gzipBytes > limit
  if (isOver) process.exitCode = 1
  const columns = [
    name.padEnd(28),
    String(minifiedBytes).padStart(9),
    String(gzipBytes).padStart(9),
    String(limit ?? '').padStart(9),
  ]
  console.log(columns.join(''), isOver ? ' OVER THE LIMIT' : '')
  if (process.argv.includes('--modules') && limit !== undefined) printModules(chunks)
}

/** Before minifying: afterwards nobody can tell whose byte is whose. */
function printModules(chunks) {
  const modules = chunks.flatMap((chunk) => Object.entries(chunk.modules))
  const sizes = modules.map(([id, { code }]) => [
    code?.replace(/^\s*(\/\*[\s\S]*?\*\/|\/\/.*)\s*$/gm, '').length ?? 0,
    id,
  ])
  for (const [bytes, id] of sizes.sort(([a], [b]) => b - a)) {
    console.log(`${String(bytes).padStart(37)}  ${id.replace(/^.*\/(dist|node_modules)\//, '')}`)
  }
}

const chunks = await chunksOf('browser/index.js')
const main = loadedWith(chunks, 'browser/index.js')
const engine = loadedWith(chunks, 'upload-file.js', main)
const ports = loadedWith(chunks, 'browser/upload-ports.js', [...main, ...engine])
const signing = loadedWith(chunks, 'sts/sts-desk.js', [...main, ...engine])
const worker = asItIs('browser/hash-worker.js')
const onPage = loadedWith(chunks, 'browser/main-thread-hashing.js', [...main, ...engine, ...ports])
const smallest = await chunksOf('one-function')
const smallMain = loadedWith(smallest, 'one-function')
const both = await chunksOf('browser/index.js', 'queue/index.js')
const queue = loadedWith(both, 'queue/index.js', loadedWith(both, 'browser/index.js'))
const adapter = loadedWith(await chunksOf('ali-oss/index.js'), 'ali-oss/index.js')

console.log(`${''.padEnd(28)} minified     gzip    limit  bytes`)
report('main', main)
report('- createUploadClient only', smallMain)
report('engine', engine)
report('ports', ports)
report('signing for mode sts', signing)
report('hashing in a worker', worker)
report('= a page that uploads', [...main, ...engine, ...ports, ...worker])
report('hashing on the page', onPage)
report('queue', queue)
report('ali-oss', adapter)
report('all in one file', asItIs('partway-client.js'))
