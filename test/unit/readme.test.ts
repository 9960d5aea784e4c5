import { readFileSync } from 'node:fs'
import { endpoints, problemCodes, problems } from '@partway/client/contract'
import { describe, expect, it } from 'vitest'
import { withRights } from '../../.ci/readme-rights.ts'
import { Variables } from '../../server/variables.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
/** All `code` words of the table under a heading line. */
function codesInTable(header: string): string[] {
  const table = readme.slice(readme.indexOf(header)).split('\n\n')[0] ?? ''
  return [...table.matchAll(/^\| ([^|]*) \|/gm)].flatMap((row) =>
    [...(row[1] ?? '').matchAll(/`([^`]+)`/g)].map((code) => code[1] ?? ''),
  )
}

describe('the README', () => {
  it('prints the operations and RAM policies that the code means; "npm run docs" writes them', () => {
    expect(readme).toBe(withRights(readme))
    // Neither a row or statement too few nor one too many goes unseen, nor a block that is not there.
    const changes = [
      (text: string) => text.replace(/^\| HeadObject .*\n/m, ''),
      (text: string) =>
        text.replace(/^(\| HeadObject .*\n)/m, '$1| CopyObject | `oss:GetObject` | objects | server | x |\n'),
      (text: string) => text.replace('"oss:ListParts",', ''),
      (text: string) => text.replace('"oss:ListParts",', '"oss:ListParts", "oss:ListObjects",'),
    ]
    for (const change of changes) {
      expect(change(readme)).not.toBe(readme)
      expect(withRights(change(readme))).toBe(readme)
    }
    expect(() => withRights(readme.replace('<!-- policy: trust -->', ''))).toThrow('policy: trust')
  })

  it('names every problem code and no other, each with its status', () => {
    expect(codesInTable('| code | status |').sort()).toEqual([...problemCodes].sort())
    for (const row of readme.slice(readme.indexOf('| code | status |')).split('\n\n')[0]?.split('\n').slice(2) ?? []) {
      const [, codes = '', status = ''] = row.split('|').map((cell) => cell.trim())
      for (const [, code] of codes.matchAll(/`([^`]+)`/g)) {
        expect([code, problems[code as keyof typeof problems].status]).toEqual([code, Number(status)])
      }
    }
  })

  it('names every variable and no other', () => {
    const clientOnly = ['PARTWAY_URL', 'PARTWAY_TOKEN']
    const named = codesInTable('| variable (default) |').filter((word) => /^[A-Z_]+$/.test(word))
    expect([...new Set(named)].sort()).toEqual([...Object.keys(Variables.shape), ...clientOnly].sort())
  })

  it('names every path of the API', () => {
    for (const { path } of Object.values(endpoints)) expect(readme).toContain(path.replace('{id}', ':id'))
  })
})
