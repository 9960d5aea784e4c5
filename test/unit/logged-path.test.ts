import { endpoints } from '@partway/client/contract'
import { describe, expect, it } from 'vitest'
import { loggedPath } from '../../server/http/logged-path.ts'

const upload = `upl_${'0f'.repeat(16)}`
const authUrl = `aur_${'0f'.repeat(16)}`

describe('a path in the log', () => {
  it('is what was asked for, where it is words of the API and ids of its rows', () => {
    const paths = Object.values(endpoints).map(({ path }) => path.replace('{id}', upload).replace('{tenant}', authUrl))
    for (const path of [
      ...paths,
      '/',
      '/healthz',
      '/readyz',
      '/metrics',
      '/docs',
      '/openapi.json',
      '/v1/oss-callback',
    ]) {
      expect(loggedPath(path, '')).toBe(path)
      expect(loggedPath(`${path}?token=secret`, '/files/up')).toBe(path)
      expect(loggedPath(`/files/up${path}?token=secret`, '/files/up')).toBe(`/files/up${path}`)
    }
  })

  it.each([
    ['/secret', '/*'],
    ['/v1/uploads/secret/grants', '/v1/uploads/*/grants'],
    [`/v1/uploads/${upload}secret`, '/v1/uploads/*'],
    ['/v1/admin/tenants/secret', '/v1/admin/tenants/*'],
    ['/v1%2Fsecret/%zz', '/*/*'],
    ['/assets/secret.js', '/assets/*'],
    ['http://host/secret', '*//*/*'],
    ['//secret', '//*'],
    ['*', '*'],
    ['', ''],
  ])('%s is %s', (url, shown) => {
    expect(loggedPath(url, '')).toBe(shown)
  })
})
