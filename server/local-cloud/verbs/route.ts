import { notImplemented } from '../oss-error.ts'
import type { OssRequest } from '../oss-request.ts'
import type { Verb } from '../verb.ts'
import { abortMultipartUpload } from './abort-multipart-upload.ts'
import { getBucketAcl, putBucketAcl } from './bucket-acl.ts'
import { deleteBucketCors, getBucketCors, putBucketCors } from './bucket-cors.ts'
import { deleteBucketLifecycle, getBucketLifecycle, putBucketLifecycle } from './bucket-lifecycle.ts'
import { completeMultipartUpload } from './complete-multipart-upload.ts'
import { copyObject } from './copy-object.ts'
import { deleteBucket } from './delete-bucket.ts'
import { deleteMultipleObjects } from './delete-multiple-objects.ts'
import { deleteObject } from './delete-object.ts'
import { getBucketInfo } from './get-bucket-info.ts'
import { getBucketLocation } from './get-bucket-location.ts'
import { getObject } from './get-object.ts'
import { headObject } from './head-object.ts'
import { initiateMultipartUpload } from './initiate-multipart-upload.ts'
import { listBuckets } from './list-buckets.ts'
import { listMultipartUploads } from './list-multipart-uploads.ts'
import { listObjects, listObjectsV2 } from './list-objects.ts'
import { listParts } from './list-parts.ts'
import { getObjectAcl, putObjectAcl } from './object-acl.ts'
import { preflight } from './preflight.ts'
import { putBucket } from './put-bucket.ts'
import { putObject } from './put-object.ts'
import { uploadPart } from './upload-part.ts'
import { uploadPartCopy } from './upload-part-copy.ts'

type Level = 'service' | 'bucket' | 'object'

/** The whole surface: level and method, then the subresource that names the operation ('' = none). */
export const ROUTES: Record<Level, Record<string, Record<string, Verb>>> = {
  service: {
    GET: { '': listBuckets },
  },
  bucket: {
    GET: {
      '': listObjects,
      uploads: listMultipartUploads,
      bucketInfo: getBucketInfo,
      location: getBucketLocation,
      acl: getBucketAcl,
      lifecycle: getBucketLifecycle,
      cors: getBucketCors,
    },
    PUT: { '': putBucket, acl: putBucketAcl, lifecycle: putBucketLifecycle, cors: putBucketCors },
    POST: { delete: deleteMultipleObjects },
    DELETE: { '': deleteBucket, lifecycle: deleteBucketLifecycle, cors: deleteBucketCors },
  },
  object: {
    POST: { uploads: initiateMultipartUpload, uploadId: completeMultipartUpload },
    PUT: { '': putObject, uploadId: uploadPart, partNumber: uploadPart, acl: putObjectAcl },
    GET: { '': getObject, uploadId: listParts, acl: getObjectAcl },
    HEAD: { '': headObject },
    DELETE: { '': deleteObject, uploadId: abortMultipartUpload },
  },
}

// With `x-oss-copy-source`, writing is copying.
export const COPYING = new Map([
  [putObject, copyObject],
  [uploadPart, uploadPartCopy],
])

// Query parameters that name an operation of OSS. One that has no route above is refused rather than overlooked: a PUT with
// `?tagging` must not become a PutObject.
const SUBRESOURCES =
  `acl append asyncFetch bucketInfo callback cname comp cors delete encryption img inventory lifecycle live location
  logging metaQuery objectMeta partNumber policy policyStatus position publicAccessBlock qos qosInfo referer regionList replication
  requestPayment resourceGroup restore rtc sequential stat style symlink tagging transferAcceleration uploadId uploads vod versioning
  versions website worm wormExtend wormId x-oss-async-process x-oss-process`.split(/\s+/)

// These come along with an operation that another parameter names.
const COMPANIONS = new Set(['callback', 'partNumber', 'sequential', 'x-oss-process'])

/** The operation a request asks for. Throws NotImplemented for any other. */
export function routeVerb(request: OssRequest): Verb {
  const level: Level = request.bucket === null ? 'service' : request.key === null ? 'bucket' : 'object'
  const named = SUBRESOURCES.filter((name) => request.params.has(name))
  const naming = named.filter((name) => !COMPANIONS.has(name))
  const subresource = naming[0] ?? named.find((name) => name === 'partNumber') ?? ''
  if (request.method === 'OPTIONS') return preflight
  const verb = ROUTES[level][request.method]?.[subresource]
  if (!verb || naming.length > 1) throw notImplemented('A feature you requested is not implemented.')
  if (request.headers['x-oss-copy-source'] !== undefined) return COPYING.get(verb) ?? verb
  if (verb === listObjects && request.params.get('list-type') === '2') return listObjectsV2
  return verb
}
