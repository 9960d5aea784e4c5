import express, { type Request, type Response } from 'express'
import { Problem } from '../problem.ts'

export const MAX_BODY_BYTES = 1_048_576
/** No request of the contract nests deeper than 4; anything far beyond is an attack on somebody's stack. */
export const MAX_JSON_DEPTH = 32

const parseRaw = express.raw({ type: () => true, limit: MAX_BODY_BYTES, inflate: false })

/**
 * Reads the bytes of a body of at most MAX_BODY_BYTES, never a compressed one. Undefined without a body; what a body parser of the
 * surrounding app has made of it, if one ran before. Rejects with the errors of Express's body parser.
 */
export function readBody(request: Request, response: Response): Promise<unknown> {
  return new Promise((resolve, reject) => {
    parseRaw(request, response, (error?: unknown) => (error ? reject(error) : resolve(request.body)))
  })
}

/** Whether the request announces a body. An announced length of 0 is none. */
export function hasBody(request: Request): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  return encoding !== undefined || (length !== undefined && Number(length) !== 0)
}

/** Throws `unsupported-media-type` unless the body is announced as JSON in UTF-8. */
export function requireJson(request: Request): void {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '').toLowerCase().split(';')
  const isUtf8 = parameters.every(
    (parameter) => !/^\s*charset\s*=/.test(parameter) || /=\s*"?utf-?8"?\s*$/.test(parameter),
  )
  if (type.trim() !== 'application/json' || !isUtf8) {
    throw new Problem('unsupported-media-type', 'Send the body as application/json in UTF-8.')
  }
}

/**
 * The JSON value that was sent. An empty body counts as `{}`, so that operations whose fields are all optional need none. Takes what
 * {@link readBody} resolves to. Throws `invalid-request`.
 */
export function jsonOf(body: unknown): unknown {
  const value = Buffer.isBuffer(body) ? parseBytes(body) : typeof body === 'string' ? parseText(body) : (body ?? {})
  refuseOddities(value, 0)
  return value
}

function parseBytes(bytes: Buffer): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw badBody('is not valid UTF-8')
  }
  return parseText(text)
}

function parseText(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes what was sent.
    throw badBody('is not valid JSON')
  }
}

/**
 * Refuses what schemas would stumble over, or pass over in silence: depth (JSON.parse itself needs no stack, but whatever walks its result
 * does), and `__proto__`, which is nobody's honest field name.
 */
function refuseOddities(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > MAX_JSON_DEPTH) throw badBody(`nests deeper than ${MAX_JSON_DEPTH} levels`)
  if (Object.hasOwn(value, '__proto__')) throw badBody('has a field named __proto__')
  for (const inner of Object.values(value)) refuseOddities(inner, depth + 1)
}

function badBody(detail: string): Problem {
  return new Problem('invalid-request', undefined, { errors: [{ detail, pointer: '/body' }] })
}
