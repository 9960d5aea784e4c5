import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call } from '../../server/cli/call.ts'
import { exitCode } from '../../server/cli/exit-code.ts'
import { writeLocalFile } from '../../server/cli/local-file.ts'
import { findSession, LOCAL_ADMIN, LOCAL_USER } from '../../server/cli/session.ts'
import { loadCliConfig } from '../../server/config.ts'

let dataDir: string
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'partway-session-'))
  const file = { url: 'http://127.0.0.1:3999', pid: 1, secretFile: null, issuer: null, audience: null }
  await writeLocalFile(dataDir, file)
})
afterAll(() => rm(dataDir, { recursive: true, force: true }))

describe('the server a command talks to', () => {
  const sessionFor = (url: string) => {
    const config = loadCliConfig({ PARTWAY_DATA_DIR: dataDir, PARTWAY_URL: url })
    return findSession(LOCAL_USER, { ...config, jwtSecret: 'a-secret-of-thirty-two-bytes-or-so' })
  }

  it('is the local one under any of this machine’s names, and gets a token of its own', async () => {
    for (const url of ['http://127.0.0.1:3999', 'http://localhost:3999', 'http://[::1]:3999']) {
      const session = await sessionFor(url)
      expect(session).toMatchObject({ baseUrl: url, isLocal: true })
      expect(await session.token()).toMatch(/^eyJ/)
    }
  })

  it('takes an administrator’s command for one of all tenants', async () => {
    const config = loadCliConfig({ PARTWAY_DATA_DIR: dataDir })
    const session = await findSession(LOCAL_ADMIN, { ...config, jwtSecret: 'a-secret-of-thirty-two-bytes-or-so' })
    const [, claims = ''] = (await session.token()).split('.')
    const { sub, tenant, scope } = JSON.parse(Buffer.from(claims, 'base64url').toString())
    expect({ sub, tenant, scope }).toEqual({ sub: 'local-admin', tenant: '*', scope: 'admin' })
  })

  it('is another one on another port, host or path: no token is made for that', async () => {
    for (const url of ['http://localhost:3998', 'http://example.com:3999', 'http://localhost:3999/files']) {
      await expect(sessionFor(url)).rejects.toMatchObject({ code: exitCode.unauthorized })
    }
  })
})

it('a server that is out of service for the moment ends list and abort as it ends upload', async () => {
  const server = createServer((_, response) => {
    const problem = { type: 'x', title: 'Down', status: 503, code: 'storage-unavailable' }
    response.writeHead(503, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const session = { baseUrl, token: async () => 't', isLocal: false }
  await expect(call('listUploads', {}, session)).rejects.toMatchObject({ code: exitCode.unreachable })
  await new Promise((resolve) => server.close(resolve))
})
