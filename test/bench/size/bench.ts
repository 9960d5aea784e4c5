import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { installPeers, peerName } from '../support/peers.ts'
import { startReport } from '../support/report.ts'
import { figure } from '../support/table.ts'

export const about = 'what a page loads to upload a file, minified and gzipped'

interface Weight {
  minifiedBytes: number
  gzipBytes: number
}

const benchDirectory = join(import.meta.dirname, '..')
const sdk = join(benchDirectory, '../../client-sdk/dist')

/** What a page imports of each, as its manual says. Everything that import leads to counts, also what is loaded later. */
const peers: { name: string; code: string }[] = [
  { name: 'tus-js-client', code: "export { Upload } from 'tus-js-client'" },
  {
    name: '@uppy/core + @uppy/aws-s3',
    code: "export { default as Uppy } from '@uppy/core'\nexport { default as AwsS3 } from '@uppy/aws-s3'",
  },
  { name: 'evaporate', code: "export { default } from 'evaporate'" },
  {
    name: '@aws-sdk/lib-storage',
    code: "export { S3Client } from '@aws-sdk/client-s3'\nexport { Upload } from '@aws-sdk/lib-storage'",
  },
]

export async function run(given: string[]): Promise<boolean> {
  installPeers()
  const report = startReport('size', given, {})
  const rows: { name: string; weight: Weight | string }[] = []
  const weigh = async (name: string, measure: () => Promise<Weight> | Weight) => {
    const weight = await Promise.resolve()
      .then(measure)
      .catch((error: Error) => error.message.split('\n')[0] ?? 'failed')
    rows.push({ name, weight })
    return typeof weight === 'string' ? null : weight.gzipBytes
  }
  const chunks = await bundle("export { createUploadClient } from '@partway/client/browser'")
  await weigh('Partway: before the first upload', () => weightOf(chunks.filter(({ isEntry }) => isEntry)))
  const worker = readFileSync(join(sdk, 'browser/hash-worker.js'), 'utf8')
  const own = await weigh('Partway: a page that uploads', () => weightOf([...uploading(chunks), { code: worker }]))
  await weigh('Partway: everything, with what only some pages need', () => weightOf([...chunks, { code: worker }]))
  const found: { name: string; gzipBytes: number | null }[] = []
  for (const { name, code } of peers) {
    const label = name.split(' + ').map(peerName).join(' + ')
    found.push({ name: label, gzipBytes: await weigh(label, async () => weightOf(await bundle(code))) })
  }
  const aliOss = `${peerName('ali-oss')} (its own browser build)`
  const shipped = join(benchDirectory, 'node_modules/ali-oss/dist/aliyun-oss-sdk.min.js')
  found.push({
    name: aliOss,
    gzipBytes: await weigh(aliOss, () => weightOf([{ code: readFileSync(shipped, 'utf8') }])),
  })

  report.raw('bytes', rows)
  report.table(
    ['library', 'minified KB', 'min+gzip KB'],
    rows.map(({ name, weight }) =>
      typeof weight === 'string'
        ? [`${name} FAILED: ${weight.slice(0, 100)}`, '–', '–']
        : [name, figure(weight.minifiedBytes / 1000), figure(weight.gzipBytes / 1000)],
    ),
  )
  report.note(
    'Bundled by Vite for modern browsers, each file gzipped by itself. Evaporate brings no hash: its users add MD5 and SHA-256 functions. ' +
      'The others resume on one device or not at all, and check no CRC-64; Partway’s figure includes both hashes in a worker.',
  )
  for (const { name, gzipBytes } of found) {
    report.target({
      work: `size against ${name}`,
      figure:
        own === null || gzipBytes === null
          ? 'not measured'
          : `${figure(own / 1000)} against ${figure(gzipBytes / 1000)} KB`,
      target: 'smaller',
      isMet: own === null || gzipBytes === null ? null : own < gzipBytes,
    })
  }
  return report.end()
}

interface Chunk {
  code: string
  isEntry: boolean
  moduleIds: string[]
}

/** The chunks of a page with this one module. Packages are found from test/bench. */
async function bundle(code: string): Promise<Chunk[]> {
  const entry = join(benchDirectory, 'entry-of-a-page.js')
  const result = await build({
    configFile: false,
    root: benchDirectory,
    logLevel: 'silent',
    plugins: [
      {
        name: 'entry',
        enforce: 'pre',
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? code : undefined),
      },
    ],
    define: { global: 'globalThis' },
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: entry, preserveEntrySignatures: 'strict' },
    },
  })
  const outputs = (Array.isArray(result) ? result : [result]).flatMap((one) => ('output' in one ? one.output : []))
  return outputs.flatMap((output) =>
    output.type === 'chunk' ? [{ code: output.code, isEntry: output.isEntry, moduleIds: output.moduleIds }] : [],
  )
}

/** Without what a usual page never asks for: hashing on the page's own thread, and signing for mode sts. */
function uploading(chunks: readonly Chunk[]): Chunk[] {
  const rare = ['/browser/main-thread-hashing.js', '/sts/sts-desk.js', '/@noble/hashes/', '/hash-wasm/']
  return chunks.filter(
    ({ isEntry, moduleIds }) => isEntry || !moduleIds.some((id) => rare.some((part) => id.includes(part))),
  )
}

function weightOf(files: readonly { code: string }[]): Weight {
  return {
    minifiedBytes: files.reduce((sum, { code }) => sum + Buffer.byteLength(code), 0),
    gzipBytes: files.reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0),
  }
}
