import { createHash } from 'node:crypto'
import { objectId } from '../files/object-files.ts'
import { checkContentMd5, contentMd5Hex } from '../object-headers.ts'
import { checkedKey } from '../oss-request.ts'
import { getBucket, type Verb, xmlReply } from '../verb.ts'
import { childrenNamed, childText, malformedXml, parseXml, type XmlElement } from '../xml.ts'
import { encodingOf } from './encoding-type.ts'

const MAX_KEYS = 1000
const MAX_BODY_BYTES = 2 * 1024 * 1024

/** `POST /?delete`: up to 1000 keys. The right to each stands in the body, so it is asked for once that is read, and before
 *  anything is deleted. */
export const deleteMultipleObjects: Verb = {
  name: 'DeleteMultipleObjects',
  permissions: () => [],
  async answer(context, request) {
    const { objects } = context.store
    const { name } = getBucket(context, request)
    const encoding = encodingOf(request)
    const announced = contentMd5Hex(request)
    const bytes = await context.body.bytes(MAX_BODY_BYTES)
    checkContentMd5(announced, createHash('md5').update(bytes).digest('hex'))
    const root = parseXml(bytes.toString('utf8'), 'Delete')
    const keys = childrenNamed(root, 'Object').map((object) => checkedKey(childrenNamed(object, 'Key')[0]?.text ?? ''))
    if (keys.length === 0 || keys.length > MAX_KEYS) throw malformedXml()
    for (const key of keys) context.demand({ action: 'oss:DeleteObject', bucket: name, key })
    for (const key of keys) await objects.serial(objectId(name, key), () => objects.remove(name, key))
    if (childText(root, 'Quiet') === 'true') return { status: 200 }
    const deleted = keys.map((key): XmlElement => ['Deleted', [['Key', encoding.apply(key)]]])
    return xmlReply(['DeleteResult', [...encoding.element, ...deleted]])
  },
}
