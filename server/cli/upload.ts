import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import type { UploadMode } from '@partway/client'
import { createDirectoryRecordStore, createUploadClient, defaultRetryPolicy } from '@partway/client/node'
import { Command, Option } from 'commander'
import { loadCliConfig } from '../config.ts'
import { CommandFailure, exitCode } from './exit-code.ts'
import { findSession, LOCAL_USER } from './session.ts'
import { parseCount, parsePartSize, parseSeconds } from './upload-arguments.ts'
import { createUploadDisplay } from './upload-display.ts'
import { asCommandFailure } from './upload-failure.ts'
import { pauseOnSignal } from './upload-signals.ts'
import { printable } from './upload-words.ts'

interface UploadCommandOptions {
  recordDir?: string
  parallel?: number
  mode: UploadMode
  partSize?: number
  contentType?: string
  name?: string
  onSourceChanged: 'refuse' | 'restart'
  retryFor: number
  json?: boolean
}

export const uploadCommand = new Command('upload')
  .description('send a file, or go on with one that was interrupted')
  .argument('<file>', 'a regular file')
  .addOption(
    new Option(
      '--record-dir <directory>',
      'where unfinished uploads are remembered; by default "records" in the data directory when the server is the local one, else in the user\'s state directory',
    ),
  )
  .addOption(new Option('--parallel <count>', 'parts in flight at once, 1 to 32 (default: 4)').argParser(parseCount))
  .addOption(
    new Option(
      '--mode <mode>',
      'how bytes are let in: URLs presigned by the server, STS credentials for the one object, or the latter where they are to be had',
    )
      .choices(['presigned', 'sts', 'auto'])
      .default('presigned'),
  )
  .addOption(
    new Option('--part-size <size>', '1MiB to 5GiB (default: 8MiB); a resumed upload keeps its own').argParser(
      parsePartSize,
    ),
  )
  .option('--content-type <type>', 'media type of the object')
  .option('--name <name>', 'name shown to people (default: the name of the file)')
  .addOption(
    new Option('--on-source-changed <choice>', 'when the file is not the one whose upload was begun')
      .choices(['refuse', 'restart'])
      .default('refuse'),
  )
  .addOption(
    new Option('--retry-for <seconds>', 'how long an outage of server or OSS is waited out')
      .argParser(parseSeconds)
      .default(defaultRetryPolicy.budgetMs / 1000),
  )
  .option('--json', 'quiet; the last line of stdout is the result: {id, key, etag, crc64, sizeBytes, sentBytes}')
  .action((file: string, options: UploadCommandOptions) => upload(file, options))

async function upload(file: string, options: UploadCommandOptions): Promise<void> {
  if (file === '-') {
    throw new CommandFailure(
      exitCode.usage,
      'Standard input cannot be uploaded: what is sent must be readable twice. Write it to a file first (a file of that name: ./-).',
    )
  }
  if (options.name === undefined && /\p{Cc}/u.test(basename(file))) {
    throw new CommandFailure(
      exitCode.usage,
      `The name of ${printable(file)} holds control characters, which no upload's name may. Give it another with --name.`,
    )
  }
  const config = loadCliConfig()
  const session = await findSession(
    options.mode === 'presigned' ? { ...LOCAL_USER, scopes: ['uploads'] } : LOCAL_USER,
    config,
  )
  // Asked once here, so that a missing token is said at once and not taken for an outage.
  await session.token()
  const recordDir = options.recordDir ?? (session.isLocal ? join(config.dataDir, 'records') : userRecordDir())
  const display = createUploadDisplay({ file, isQuiet: options.json === true, stream: process.stderr })
  // Also when a second signal ends everything: the bar has changed how the terminal wraps lines.
  process.once('exit', display.end)
  const client = createUploadClient(session)
  try {
    const task = client.upload(file, {
      mode: options.mode,
      parallel: options.parallel,
      partSizeBytes: options.partSize,
      contentType: options.contentType,
      fileName: options.name,
      onSourceChanged: options.onSourceChanged,
      retry: { budgetMs: options.retryFor * 1000 },
      recordStore: createDirectoryRecordStore(recordDir),
      // Ctrl-C pauses: parts and record stay for the next run.
      deleteUploadOnCancelling: false,
      onProgress: display.progress,
      onNotice: display.notice,
      onStateChange: display.state,
    })
    const release = pauseOnSignal(() => task.cancel())
    const result = await task.done.finally(release)
    display.end()
    const { callbackResult: _, ...line } = result
    if (options.json) console.log(JSON.stringify(line))
    else display.result(result)
  } catch (error) {
    display.end()
    throw asCommandFailure(error, file)
  }
}

/** Where this platform keeps what programs remember between runs. */
function userRecordDir(): string {
  const home = homedir()
  if (process.platform === 'darwin') return join(home, 'Library', 'Application Support', 'partway', 'records')
  if (process.platform === 'win32') return join(home, 'AppData', 'Local', 'partway', 'records')
  return join(home, '.local', 'state', 'partway', 'records')
}
