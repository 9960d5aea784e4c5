import {
  commonProblems,
  type Endpoint,
  type EndpointName,
  endpoints,
  type ProblemCode,
  ProblemDocument,
  problems,
} from '@partway/client/contract'
import { z } from 'zod'
import { examples } from './openapi-examples.ts'

/** A JSON Schema as OpenAPI 3.1 takes it. */
export type Schema = { [keyword: string]: unknown }

export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header'
  required: boolean
  description?: string
  schema: Schema
}
export interface Content {
  content: Record<string, { schema: Schema; example?: unknown }>
}
export interface Operation {
  operationId: EndpointName
  summary: string
  description: string
  security: Record<string, string[]>[]
  parameters: Parameter[]
  requestBody?: Content & { required: boolean }
  responses: Record<string, Partial<Content> & { description: string; headers?: Record<string, unknown> }>
}
export interface OpenApiDocument {
  openapi: '3.1.0'
  info: { title: string; version: string; description: string }
  servers: { url: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, Schema> }
  /** Every problem code, what it means and what a client does about it. */
  'x-problems': Record<ProblemCode, { status: number; title: string; client: string }>
}

const description = `Resumable uploads straight to object storage: this API says who may put which bytes where and remembers how far each upload is; the bytes themselves go to the presigned URLs. Requests are strict: fields that are not listed are refused. Problems are RFC 9457 documents with a stable \`code\`.`

/** The OpenAPI 3.1 document of the contract, for a server reached at `serverUrl`. Nothing in it is written a second time. */
export function createOpenApi(options: { version: string; serverUrl: string }): OpenApiDocument {
  const { schemas, schemaOf } = convertSchemas()
  const paths: OpenApiDocument['paths'] = {}
  for (const [name, endpoint] of entriesOf(endpoints)) {
    const operation = operationOf(name, endpoint, schemaOf)
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method.toLowerCase()]: operation }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Partway', version: options.version, description },
    servers: [{ url: options.serverUrl }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'A JWT of at most 8 KB with `sub` and `exp`; `tenant` (by default `sub`), `scope` (separated by spaces) and `limits` (`maxSizeBytes`, `contentTypes`) are optional.',
        },
      },
    },
    'x-problems': problems,
  }
}

/** The problems `endpoint` can answer by status: its own, and for those with a token the common ones. */
export function problemsOf(endpoint: Endpoint): ProblemCode[] {
  if (endpoint.problemsInBody) return []
  const common: readonly ProblemCode[] = endpoint.scope ? commonProblems : ['invalid-request', 'internal']
  return [...new Set([...common, ...endpoint.problems])]
}

type SchemaOf = (name: EndpointName, place: string | number) => Schema | undefined

function operationOf(name: EndpointName, endpoint: Endpoint, schemaOf: SchemaOf): Operation {
  const body = schemaOf(name, 'body')
  const requestExample = examples[name]?.body
  const parameters = (['params', 'query', 'headers'] as const).flatMap((place) =>
    parametersOf(place, schemaOf(name, place)),
  )
  return {
    operationId: name,
    summary: endpoint.summary,
    description: endpoint.scope ? `Needs the scope \`${endpoint.scope}\`.` : (endpoint.access ?? 'Open to everybody.'),
    security: endpoint.scope ? [{ bearer: [] }] : [],
    parameters,
    ...(body
      ? {
          requestBody: {
            // An empty body counts as {}.
            required: !endpoint.body?.safeParse({}).success,
            content: { 'application/json': { schema: body, ...(requestExample ? { example: requestExample } : {}) } },
          },
        }
      : {}),
    responses: { ...repliesOf(name, endpoint, schemaOf), ...problemResponses(endpoint) },
  }
}

const placeInOpenApi = { params: 'path', query: 'query', headers: 'header' } as const

function parametersOf(place: keyof typeof placeInOpenApi, schema: Schema | undefined): Parameter[] {
  const required = (schema?.required ?? []) as string[]
  return Object.entries((schema?.properties ?? {}) as Record<string, Schema>).map(
    ([name, { description, ...rest }]) => ({
      name: place === 'headers' ? name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase()) : name,
      in: placeInOpenApi[place],
      required: required.includes(name),
      ...(typeof description === 'string' ? { description } : {}),
      schema: rest,
    }),
  )
}

function repliesOf(name: EndpointName, endpoint: Endpoint, schemaOf: SchemaOf): Operation['responses'] {
  const replies = Object.keys(endpoint.replies).map((status) => {
    const schema = schemaOf(name, Number(status)) ?? {}
    return [status, { description: endpoint.summary, content: { 'application/json': { schema } } }] as const
  })
  return Object.fromEntries(replies)
}

/** One response per status, naming the codes it may carry. */
function problemResponses(endpoint: Endpoint): Operation['responses'] {
  const responses: Operation['responses'] = {}
  const codes = problemsOf(endpoint)
  for (const status of [...new Set(codes.map((code) => problems[code].status))].sort()) {
    const group = codes.filter((code) => problems[code].status === status)
    const schema = {
      allOf: [{ $ref: '#/components/schemas/Problem' }],
      properties: { code: { enum: group } },
    }
    responses[status] = {
      description: group.map((code) => `\`${code}\`: ${problems[code].title}`).join('; '),
      ...headersOf(status),
      content: { 'application/problem+json': { schema } },
    }
  }
  return responses
}

function headersOf(status: number): { headers?: Record<string, unknown> } {
  if (status === 401) return { headers: { 'WWW-Authenticate': { schema: { type: 'string', const: 'Bearer' } } } }
  if (status !== 429 && status !== 503) return {}
  return { headers: { 'Retry-After': { description: 'In seconds.', schema: { type: 'integer', minimum: 0 } } } }
}

/** All schemas of the contract in one conversion, so that shared ones become components once. Rendered as inputs: replies stay open. */
function convertSchemas(): { schemas: Record<string, Schema>; schemaOf: SchemaOf } {
  const shape: Record<string, z.ZodType> = { Problem: ProblemDocument }
  const nameOf = (name: EndpointName, place: string | number) => `${name} ${place}`
  for (const [name, endpoint] of entriesOf(endpoints)) {
    for (const place of ['params', 'query', 'headers', 'body'] as const) {
      const schema = endpoint[place]
      if (schema) shape[nameOf(name, place)] = schema
    }
    for (const [status, schema] of Object.entries(endpoint.replies)) shape[nameOf(name, status)] = schema
  }
  const converted = z.toJSONSchema(z.object(shape), { io: 'input' })
  const hoisted = JSON.parse(JSON.stringify(converted).replaceAll('"#/$defs/', '"#/components/schemas/'))
  return { schemas: hoisted.$defs, schemaOf: (name, place) => hoisted.properties[nameOf(name, place)] }
}

function entriesOf(table: typeof endpoints): [EndpointName, Endpoint][] {
  return Object.entries(table) as [EndpointName, Endpoint][]
}
