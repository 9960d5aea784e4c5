import type { Bucket } from '../files/bucket-files.ts'
import { isoInstant, type VerbContext } from '../verb.ts'
import type { XmlElement } from '../xml.ts'

/** What ListBuckets and GetBucketInfo both say of a bucket. */
export function bucketElements({ region }: Pick<VerbContext, 'region'>, bucket: Bucket): XmlElement[] {
  return [
    ['Name', bucket.name],
    ['Location', `oss-${region}`],
    ['CreationDate', isoInstant(bucket.createdAt)],
    ['ExtranetEndpoint', `oss-${region}.aliyuncs.com`],
    ['IntranetEndpoint', `oss-${region}-internal.aliyuncs.com`],
    ['StorageClass', 'Standard'],
  ]
}
