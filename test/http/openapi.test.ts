import { readFile } from 'node:fs/promises'
import {
  type Endpoint,
  type EndpointName,
  endpoints,
  problemCodes,
  problems,
  routingProblems,
} from '@partway/client/contract'
import express from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createOpenApi, type OpenApiDocument, problemsOf } from '../../server/http/openapi.ts'
import { examples } from '../../server/http/openapi-examples.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let document: OpenApiDocument
beforeAll(async () => {
  app = await startTestApp()
  document = (await (await fetch(`${app.url}/openapi.json`)).json()) as OpenApiDocument
})
afterAll(() => app.close())

describe('the OpenAPI document', () => {
  test('changes only where somebody looks: this snapshot is the wire', async () => {
    const stable = JSON.stringify(createOpenApi({ version: '0.0.0', serverUrl: '/' }), null, 2)
    await expect(`${stable}\n`).toMatchFileSnapshot('./openapi.json.snap')
  })

  test('has every endpoint of the contract, and nothing else', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => `${operation.operationId} ${method.toUpperCase()} ${path}`),
    )
    const expected = Object.entries(endpoints).map(([name, { method, path }]) => `${name} ${method} ${path}`)
    expect(operations.sort()).toEqual(expected.sort())
  })

  test('refers only to components it has, and has none that nothing refers to', () => {
    const refs = new Set(
      [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]),
    )
    expect([...refs].sort()).toEqual(Object.keys(document.components.schemas).sort())
    expect(JSON.stringify(document)).not.toContain('$defs')
  })

  test('declares every path parameter, requires a token where the contract does, and no body where fields are optional', () => {
    for (const [name, endpoint] of Object.entries(endpoints) as [EndpointName, Endpoint][]) {
      const operation = document.paths[endpoint.path]?.[endpoint.method.toLowerCase()]
      const inPath = [...endpoint.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
      expect(operation?.parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)).toEqual(
        inPath,
      )
      expect(operation?.security).toEqual(endpoint.scope ? [{ bearer: [] }] : [])
      if (endpoint.body) expect([name, operation?.requestBody?.required]).toEqual([name, name !== 'completeUpload'])
    }
  })

  test('leaves requests closed and replies open to new fields', () => {
    const bodies = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).flatMap(({ requestBody }) => requestBody ?? []),
    )
    for (const body of bodies) expect(body.content['application/json']?.schema.additionalProperties).toBe(false)
    expect(document.components.schemas.Upload).not.toHaveProperty('additionalProperties')
  })

  test.each(Object.entries(examples))('gives an example that %s takes', (name, example) => {
    const { body } = endpoints[name as EndpointName] as Endpoint
    expect(body?.safeParse(example.body).success).toBe(true)
  })

  test('documents for each operation exactly its problems, by status', () => {
    for (const endpoint of Object.values(endpoints) as Endpoint[]) {
      const responses = document.paths[endpoint.path]?.[endpoint.method.toLowerCase()]?.responses ?? {}
      const documented = Object.entries(responses).flatMap(([status, { content }]) => {
        const schema = content?.['application/problem+json']?.schema as
          | { properties: { code: { enum: string[] } } }
          | undefined
        return (schema?.properties.code.enum ?? []).map((code) => `${status} ${code}`)
      })
      expect(documented.sort()).toEqual(
        problemsOf(endpoint)
          .map((code) => `${problems[code].status} ${code}`)
          .sort(),
      )
    }
  })
})

describe('the problem table', () => {
  test('is the same in the contract and in the document', () => {
    expect(document['x-problems']).toEqual(problems)
    expect(document.components.schemas.Problem?.properties).toMatchObject({ code: { enum: problemCodes } })
  })

  test('has no code that nothing answers', () => {
    const answered = Object.values(endpoints).flatMap(problemsOf)
    expect([...new Set([...answered, ...routingProblems])].sort()).toEqual([...problemCodes].sort())
  })

  test('is the same in the README, in both directions', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
    // | `code`, `code` | status | …
    const rows = [...readme.matchAll(/^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| (\d{3}) \|/gm)]
    const named = rows.flatMap(([, codes = '', status]) =>
      codes.split(', ').map((code) => `${status} ${code.slice(1, -1)}`),
    )
    expect(named.sort()).toEqual(problemCodes.map((code) => `${problems[code].status} ${code}`).sort())
  })
})

