import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const benchDirectory = dirname(import.meta.dirname)

/** Installs the peers unless they are there. What fails is told, and then each peer fails by itself and says so in its row. */
export function installPeers(): void {
  if (existsSync(join(benchDirectory, 'node_modules'))) return
  console.error('  installing the peers (npm ci --prefix test/bench)')
  try {
    execFileSync('npm', ['ci', '--prefix', benchDirectory], { stdio: ['ignore', 'ignore', 'inherit'] })
  } catch (error) {
    console.error(`  the peers could not be installed: ${error instanceof Error ? error.message : error}`)
  }
}

/** `ali-oss 6.23.0`; without a version when it is not installed. */
export function peerName(packageName: string): string {
  try {
    const text = readFileSync(join(benchDirectory, 'node_modules', packageName, 'package.json'), 'utf8')
    return `${packageName} ${(JSON.parse(text) as { version: string }).version}`
  } catch {
    return `${packageName} (not installed)`
  }
}
