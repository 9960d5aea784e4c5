import { invalidArgument, type OssError } from '../oss-error.ts'
import type { OssRequest } from '../oss-request.ts'
import { CALLBACK_VARIABLES } from './callback-body.ts'

/** A callback that a request asks for, read and checked as OSS does before it does anything else. */
export interface Callback {
  /** 1 to 5, tried in order. */
  readonly urls: readonly URL[]
  /** With variables, still to be filled in. */
  readonly body: string
  readonly bodyType: 'application/x-www-form-urlencoded' | 'application/json'
  /** The Host header; null: the URL's. */
  readonly host: string | null
  readonly sni: boolean
  /** `x:name` → value. */
  readonly vars: ReadonlyMap<string, string>
}

const MAX_BYTES = 5 * 1024
const MAX_URLS = 5
const BODY_TYPES = ['application/x-www-form-urlencoded', 'application/json'] as const

/** The callback in the headers (`x-oss-callback`, `x-oss-callback-var`) or in the query (`callback`, `callback-var`); null without one.
 *  Throws InvalidArgument. Source: OSS API reference, "Callback". */
export function readCallback(request: OssRequest): Callback | null {
  const encoded = parameter(request, 'callback')
  const encodedVars = parameter(request, 'callback-var')
  if (encoded === undefined) return null
  const { callbackUrl, callbackBody, callbackBodyType, callbackHost, callbackSNI } = decode(encoded, 'callback')
  if (typeof callbackUrl !== 'string') throw invalid('callbackUrl is missing.', 'callback')
  if (typeof callbackBody !== 'string' || callbackBody === '') throw invalid('callbackBody is empty.', 'callback')
  const bodyType = BODY_TYPES.find((type) => type === (callbackBodyType ?? BODY_TYPES[0]))
  if (!bodyType) throw invalid('callbackBodyType is not one of those supported.', 'callback')
  if (callbackHost !== undefined && typeof callbackHost !== 'string')
    throw invalid('callbackHost is no text.', 'callback')
  if (/[\r\n]/.test(callbackHost ?? '')) throw invalid('callbackHost is no host name.', 'callback')
  if (callbackSNI !== undefined && typeof callbackSNI !== 'boolean')
    throw invalid('callbackSNI is no boolean.', 'callback')
  assertVariables(callbackBody)
  return {
    urls: readUrls(callbackUrl),
    body: callbackBody,
    bodyType,
    host: callbackHost || null,
    sni: callbackSNI ?? false,
    vars: encodedVars === undefined ? new Map() : readVars(decode(encodedVars, 'callback-var')),
  }
}

function parameter(request: OssRequest, name: string): string | undefined {
  const inHeader = request.headers[`x-oss-${name}`]
  const inQuery = request.params.get(name)
  if (inHeader !== undefined && inQuery !== undefined) throw invalid('It stands in the header and in the URL.', name)
  return inHeader ?? inQuery
}

function decode(encoded: string, name: string): Record<string, unknown> {
  if (encoded.length > MAX_BYTES) throw invalid('It is longer than 5 KB.', name)
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) throw invalid('It is not base64.', name)
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Answered below like JSON of another kind.
  }
  throw invalid('It is not a JSON object.', name)
}

function readUrls(text: string): URL[] {
  const urls = text.split(';').map((item) => {
    const source = item.includes('://') ? item : `http://${item}`
    // A port out of range makes it no URL. OSS asks that other characters be encoded, and knows no IPv6.
    if (!/^https?:\/\/[\x21-\x7e]+$/.test(source) || !URL.canParse(source))
      throw invalid('A callbackUrl is no URL.', 'callback')
    const url = new URL(source)
    if (url.hostname.startsWith('[')) throw invalid('A callbackUrl has an IPv6 address.', 'callback')
    return url
  })
  if (urls.length > MAX_URLS) throw invalid('There are more than 5 callbackUrls.', 'callback')
  return urls
}

function readVars(values: Record<string, unknown>): Map<string, string> {
  return new Map(
    Object.entries(values).map(([name, value]) => {
      if (!/^x:[^A-Z]+$/.test(name)) throw invalid('Names begin with x: and are in lower case.', 'callback-var')
      if (typeof value !== 'string') throw invalid('Values are texts.', 'callback-var')
      return [name, value] as const
    }),
  )
}

function assertVariables(body: string): void {
  const rest = body.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    if (!CALLBACK_VARIABLES.has(name) && !name.startsWith('x:'))
      throw invalid('callbackBody names an unknown variable.', 'callback')
    return ''
  })
  if (rest.includes('${')) throw invalid('callbackBody has a variable that does not end.', 'callback')
}

function invalid(reason: string, name: string): OssError {
  return invalidArgument(`The ${name} parameter is not valid: ${reason}`, name, '')
}
