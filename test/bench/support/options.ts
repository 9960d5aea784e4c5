import { parseArgs } from 'node:util'

type Value = number | boolean | string

const units: Readonly<Record<string, number>> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, ms: 1, s: 1000 }

/**
 * Options of a benchmark over its defaults: `sizeBytes` is given as `--size 64MiB`, `workMs` as `--work 2s`, `withResume` as `--with-resume`.
 * An option that this benchmark does not have is another's. Throws on a value that cannot be read.
 */
export function readOptions<Options extends Record<string, Value>>(
  given: readonly string[],
  defaults: Options,
): Options {
  const names = Object.keys(defaults)
  const { values } = parseArgs({
    args: [...given],
    strict: false,
    options: Object.fromEntries(
      names.map((name) => [optionName(name), { type: typeof defaults[name] === 'boolean' ? 'boolean' : 'string' }]),
    ),
  })
  const chosen = names.map((name) => {
    const text = values[optionName(name)]
    return [name, typeof defaults[name] === 'number' && typeof text === 'string' ? toNumber(name, text) : text]
  })
  return { ...defaults, ...Object.fromEntries(chosen.filter(([, value]) => value !== undefined)) }
}

function optionName(name: string): string {
  return name.replace(/(Bytes|Ms)$/, '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function toNumber(name: string, text: string): number {
  const [, digits = '', unit = ''] = /^([\d.]+)([a-zA-Z]*)$/.exec(text) ?? []
  const factor = units[unit]
  if (digits === '' || factor === undefined) throw new Error(`--${optionName(name)} cannot be ${text}`)
  return Number(digits) * factor
}
