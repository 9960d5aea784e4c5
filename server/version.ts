import { readFileSync } from 'node:fs'

// From the sources (server/) and from the build (dist/server/).
const candidates = ['../package.json', '../../package.json']

/** This package's version. */
export function packageVersion(): string {
  for (const path of candidates) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
      if (name === 'partway') return version
    } catch {
      // Not there: the other candidate is.
    }
  }
  return 'unknown'
}
