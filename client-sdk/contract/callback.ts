import { z } from 'zod'
import { text } from './primitives.ts'

/** What OSS itself can put into a callback's body, by name, as in `${object}`. Case matters. Source: OSS API reference, "Callback". */
export const callbackVariables = [
  'bucket',
  'object',
  'etag',
  'size',
  'mimeType',
  'imageInfo.height',
  'imageInfo.width',
  'imageInfo.format',
  'crc64',
  'contentMd5',
  'vpcId',
  'clientIp',
  'reqId',
  'operation',
] as const

const variablePattern = /\$\{([^}]*)\}/g
/** Each of the two parameters, encoded in base64. Source: OSS API reference, "Callback". */
const maxParameterBytes = 5 * 1024

const CallbackUrl = z
  .string()
  .max(1024)
  // OSS takes several addresses separated by semicolons, and none with an IPv6 address.
  .regex(/^https?:\/\/[\x21-\x7e]+$/, 'must be an http or https URL, percent-encoded')
  .refine((value) => !/[;#]/.test(value) && isPlainUrl(value), {
    message: 'must have no semicolon, fragment, password, IPv6 address or broken escape',
    abort: true,
  })
  // What is held against the operator's list is how this parser reads it, and OSS has another: `https://allowed\@other/` is one host to
  // the first and may be the other to the second. Written as the parser would write it, there is one way to read it.
  .refine((value) => [value, `${value}/`].includes(new URL(value).href), {
    message:
      'must be in its normal form: lower-case host, no default port, a slash before the query, all percent-encoded',
  })

function isPlainUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { hash, username, password, hostname, pathname } = new URL(value)
  // OSS signs the decoded path.
  if (!isDecodable(pathname)) return false
  return hash === '' && username === '' && password === '' && !hostname.startsWith('[')
}

function isDecodable(path: string): boolean {
  try {
    return decodeURIComponent(path) !== ''
  } catch {
    return false
  }
}

/** A request that OSS sends to the operator's application when it has made the object. */
export const UploadCallback = z
  .strictObject({
    url: CallbackUrl.meta({
      description:
        'Where OSS posts to, written as the WHATWG URL standard serializes it. Its origin must be one the operator allows.',
    }),
    body: text(4096).min(1).meta({
      description:
        'What OSS posts, with variables such as `${object}`, `${size}`, `${crc64}` or `${x:name}`. OSS encodes their values for the `bodyType`, in JSON with their quotes.',
    }),
    bodyType: z.enum(['application/x-www-form-urlencoded', 'application/json']).optional().meta({
      description: 'By default application/x-www-form-urlencoded.',
    }),
    host: z
      .string()
      .regex(/^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$/, 'must be a host name, with or without a port')
      .optional()
      .meta({ description: 'The Host header, where it is not the URL’s. Must be the host of an allowed origin.' }),
    sni: z.boolean().optional().meta({ description: 'Whether OSS sends the host name in its TLS handshake.' }),
    vars: z
      .record(z.string().regex(/^x:[a-z0-9_.-]{1,64}$/, 'must be x: and 1 to 64 of a-z 0-9 _ . -'), text(1024))
      .optional()
      .meta({ description: 'Values of the variables `${x:…}` that `body` names.' }),
  })
  .superRefine((callback, context) => {
    const complain = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    for (const name of unknownVariables(callback)) complain('body', `names a variable that nobody sets: ${name}`)
    if (/\$\{/.test(callback.body.replace(variablePattern, ''))) complain('body', 'has a ${ without its }')
    if (callback.bodyType === 'application/json' && !isJson(callback.body.replace(variablePattern, '"a"'))) {
      complain('body', 'is not JSON once its variables have values; OSS puts the quotes around them')
    }
    const { parameter, variables } = callbackParameters(callback)
    if (base64Bytes(parameter) > maxParameterBytes) complain('body', 'makes the callback longer than OSS takes: 5 KB')
    if (base64Bytes(variables ?? '') > maxParameterBytes) complain('vars', 'are more than OSS takes: 5 KB')
  })
  .meta({
    id: 'UploadCallback',
    description:
      'A request OSS sends once, when it has made the object; it never repeats one, and waits 5 s for the answer.',
  })
export type UploadCallback = z.infer<typeof UploadCallback>

export const CallbackResult = z
  .object({
    status: z.int().meta({
      description:
        '200: the application answered, `body` is its JSON. 203: the object is stored, but the callback failed.',
    }),
    body: z.string().meta({ description: 'The application’s answer, or what OSS says about the failure.' }),
  })
  .meta({ id: 'CallbackResult', description: 'What came of an upload’s callback.' })
export type CallbackResult = z.infer<typeof CallbackResult>

/** The two JSON texts that OSS takes, in base64, as `x-oss-callback` and `x-oss-callback-var`; `variables` null when there are none. */
export function callbackParameters(callback: UploadCallback): { parameter: string; variables: string | null } {
  const { url, body, bodyType, host, sni, vars = {} } = callback
  const parameter = {
    callbackUrl: url,
    callbackBody: body,
    callbackBodyType: bodyType ?? 'application/x-www-form-urlencoded',
    ...(host === undefined ? {} : { callbackHost: host }),
    ...(sni === undefined ? {} : { callbackSNI: sni }),
  }
  return {
    parameter: JSON.stringify(parameter),
    variables: Object.keys(vars).length > 0 ? JSON.stringify(vars) : null,
  }
}

function unknownVariables({ body, vars = {} }: Pick<UploadCallback, 'body' | 'vars'>): string[] {
  const known = new Set<string>([...callbackVariables, ...Object.keys(vars)])
  return [...body.matchAll(variablePattern)].map(([, name = '']) => name).filter((name) => !known.has(name))
}

function isJson(source: string): boolean {
  try {
    JSON.parse(source)
    return true
  } catch {
    return false
  }
}

function base64Bytes(source: string): number {
  return Math.ceil(new TextEncoder().encode(source).length / 3) * 4
}
