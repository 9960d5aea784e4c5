import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { UploadResult } from '@partway/client/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startBrokenLine } from './broken-line.ts'
import { changeByteUnseen, MiB, sha256OfFile, startUploadBench, type UploadBench, until } from './upload-bench.ts'

const root = join(import.meta.dirname, '..', '..')

let bench: UploadBench
let recordDir: string
beforeAll(async () => {
  bench = await startUploadBench()
})
beforeEach(async () => {
  bench.app.cloud.faults.clear()
  bench.app.cloud.requests.reset()
  recordDir = await mkdtemp(join(tmpdir(), 'partway-records-'))
  return () => rm(recordDir, { recursive: true, force: true })
})
afterAll(() => bench.close())

interface Run {
  child: ChildProcess
  output(): { stdout: string; stderr: string }
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | string>
}

/** `partway upload …` from the sources, as its own process. */
function partwayUpload(args: string[], environment: Record<string, string> = {}): Run {
  const hooks = join(root, 'test/support/typescript-hooks.mjs')
  const child = spawn(
    process.execPath,
    ['-C', 'partway-source', '--import', hooks, join(root, 'server/cli/main.ts'), 'upload', ...args],
    {
      env: {
        PATH: process.env.PATH,
        HOME: recordDir,
        PARTWAY_URL: bench.app.url,
        PARTWAY_TOKEN: bench.app.token(),
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  return { child, output: () => ({ stdout, stderr }), ended }
}

async function finish(run: Run): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const code = await run.ended
  return { code, ...run.output() }
}

function resultIn(stdout: string): UploadResult {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
}

const slowParts = (delayMs: number) =>
  bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, effect: { kind: 'delay', delayMs } })

const stored = () => bench.app.cloud.requests.countAnswered('UploadPart', 200)

