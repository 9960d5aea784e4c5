// Generates the Prisma client from schema.prisma, quietly: its output is shown only when something is wrong.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const manifest = require('prisma/package.json')
const command = require.resolve(`prisma/${manifest.bin.prisma ?? manifest.bin}`)
const config = fileURLToPath(new URL('prisma.config.ts', import.meta.url))
const { status, stdout, stderr } = spawnSync(
  process.execPath,
  [command, 'generate', '--config', config, '--no-hints'],
  {
    encoding: 'utf8',
  },
)
if (status !== 0) {
  process.stderr.write(`${stdout}${stderr}`)
  process.exit(status ?? 1)
}
