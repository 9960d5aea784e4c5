/** Says whether a value has the fields the SDK relies on; what else is in it does not matter. */
export type Shape = (value: unknown) => boolean

const isWhole: Shape = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const isText: Shape = (value) => typeof value === 'string'
const orNull =
  (shape: Shape): Shape =>
  (value) =>
    value === null || shape(value)
const listOf =
  (shape: Shape): Shape =>
  (value) =>
    Array.isArray(value) && value.every(shape)
const fields =
  (shapes: Record<string, Shape>): Shape =>
  (value) =>
    isObject(value) && Object.entries(shapes).every(([name, shape]) => shape(value[name]))

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const upload = fields({
  id: isText,
  state: isText,
  key: isText,
  sizeBytes: isWhole,
  partSizeBytes: isWhole,
  partCount: isWhole,
  etag: orNull(isText),
  crc64: orNull(isText),
})
/** Values that a header may hold: a line break in one would be thrown about by the platform, much later. */
const isHeaders: Shape = (value) =>
  isObject(value) && Object.values(value).every((text) => typeof text === 'string' && /^[\t\x20-\x7e]*$/.test(text))
const isHttpUrl: Shape = (value) => typeof value === 'string' && URL.canParse(value) && /^https?:/.test(value)
const isInstant: Shape = (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value))
const grant = fields({
  partNumber: isWhole,
  method: isText,
  url: isHttpUrl,
  headers: isHeaders,
  sizeBytes: isWhole,
  expiresAt: isInstant,
})
/** What is signed with, and where it is sent. */
const credentials = {
  accessKeyId: isText,
  accessKeySecret: isText,
  securityToken: isText,
  expiresAt: isInstant,
  bucket: isText,
  region: isText,
  endpoint: isHttpUrl,
  addressing: (value: unknown) => value === 'virtual' || value === 'cname' || value === 'path',
}
const storedPart = fields({ partNumber: isWhole, sizeBytes: isWhole, etag: isText, crc64: orNull(isText) })

/** The fields used of each endpoint's answer. */
export const replyShapes = {
  upload: fields({ upload }),
  created: fields({ upload, grants: listOf(grant) }),
  grants: fields({ grants: listOf(grant) }),
  parts: fields({ parts: listOf(storedPart), nextAfter: orNull(isWhole) }),
  uploads: fields({ uploads: listOf(upload), nextCursor: orNull(isText) }),
  uploadCredentials: fields({ ...credentials, key: isText, uploadId: isText }),
  directCredentials: fields({ ...credentials, prefix: isText }),
  any: isObject,
}