describe('partway upload', () => {
  it('sends a file and ends with one line of JSON, quiet otherwise', async () => {
    const path = await bench.file(3 * MiB + 5, '目录 é.bin')
    const { code, stdout, stderr } = await finish(partwayUpload([path, '--json', '--record-dir', recordDir]))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.split('\n')).toHaveLength(2)
    const result = resultIn(stdout)
    expect(Object.keys(result)).toEqual(['id', 'key', 'etag', 'crc64', 'sizeBytes', 'sentBytes'])
    expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
    expect((await bench.client.getUpload(result.id)).upload.fileName).toBe('目录 é.bin')
    expect(await readdir(recordDir)).toEqual([])
  })

  it('says in plain lines what it does when nobody watches on a terminal', async () => {
    const path = await bench.file(3 * MiB, 'piped.bin')
    const { code, stdout, stderr } = await finish(
      partwayUpload([path, '--part-size', '1MiB', '--parallel', '2', '--name', '../a', '--content-type', 'text/plain']),
    )
    expect(code).toBe(0)
    expect(stderr).toContain('piped.bin: 100 % of 3.0 MiB')
    expect(stderr).not.toContain('\u001b')
    expect(stdout).toContain('Uploaded piped.bin: 3.0 MiB')
    const { uploads } = await bench.client.listUploads({ limit: 1 })
    expect(uploads[0]).toMatchObject({ fileName: '../a', contentType: 'text/plain', partSizeBytes: MiB, partCount: 3 })
  })

  it('signs by itself with --mode sts, and says when --mode auto finds no credentials', async () => {
    const path = await bench.file(9 * MiB, 'signed.bin')
    const args = [path, '--part-size', '1MiB', '--record-dir', recordDir]
    const signing = partwayUpload([...args, '--mode', 'sts', '--json'], {
      PARTWAY_TOKEN: bench.app.token({ scopes: ['uploads', 'credentials'] }),
    })
    const { code, stdout, stderr } = await finish(signing)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(await bench.objectSha256(resultIn(stdout).key)).toBe(await sha256OfFile(path))
    expect(bench.app.cloud.requests.count('AssumeRole')).toBe(1)

    const refused = await finish(partwayUpload([...args, '--mode', 'sts']))
    expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('scope')])
    const falling = await finish(partwayUpload([...args, '--mode', 'auto']))
    expect(falling.code).toBe(0)
    expect(falling.stderr).toMatch(/signed[.]bin: no STS credentials [(].*scope.*[)]; going on with presigned URLs/)
  })

  it('killed with -9 and run again sends only what was missing', async () => {
    const path = await bench.file(24 * MiB, 'killed.bin')
    const args = [path, '--part-size', '1MiB', '--parallel', '3', '--record-dir', recordDir, '--json']
    let sentParts = 0
    for (const stopAfter of [4, 6, 5]) {
      slowParts(60)
      bench.app.cloud.requests.reset()
      const run = partwayUpload(args)
      await until(() => stored() >= stopAfter, 'some parts were stored')
      run.child.kill('SIGKILL')
      expect(await run.ended).toBe('SIGKILL')
      bench.app.cloud.faults.clear()
      const { requests } = bench.app.cloud
      const answered = () => [0, 200].reduce((sum, status) => sum + requests.countAnswered('UploadPart', status), 0)
      await until(() => answered() === requests.count('UploadPart'), 'nothing was in flight')
      sentParts += requests.count('UploadPart')
    }
    expect(await readdir(recordDir)).toHaveLength(1)
    bench.app.cloud.requests.reset()
    const { code, stdout } = await finish(partwayUpload(args))
    expect(code).toBe(0)
    const result = resultIn(stdout)
    expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
    // Each kill costs at most the parts that were in flight.
    expect(sentParts + result.sentBytes / MiB).toBeLessThanOrEqual(24 + 3 * 3)
    expect(result.sentBytes).toBeLessThanOrEqual((24 - 4 - 6 - 5) * MiB)
    expect(
      (await bench.client.listUploads({ state: 'uploading' })).uploads.filter((u) => u.fileName === 'killed.bin'),
    ).toEqual([])
  })

  it('pauses on Ctrl-C, says how to go on, and goes on with the same command', async () => {
    const path = await bench.file(12 * MiB, 'paused.bin')
    const args = [path, '--part-size', '1MiB', '--parallel', '2', '--record-dir', recordDir]
    slowParts(80)
    const run = partwayUpload(args)
    await until(() => stored() >= 3, 'some parts were stored')
    run.child.kill('SIGINT')
    const { code, stderr } = await finish(run)
    expect(code).toBe(3)
    expect(stderr).toContain('the same command goes on from there')
    bench.app.cloud.faults.clear()
    // What was stored had been told to the server before the process ended.
    const { uploads } = await bench.client.listUploads({ state: 'uploading', limit: 1 })
    expect(uploads[0]?.storedBytes).toBeGreaterThanOrEqual(2 * MiB)
    const again = await finish(partwayUpload([...args, '--json']))
    expect(again.code).toBe(0)
    expect(resultIn(again.stdout).sentBytes).toBeLessThanOrEqual(10 * MiB)
    expect(await bench.objectSha256(resultIn(again.stdout).key)).toBe(await sha256OfFile(path))
  })

  it('ends at once on the second Ctrl-C', async () => {
    const path = await bench.file(4 * MiB, 'twice.bin')
    slowParts(60_000)
    // A checkpoint that is never answered would hold the first one up; there is none here, so both come together.
    const run = partwayUpload([path, '--record-dir', recordDir])
    await until(() => bench.partsSent() > 0, 'a part was in flight')
    run.child.kill('SIGINT')
    run.child.kill('SIGTERM')
    expect(await run.ended).toBe(3)
  })

  it('run twice at once over one record directory ends twice with the same object', async () => {
    const path = await bench.file(12 * MiB, 'together.bin')
    slowParts(20)
    const args = [path, '--part-size', '1MiB', '--record-dir', recordDir, '--json']
    const [one, two] = await Promise.all([finish(partwayUpload(args)), finish(partwayUpload(args))])
    expect([one.code, two.code]).toEqual([0, 0])
    expect(await bench.objectSha256(resultIn(one.stdout).key)).toBe(await sha256OfFile(path))
    expect(resultIn(two.stdout).crc64).toBe(resultIn(one.stdout).crc64)
    expect(await readdir(recordDir)).toEqual([])
  })

  it('refuses a file that has changed, and starts from zero when told to', async () => {
    const path = await bench.file(12 * MiB, 'changed.bin')
    const args = [path, '--part-size', '1MiB', '--parallel', '2', '--record-dir', recordDir]
    slowParts(60)
    const run = partwayUpload(args)
    await until(() => stored() >= 4, 'some parts were stored')
    run.child.kill('SIGKILL')
    await run.ended
    bench.app.cloud.faults.clear()
    // Between the samples of the fingerprint, in a part that is stored.
    await changeByteUnseen(path, 200_000)
    const refused = await finish(partwayUpload(args))
    expect(refused.code).toBe(6)
    expect(refused.stderr).toContain('--on-source-changed restart')
    const restarted = await finish(partwayUpload([...args, '--json', '--on-source-changed', 'restart']))
    expect(restarted.code).toBe(0)
    // And what was sent into the old upload before the difference was seen.
    expect(resultIn(restarted.stdout).sentBytes).toBeGreaterThanOrEqual(12 * MiB)
    expect(await bench.objectSha256(resultIn(restarted.stdout).key)).toBe(await sha256OfFile(path))
  })

  it('goes on without records where they cannot be kept', async () => {
    const path = await bench.file(MiB, 'no-records.bin')
    const { code, stderr } = await finish(partwayUpload([path, '--record-dir', '/dev/null/records']))
    expect(code).toBe(0)
    expect(stderr).toContain('records cannot be kept')
  })
})

