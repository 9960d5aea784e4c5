/*
 * npm run bench [-- name …] [-- --option …]
 *
 * Runs benchmarks in turn, by default all of them. Each is a folder beside this file whose bench.ts exports `run(options)` and `about`.
 * Options are handed on as they are: `npm run bench -- admin --uploads 10000`.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** What the folder of a benchmark exports from its bench.ts. */
export interface Benchmark {
  about: string
  /** Prints its table. Resolves to false when a target was missed. */
  run(options: string[]): Promise<boolean>
}

const known = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules' && entry.name !== 'support')
  .map(({ name }) => name)

const given = process.argv.slice(2)
const firstOption = given.findIndex((argument) => argument.startsWith('-'))
const names = firstOption < 0 ? given : given.slice(0, firstOption)
const options = firstOption < 0 ? [] : given.slice(firstOption)
const unknown = names.filter((name) => !known.includes(name))

if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}. There are: ${known.join(', ')}.`)
  process.exitCode = 2
} else {
  for (const name of names.length > 0 ? names : known) {
    const benchmark = (await import(join(import.meta.dirname, name, 'bench.ts'))) as Benchmark
    console.log(`\n# ${name}: ${benchmark.about}\n`)
    if (!(await benchmark.run(options))) process.exitCode = 1
  }
}
