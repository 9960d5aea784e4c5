import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { corsRule } from '../../server/cors-rule.ts'
import { mergeCors } from '../../server/oss/cors-rules.ts'

import '../support/fixed-seed.ts'

const added = corsRule(['https://app.example.com'])
const rulesOf = (xml: string) => xml.match(/<CORSRule>[\s\S]*?<\/CORSRule>/g) ?? []
const theirs = (n: number) =>
  `<CORSRule>\n<AllowedOrigin>https://${n}.test</AllowedOrigin><AllowedMethod>GET</AllowedMethod><New/></CORSRule>`

describe('merging a CORS rule', () => {
  it('puts it first, where it decides, and keeps the others and what else there is', () => {
    const xml = `<?xml version="1.0"?><CORSConfiguration xmlns="x">${theirs(1)}${theirs(2)}<ResponseVary>true</ResponseVary></CORSConfiguration>`
    const merged = mergeCors(xml, added) ?? ''
    expect(rulesOf(merged)).toEqual([...rulesOf(added), theirs(1), theirs(2)])
    expect(merged.replace(rulesOf(added)[0] ?? '', '')).toBe(xml)
  })

  it('is the whole configuration where there is none', () => {
    expect(mergeCors(null, added)).toBe(added)
    expect(mergeCors('<CORSConfiguration/>', added)).toBe(added)
  })

  it('refuses where OSS has no room for it, and what is no CORS configuration', () => {
    const xml = `<CORSConfiguration>${Array.from({ length: 10 }, (_, n) => theirs(n)).join('')}</CORSConfiguration>`
    expect(mergeCors(xml, added)).toBeNull()
    expect(() => mergeCors('<LifecycleConfiguration/>', added)).toThrow()
  })

  it('loses no rule, whatever there was', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 9 }), fc.boolean(), (numbers, isVary) => {
        const xml = `<CORSConfiguration>${numbers.map(theirs).join('\n')}<ResponseVary>${isVary}</ResponseVary></CORSConfiguration>`
        const merged = mergeCors(xml, added) ?? ''
        expect(rulesOf(merged)).toEqual([...rulesOf(added), ...numbers.map(theirs)])
        expect(merged).toContain(`<ResponseVary>${isVary}</ResponseVary>`)
      }),
    )
  })
})
