/*
 * npm run bench [-- name …] [-- --option …]
 *
 * Runs benchmarks in turn, by default all of them. Each is a folder beside this file whose bench.ts exports `run(options)` and `about`.
 * Options are handed on as they are: `npm run bench -- admin --uploads 10000`. Those that all know: `--rounds N`, `--json FILE` (raw
 * figures). Whatever a benchmark has for a size, a count or a time is an option of it too.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { machine, summaryTable } from './support/report.ts'

/** What the folder of a benchmark exports from its bench.ts. */
export interface Benchmark {
  about: string
  /** Prints its table. Resolves to false when a target was missed. */
  run(options: string[]): Promise<boolean>
}

const known = readdirSync(import.meta.dirname).filter((name) => existsSync(join(import.meta.dirname, name, 'bench.ts')))

const given = process.argv.slice(2)
const firstOption = given.findIndex((argument) => argument.startsWith('-'))
const names = firstOption < 0 ? given : given.slice(0, firstOption)
const options = firstOption < 0 ? [] : given.slice(firstOption)
const unknown = names.filter((name) => !known.includes(name))

if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}. There are: ${known.join(', ')}.`)
  process.exitCode = 2
} else {
  console.log(Object.values(machine()).join(' · '))
  for (const name of names.length > 0 ? names : known) {
    const benchmark = (await import(join(import.meta.dirname, name, 'bench.ts'))) as Benchmark
    console.log(`\n## ${name}: ${benchmark.about}\n`)
    try {
      if (!(await benchmark.run(options))) process.exitCode = 1
    } catch (error) {
      console.log(`FAILED: ${error instanceof Error ? error.message : error}\n`)
      console.error(error)
      process.exitCode = 1
    }
  }
  const summary = summaryTable()
  if (summary) console.log(`## All targets\n\n${summary}`)
}
