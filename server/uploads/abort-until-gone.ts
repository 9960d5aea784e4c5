import { type ObjectStore, StorageProblem } from '../oss/object-store.ts'

const maxRounds = 3

/** Aborts a multipart upload until OSS no longer knows it. True when it was there. `mayGoOn` is asked before every round but the first; null: it
 *  said no, and whether the upload is gone is not known. Throws StorageProblem, also when it is still there after some rounds: a part lands
 *  in between each time. */
export async function abortUntilGone(
  objects: Pick<ObjectStore, 'abortUpload'>,
  key: string,
  ossUploadId: string,
  mayGoOn: () => Promise<boolean> = async () => true,
): Promise<boolean | null> {
  for (let rounds = 0; rounds < maxRounds; rounds++) {
    if (rounds > 0 && !(await mayGoOn())) return null
    if ((await objects.abortUpload(key, ossUploadId)) === 'gone') return rounds > 0
  }
  const cause = new Error('a multipart upload outlives its aborts')
  throw new StorageProblem('Object storage keeps the upload.', { cause, maybeApplied: true })
}
