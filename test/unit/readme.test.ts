import { readFileSync } from 'node:fs'
import { endpoints, problemCodes, problems } from '@partway/client/contract'
import { describe, expect, it } from 'vitest'
import { serverPolicy, trustPolicy, uploaderRolePolicy } from '../../server/ram-policies.ts'
import { Variables } from '../../server/variables.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const places = { bucket: 'my-bucket', keyPrefix: 'uploads/' }
const accountId = '1234567890123456'

/** The JSON block that follows a comment naming it. */
function policyInReadme(name: string): unknown {
  const block = new RegExp(`<!-- policy: ${name} -->\n\`\`\`json\n([^\`]*)\`\`\``).exec(readme)
  return JSON.parse(block?.[1] ?? 'null')
}

/** All `code` words of the table under a heading line. */
function codesInTable(header: string): string[] {
  const table = readme.slice(readme.indexOf(header)).split('\n\n')[0] ?? ''
  return [...table.matchAll(/^\| ([^|]*) \|/gm)].flatMap((row) =>
    [...(row[1] ?? '').matchAll(/`([^`]+)`/g)].map((code) => code[1] ?? ''),
  )
}

describe('the README', () => {
  it('prints the RAM policies that the code means', () => {
    const roleArn = `acs:ram::${accountId}:role/partway-uploader`
    expect(policyInReadme('server')).toEqual(serverPolicy({ ...places, roleArn }))
    expect(policyInReadme('role')).toEqual(uploaderRolePolicy(places))
    expect(policyInReadme('trust')).toEqual(trustPolicy({ accountId, userName: 'partway-server' }))
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
