import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import { readOptions } from './options.ts'
import { markdownTable, size } from './table.ts'

/** What the issue asks for, and what was measured. `isMet` null: it could not be measured. */
export interface Verdict {
  work: string
  figure: string
  target: string
  isMet: boolean | null
}

/** Where a benchmark says what it found. */
export interface Report {
  /** Prints a table; the README holds it as it is printed. */
  table(columns: readonly string[], rows: readonly (readonly string[])[], title?: string): void
  /** Prints a sentence. */
  note(text: string): void
  target(verdict: Verdict): void
  /** Raw figures: only for `--json FILE`. */
  raw(name: string, figures: unknown): void
  /** Prints how the targets were met. False when one was missed. */
  end(): boolean
}

const all: Record<string, { options: unknown; tables: unknown[]; notes: string[]; targets: Verdict[]; raw: object }> =
  {}

/** `options` are those in force; `given` those of the command line. */
export function startReport(name: string, given: readonly string[], options: object): Report {
  const { json } = readOptions(given, { json: '' })
  const own = { options, tables: [] as unknown[], notes: [] as string[], targets: [] as Verdict[], raw: {} }
  all[name] = own
  return {
    table(columns, rows, title) {
      own.tables.push({ title, columns, rows })
      if (title) console.log(`${title}\n`)
      console.log(`${markdownTable(columns, rows)}\n`)
    },
    note(text) {
      own.notes.push(text)
      console.log(`${text}\n`)
    },
    target: (verdict) => void own.targets.push(verdict),
    raw: (rawName, figures) => void Object.assign(own.raw, { [rawName]: figures }),
    end() {
      if (own.targets.length > 0) console.log(`${markdownTable(verdictColumns, own.targets.map(verdictRow))}\n`)
      if (json !== '') writeFileSync(json, `${JSON.stringify({ machine: machine(), benchmarks: all }, null, 2)}\n`)
      return own.targets.every(({ isMet }) => isMet === true)
    },
  }
}

/** All targets of this run on one table, one row each; null when there are none. */
export function summaryTable(): string | null {
  const rows = Object.entries(all).flatMap(([name, { targets }]) =>
    targets.map((verdict) => [name, ...verdictRow(verdict)]),
  )
  return rows.length === 0 ? null : markdownTable(['benchmark', ...verdictColumns], rows)
}

/** What it ran on: figures of two machines say nothing about each other. */
export function machine(): Record<string, string> {
  return {
    processor: `${cpus().length} × ${cpus()[0]?.model.trim() || arch()}`,
    memory: size(totalmem()),
    system: `${process.platform} ${release()}`,
    node: process.version,
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    }).trim(),
    date: new Date().toISOString().slice(0, 10),
  }
}

const verdictColumns = ['target of', 'figure', 'wanted', '']

function verdictRow({ work, figure, target, isMet }: Verdict): string[] {
  return [work, figure, target, isMet === null ? 'NOT MEASURED' : isMet ? 'met' : 'MISSED']
}
