import { readdirSync, readFileSync } from 'node:fs'
import { extname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

/** A built file, as it is answered. */
export interface PageFile {
  contentType: string
  bytes: Buffer
  /** Null where compressing gains nothing. */
  gzipped: Buffer | null
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
}
/** Below this, a packet is a packet. */
const MIN_GZIPPED_BYTES = 1024

/** Where `npm run build` puts the pages: seen from the sources, and from the build. */
export function builtPagesDirectory(): string {
  const path = import.meta.url.endsWith('.ts') ? '../../dist/server/web' : '../web'
  return fileURLToPath(new URL(path, import.meta.url))
}

/**
 * Every file below `directory` by its path with forward slashes, or null where there is no build. `blanks` are filled into HTML; their values must
 * need no escaping.
 */
export function readPageFiles(
  directory: string,
  blanks: Readonly<Record<string, string>>,
): ReadonlyMap<string, PageFile> | null {
  let names: string[]
  try {
    names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  } catch {
    return null
  }
  const files = new Map<string, PageFile>()
  for (const name of names) {
    const contentType = contentTypes[extname(name)]
    if (contentType === undefined) continue
    const raw = readFileSync(join(directory, name))
    const bytes = extname(name) === '.html' ? Buffer.from(filled(raw.toString('utf8'), blanks)) : raw
    const gzipped = bytes.length < MIN_GZIPPED_BYTES ? null : gzipSync(bytes, { level: 9 })
    files.set(name.replaceAll(sep, '/'), { contentType, bytes, gzipped })
  }
  return files
}

function filled(html: string, blanks: Readonly<Record<string, string>>): string {
  return Object.entries(blanks).reduce((text, [blank, value]) => text.replaceAll(blank, value), html)
}