/** The built command: the sources would bring the compiler along, which takes more memory than what is measured. */
const built = join(root, 'dist/server/cli/main.js')

describe.runIf(existsSync(built) && process.platform === 'linux')('the memory of partway upload', () => {
  const sizes: [string, number, string[]][] = [
    ['a file of 256 MiB', 256 * MiB, []],
    ['parts of 100 MiB, 8 at a time', 256 * MiB, ['--part-size', '100MiB', '--parallel', '8']],
  ]
  // Half a minute and the disk space of the file: only when asked for.
  if (process.env.LONG_TESTS) sizes.push(['a file of over 4 GiB', 4_500_000_001, []])
  for (const [what, sizeBytes, args] of sizes) {
    it(`stays below 150 MB for ${what}`, async () => {
      const path = await sparseFile(sizeBytes)
      const environment = { PARTWAY_URL: bench.app.url, PARTWAY_TOKEN: bench.app.token({ ttlSeconds: 3600 }) }
      const child = spawn(process.execPath, [built, 'upload', path, '--json', '--record-dir', recordDir, ...args], {
        env: { PATH: process.env.PATH, ...environment },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let stdout = ''
      child.stdout.on('data', (text) => {
        stdout += text
      })
      let peakKib = 0
      const watch = setInterval(() => {
        const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
        peakKib = Math.max(peakKib, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0))
      }, 20)
      child.on('exit', () => clearInterval(watch))
      expect((await once(child, 'close'))[0]).toBe(0)
      expect(resultIn(stdout).sentBytes).toBe(sizeBytes)
      expect(await bench.objectSha256(resultIn(stdout).key)).toBe(await sha256OfFile(path))
      expect(peakKib).toBeGreaterThan(30_000)
      expect(peakKib * 1024).toBeLessThan(150_000_000)
    }, 300_000)
  }

  async function sparseFile(sizeBytes: number): Promise<string> {
    const path = join(bench.directory, 'sparse.bin')
    const file = await open(path, 'w')
    await file.truncate(sizeBytes)
    await file.write(Buffer.from('not only zeroes'), 0, 15, sizeBytes - 99)
    await file.close()
    return path
  }
})

describe('partway upload says what is wrong', () => {
  const cases: [string, () => Promise<string[]>, Record<string, string>, number, RegExp][] = [
    ['a missing file', async () => [join(bench.directory, 'nowhere')], {}, 1, /does not exist/],
    ['a directory', async () => [bench.directory], {}, 1, /is a directory/],
    ['standard input', async () => ['-'], {}, 2, /Standard input/],
    ['a FIFO', async () => [await fifo()], {}, 1, /not a regular file/],
    ['a mode nobody knows', async () => ['x', '--mode', 'ftp'], {}, 2, /presigned, sts, auto/],
    ['a part size out of bounds', async () => ['x', '--part-size', '5'], {}, 2, /1MiB to 5GiB/],
    ['no part in flight', async () => ['x', '--parallel', '0'], {}, 2, /1 to 32/],
    [
      'a token nobody accepts',
      async () => [await bench.file(5)],
      { PARTWAY_TOKEN: 'a.b.c' },
      5,
      /does not accept the token/,
    ],
    [
      'a server that is not there',
      async () => [await bench.file(5), '--retry-for', '0'],
      { PARTWAY_URL: 'nobody' },
      4,
      /http:\/\/127.0.0.1:[0-9]+ cannot be reached: ECONNREFUSED/,
    ],
    [
      'a server that is no Partway',
      async () => [await bench.file(5), '--retry-for', '0'],
      { PARTWAY_URL: 'oss' },
      1,
      /HTTP 4/,
    ],
  ]
  for (const [what, args, environment, code, message] of cases) {
    it(`${what}: exit code ${code}`, async () => {
      const urls: Record<string, string> = { oss: bench.app.cloud.ossUrl, nobody: await closedUrl() }
      const url = urls[environment.PARTWAY_URL ?? '']
      const ended = await finish(partwayUpload(await args(), { ...environment, ...(url ? { PARTWAY_URL: url } : {}) }))
      expect(ended.stderr).toMatch(message)
      expect(ended.code).toBe(code)
      expect(ended.stderr).not.toMatch(/\n {4}at /)
      expect(ended.stdout).toBe('')
    })
  }

  /** An address where nobody listens any more. */
  async function closedUrl(): Promise<string> {
    const line = await startBrokenLine(bench.app.url)
    await line.close()
    return line.url
  }

  async function fifo(): Promise<string> {
    const path = join(bench.directory, 'fifo')
    await promisify(execFile)('mkfifo', [path])
    return path
  }
})
