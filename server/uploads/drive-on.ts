import type { UploadRow } from '../db/upload-row.ts'
import type { Deps } from '../deps.ts'
import { checkObject } from './check-object.ts'
import { discardUpload, lookAgain } from './discard-upload.ts'
import { finishUpload } from './finish-upload.ts'
import { restartUpload } from './start-upload.ts'

/**
 * Takes a row whose lease the caller holds as far as it will go, and returns it as it is then. This is the whole of recovery: the loop,
 * the start of a process and any request that meets such a row end up here. Every step may run twice.
 */
export async function driveOn(deps: Deps, row: UploadRow): Promise<UploadRow> {
  switch (row.state) {
    case 'pending':
      return restartUpload(deps, row)
    case 'completing':
      return finishUpload(deps, row)
    case 'aborting':
      return discardUpload(deps, row)
    case 'aborted':
      return lookAgain(deps, row)
    case 'completed':
      return checkObject(deps, row)
    case 'uploading':
      return row
  }
}
