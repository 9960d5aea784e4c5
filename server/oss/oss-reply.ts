import { XMLParser } from 'fast-xml-parser'
import type { OssOperation } from '../cloud-operations.ts'

/* What OSS answered: headers, XML, and errors in their several places. */

/** What is known of the call when its answer is read. */
export interface ExpectedReply {
  /** As OSS names it, such as ListParts. */
  operation: OssOperation
  method: string
  /** Error codes that are answers and not failures, such as NoSuchUpload. */
  expect?: readonly string[]
}

/** An answer: a 2xx, or an error whose code the call expected. */
export interface OssReply {
  status: number
  /** Undefined for success. */
  errorCode: string | undefined
  headers: Record<string, string | string[] | undefined>
  /** The root element's content, or an empty object. All values are text. */
  xml: Record<string, unknown>
  text: string
}

/** What went wrong at OSS, for the log: never the request, whose signature is a secret. */
export class OssError extends Error {
  readonly operation: OssOperation
  readonly status: number
  readonly code: string
  readonly ec: string | undefined
  readonly requestId: string | undefined
  /** Where the bucket is instead. */
  readonly endpoint: string | undefined

  constructor(
    operation: OssOperation,
    status: number,
    code: string,
    ec: string | undefined,
    requestId: string | undefined,
    endpoint?: string,
  ) {
    super(`${operation}: ${status} ${code}${ec ? ` (EC ${ec})` : ''}${requestId ? `, request id ${requestId}` : ''}`)
    this.name = 'OssError'
    this.operation = operation
    this.status = status
    this.code = code
    this.ec = ec
    this.requestId = requestId
    this.endpoint = endpoint
  }
}

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  isArray: (name) => name === 'Part' || name === 'Upload' || name === 'Contents',
})

/** Reads an answer. Throws OssError for an error that was not expected. */
export function interpretReply(
  call: ExpectedReply,
  status: number,
  headers: OssReply['headers'],
  text: string,
): OssReply {
  // The answer to a callback is JSON, and the application's: an <Error> in it is none of OSS's.
  const isXml = (status === 200 && !isJson(headers)) || status >= 203
  const xml = parseRoot(isXml ? text : '')
  // A 200 may carry an Error: the service had begun to answer before it failed.
  const isError = status >= 300 || status === 203 || xml.name === 'Error'
  if (!isError) return { status, errorCode: undefined, headers, xml: xml.content, text }
  const details = call.method === 'HEAD' ? headErrorDetails(headers) : xml.content
  const code = saneWord(textOf(details, 'Code')) ?? `Http${status}`
  // HeadObject has no body, and an old cluster no header, to say what is not found.
  const isBareNotFound = call.method === 'HEAD' && code === 'Http404' && call.expect?.includes('NoSuchKey')
  const isExpected = call.expect?.includes(code) || isBareNotFound
  if (isExpected && status < 500) return { status, errorCode: code, headers, xml: details, text }
  throw new OssError(
    call.operation,
    status,
    code,
    saneWord(textOf(details, 'EC') ?? headerText(headers, 'x-oss-ec')),
    saneWord(headerText(headers, 'x-oss-request-id')),
    saneWord(textOf(details, 'Endpoint')),
  )
}

/** What can stand in a log line or a metric's label as it is: nobody knows what a proxy on the way puts into an answer. */
function saneWord(text: string | undefined): string | undefined {
  return text !== undefined && /^[A-Za-z0-9._-]{1,100}$/.test(text) ? text : undefined
}

function headErrorDetails(headers: OssReply['headers']): Record<string, unknown> {
  const encoded = headerText(headers, 'x-oss-err')
  return encoded ? parseRoot(Buffer.from(encoded, 'base64').toString('utf8')).content : {}
}

function parseRoot(text: string): { name: string; content: Record<string, unknown> } {
  if (!text.includes('<')) return { name: '', content: {} }
  try {
    const document: unknown = parser.parse(text)
    for (const [name, content] of Object.entries(document as Record<string, unknown>)) {
      if (name === '?xml') continue
      return {
        name,
        content: typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : {},
      }
    }
  } catch {
    // Not XML: the caller sees an empty document and judges by what it lacks.
  }
  return { name: '', content: {} }
}

/** The text of a child element, or undefined. */
export function textOf(xml: Record<string, unknown>, name: string): string | undefined {
  const value = xml[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Whether the body is JSON: only the answer to a callback is. */
export function isJson(headers: OssReply['headers']): boolean {
  return /^application\/json\b/i.test(headerText(headers, 'content-type') ?? '')
}

/** A header as one text, or undefined. */
export function headerText(headers: OssReply['headers'], name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}
