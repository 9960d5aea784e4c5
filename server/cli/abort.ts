import { UploadId } from '@partway/client/contract'
import { Command, InvalidArgumentError } from 'commander'
import { call } from './call.ts'

export const abortCommand = new Command('abort')
  .description('give an upload up and discard its parts')
  .argument('<id>', 'the upload’s id', parseUploadId)
  .option('--json', 'print the upload as JSON')
  .action(async (id: string, { json }: { json?: boolean }) => {
    const { upload } = await call('abortUpload', { params: { id } })
    console.log(json ? JSON.stringify(upload) : `${upload.id} is ${upload.state}.`)
  })

function parseUploadId(text: string): string {
  if (!UploadId.safeParse(text).success) throw new InvalidArgumentError('An upload id is upl_ and 32 hex digits.')
  return text
}