describe('the page', () => {
  test('shows every operation, schema and problem, under ids that links point to', async () => {
    const page = await (await fetch(`${app.url}/docs`)).text()
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1])
    expect(new Set(ids).size).toBe(ids.length)
    for (const name of Object.keys(endpoints)) expect(ids).toContain(name)
    for (const code of problemCodes) expect(ids).toContain(code)
    for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target)
  })

  test('runs no script, loads nothing from elsewhere, and says so to the browser', async () => {
    const response = await fetch(`${app.url}/docs`)
    const page = await response.text()
    expect(page).not.toMatch(/<script|<style|style=|\son\w+=|(src|href|action)="https?:\/\/|url\(/i)
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toMatch(/unsafe|\*|script-src/)
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    const style = await fetch(`${app.url}/docs.css`)
    expect(style.headers.get('content-type')).toBe('text/css; charset=utf-8')
    expect(await style.text()).toContain('light-dark(')
  })

  test('can be read by heading, by landmark and without seeing it', async () => {
    const page = await (await fetch(`${app.url}/docs`)).text()
    expect(page).toMatch(/<html lang="en">/)
    expect(page.match(/<h1/g)).toHaveLength(1)
    for (const landmark of ['<header', '<nav aria-label', '<main id="main"']) expect(page).toContain(landmark)
    const levels = [...page.matchAll(/<h([1-6])/g)].map((match) => Number(match[1]))
    levels.reduce((above, level) => {
      expect(level - above).toBeLessThanOrEqual(1)
      return level
    }, 0)
    expect(page.match(/<th /g)?.length).toBe(page.match(/<th scope="(col|row)"/g)?.length)
  })
})

describe('mounted in another app', () => {
  test('everything works below the path, beside the host’s own routes and after its body parser', async () => {
    const mounted = await startTestApp({ beside: app, mount: { path: '/files/uploads', before: express.json() } })
    try {
      const call = (path: string, init: RequestInit = {}) =>
        fetch(mounted.url + path, {
          ...init,
          headers: { authorization: `Bearer ${mounted.token()}`, 'content-type': 'application/json', ...init.headers },
        })
      const created = await call('/v1/uploads', {
        method: 'POST',
        body: JSON.stringify({ fileName: 'a.bin', sizeBytes: 1 }),
      })
      expect(created.status).toBe(201)
      const { upload } = (await created.json()) as { upload: { id: string } }
      const read = await call(`/v1/uploads/${upload.id}`, { headers: { 'if-none-match': '*' } })
      expect([read.status, read.headers.get('etag'), read.headers.get('cache-control')]).toEqual([
        200,
        null,
        'no-store',
      ])
      const refused = await call('/v1/uploads', {
        method: 'POST',
        body: JSON.stringify({ fileName: 'a.bin', sizeBytes: 1, x: 1 }),
      })
      expect(await refused.json()).toMatchObject({
        code: 'invalid-request',
        type: '/files/uploads/docs#invalid-request',
      })

      const { servers } = (await (await call('/openapi.json')).json()) as OpenApiDocument
      expect(servers).toEqual([{ url: '/files/uploads' }])
      const page = await (await call('/docs')).text()
      for (const [, target = ''] of page.matchAll(/(?:href)="(?!#)([^"]+)"/g)) {
        expect((await fetch(new URL(target, `${mounted.url}/docs`))).status).toBe(200)
      }
      expect((await call('/nope')).status).toBe(404)
      const outside = await fetch(new URL('/v1/uploads', mounted.url))
      expect(outside.headers.get('content-type')).not.toContain('problem')
    } finally {
      await mounted.close()
    }
  })

  test('names its public address where one is configured', async () => {
    const known = await startTestApp({ beside: app, environment: { PUBLIC_URL: 'https://up.example.com/files/' } })
    try {
      const { servers } = (await (await fetch(`${known.url}/openapi.json`)).json()) as OpenApiDocument
      expect(servers).toEqual([{ url: 'https://up.example.com/files' }])
      const problem = await (await fetch(`${known.url}/nope`)).json()
      expect(problem.type).toBe('https://up.example.com/files/docs#not-found')
    } finally {
      await known.close()
    }
  })
})
