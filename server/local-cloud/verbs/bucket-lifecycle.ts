import { randomUUID } from 'node:crypto'
import { invalidArgument, OssError } from '../oss-error.ts'
import { getBucket, permissionOn, type Verb, xmlReply } from '../verb.ts'
import { asElement, childrenNamed, childText, malformedXml, parseXml, type XmlElement, type XmlNode } from '../xml.ts'

const MAX_RULES = 1000

/** `PUT /?lifecycle`: replaces the whole configuration. Rules are checked and kept; nothing here ever carries them out. */
export const putBucketLifecycle: Verb = {
  name: 'PutBucketLifecycle',
  permissions: (request) => [permissionOn(request, 'oss:PutBucketLifecycle')],
  async answer(context, request) {
    const { name } = getBucket(context, request)
    const root = parseXml(await context.body.text(1024 * 1024), 'LifecycleConfiguration')
    const rules = childrenNamed(root, 'Rule')
    if (rules.length === 0 || rules.length > MAX_RULES) throw malformedXml()
    rules.forEach(checkRule)
    refuseOverlaps(rules.filter((rule) => childrenNamed(rule, 'AbortMultipartUpload').length > 0))
    const ids = rules.map((rule) => childText(rule, 'ID') || randomUUID())
    if (new Set(ids).size < ids.length) throw invalidArgument('Rule ID must be unique.', 'ID', '')
    const lifecycle = rules.map((rule, index) => withId(rule, ids[index] ?? ''))
    await context.store.buckets.change(name, { lifecycle })
    return { status: 200 }
  },
}

/** `GET /?lifecycle` */
export const getBucketLifecycle: Verb = {
  name: 'GetBucketLifecycle',
  permissions: (request) => [permissionOn(request, 'oss:GetBucketLifecycle')],
  async answer(context, request) {
    const { name, lifecycle } = getBucket(context, request)
    if (lifecycle) return xmlReply(['LifecycleConfiguration', lifecycle])
    throw new OssError(404, 'NoSuchLifecycle', 'No Row found in Lifecycle Table.', { elements: [['BucketName', name]] })
  },
}

/** `DELETE /?lifecycle`: 204 also where there was none. */
export const deleteBucketLifecycle: Verb = {
  name: 'DeleteBucketLifecycle',
  permissions: (request) => [permissionOn(request, 'oss:DeleteBucketLifecycle')],
  async answer(context, request) {
    await context.store.buckets.change(getBucket(context, request).name, { lifecycle: null })
    return { status: 204 }
  },
}

function checkRule(rule: XmlNode): void {
  const status = childText(rule, 'Status')
  if (status !== 'Enabled' && status !== 'Disabled') throw malformedXml()
  if (Buffer.byteLength(childText(rule, 'ID') ?? '') > 255) throw invalidArgument('Rule ID is too long.', 'ID', '')
  const actions = [
    'Expiration',
    'Transition',
    'AbortMultipartUpload',
    'NoncurrentVersionExpiration',
    'NoncurrentVersionTransition',
  ]
  if (!actions.some((action) => childrenNamed(rule, action).length > 0)) throw malformedXml()
  for (const abort of childrenNamed(rule, 'AbortMultipartUpload')) {
    const days = childText(abort, 'Days')
    const date = childText(abort, 'CreatedBeforeDate')
    if ((days === undefined) === (date === undefined)) throw malformedXml()
    if (days !== undefined && !/^[1-9]\d{0,8}$/.test(days)) {
      throw invalidArgument("'Days' in AbortMultipartUpload must be a positive integer.", 'Days', days.slice(0, 40))
    }
    if (date !== undefined && !isUtcMidnight(date)) {
      throw invalidArgument("'CreatedBeforeDate' must be midnight UTC.", 'CreatedBeforeDate', date.slice(0, 40))
    }
  }
}

function isUtcMidnight(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}T00:00:00(\.000)?Z$/.test(text) && !Number.isNaN(Date.parse(text))
}

/** Two rules for unfinished uploads must not meet on any key; no prefix meets all. */
function refuseOverlaps(rules: XmlNode[]): void {
  const prefixes = rules.map((rule) => childText(rule, 'Prefix') ?? '').sort()
  const index = prefixes.findIndex((prefix, at) => at > 0 && prefix.startsWith(prefixes[at - 1] ?? ''))
  if (index < 0) return
  const message = 'Overlap for same action type AbortMultipartUpload.'
  throw invalidArgument(message, 'Prefix', prefixes[index] ?? '')
}

function withId(rule: XmlNode, id: string): XmlElement {
  const others = rule.children.filter((child) => child.name !== 'ID').map(asElement)
  return ['Rule', [['ID', id], ...others]]
}
