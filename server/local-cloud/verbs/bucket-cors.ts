import type { CorsRule } from '../cors.ts'
import { invalidArgument, OssError } from '../oss-error.ts'
import { getBucket, permissionOn, type Verb, xmlReply } from '../verb.ts'
import { childrenNamed, childText, malformedXml, parseXml, type XmlElement, type XmlNode } from '../xml.ts'

const MAX_RULES = 10
const MAX_BODY_BYTES = 16 * 1024
const METHODS = new Set(['GET', 'PUT', 'DELETE', 'POST', 'HEAD'])

/** `PUT /?cors`: replaces all rules. */
export const putBucketCors: Verb = {
  name: 'PutBucketCors',
  permissions: (request) => [permissionOn(request, 'oss:PutBucketCors')],
  async answer(context, request) {
    const { name } = getBucket(context, request)
    const root = parseXml(await context.body.text(MAX_BODY_BYTES), 'CORSConfiguration')
    const rules = childrenNamed(root, 'CORSRule').map(readRule)
    if (rules.length === 0) throw malformedXml()
    if (rules.length > MAX_RULES)
      throw invalidArgument('The number of CORS rules should not exceed 10.', 'CORSRule', String(rules.length))
    const responseVary = childText(root, 'ResponseVary')?.toLowerCase() === 'true'
    await context.store.buckets.change(name, { cors: { rules, responseVary } })
    return { status: 200 }
  },
}

/** `GET /?cors` */
export const getBucketCors: Verb = {
  name: 'GetBucketCors',
  permissions: (request) => [permissionOn(request, 'oss:GetBucketCors')],
  async answer(context, request) {
    const { name, cors } = getBucket(context, request)
    if (cors) {
      return xmlReply(['CORSConfiguration', [...cors.rules.map(ruleElement), ['ResponseVary', cors.responseVary]]])
    }
    throw new OssError(404, 'NoSuchCORSConfiguration', 'The CORS Configuration does not exist.', {
      elements: [['BucketName', name]],
    })
  },
}

/** `DELETE /?cors`: 204 also where there was none. */
export const deleteBucketCors: Verb = {
  name: 'DeleteBucketCors',
  permissions: (request) => [permissionOn(request, 'oss:DeleteBucketCors')],
  async answer(context, request) {
    await context.store.buckets.change(getBucket(context, request).name, { cors: null })
    return { status: 204 }
  },
}

function readRule(rule: XmlNode): CorsRule {
  const texts = (name: string) => childrenNamed(rule, name).map((child) => child.text.trim())
  const allowedOrigins = texts('AllowedOrigin')
  const allowedMethods = texts('AllowedMethod').map((method) => method.toUpperCase())
  const allowedHeaders = texts('AllowedHeader')
  const exposeHeaders = texts('ExposeHeader')
  if (allowedOrigins.length === 0 || allowedMethods.length === 0) throw malformedXml()
  for (const origin of allowedOrigins)
    if (origin === '' || stars(origin) > 1) throw invalidArgument('AllowedOrigin is invalid.', 'AllowedOrigin', origin)
  for (const method of allowedMethods)
    if (!METHODS.has(method)) throw invalidArgument('AllowedMethod is invalid.', 'AllowedMethod', method)
  for (const name of allowedHeaders)
    if (stars(name) > 1) throw invalidArgument('AllowedHeader is invalid.', 'AllowedHeader', name)
  for (const name of exposeHeaders) {
    // It ends up in a header of every answer, so it has to be one.
    if (!/^[\w!#$%&'+.^`|~-]+$/.test(name)) throw invalidArgument('ExposeHeader is invalid.', 'ExposeHeader', name)
  }
  const age = childText(rule, 'MaxAgeSeconds')
  if (age !== undefined && !/^\d{1,9}$/.test(age))
    throw invalidArgument('MaxAgeSeconds is invalid.', 'MaxAgeSeconds', age.slice(0, 40))
  return {
    allowedOrigins,
    allowedMethods,
    allowedHeaders,
    exposeHeaders,
    ...(age === undefined ? {} : { maxAgeSeconds: Number(age) }),
  }
}

function ruleElement(rule: CorsRule): XmlElement {
  const each = (name: string, values: readonly string[] = []) => values.map((value): XmlElement => [name, value])
  return [
    'CORSRule',
    [
      ...each('AllowedOrigin', rule.allowedOrigins),
      ...each('AllowedMethod', rule.allowedMethods),
      ...each('AllowedHeader', rule.allowedHeaders),
      ...each('ExposeHeader', rule.exposeHeaders),
      ...(rule.maxAgeSeconds === undefined ? [] : [['MaxAgeSeconds', rule.maxAgeSeconds] as XmlElement]),
    ],
  ]
}

function stars(text: string): number {
  return text.split('*').length - 1
}
