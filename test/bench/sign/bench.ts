import { randomBytes } from 'node:crypto'
import { canonicalRequestV4, stringToSignV4 } from '@partway/client/contract'
import { signatureV4 } from '../../../server/oss/sign-v4.ts'
import { type Measured, runContender } from '../support/contender-process.ts'
import { readOptions } from '../support/options.ts'
import { installPeers, peerName } from '../support/peers.ts'
import { startReport } from '../support/report.ts'
import { failureText, inTurn } from '../support/rounds.ts'
import { median, spreadOf } from '../support/statistics.ts'
import { figure, spread, times } from '../support/table.ts'
import type { SignInput, SignResult } from './input.ts'

export const about = 'presigned part URLs per second of processor time on one core'

/** Those of the grant function: everything of `POST …/grants` but HTTP, JSON and the statement in Postgres. */
export async function run(given: string[]): Promise<boolean> {
  installPeers()
  const options = readOptions(given, { rounds: 9, warmUpMs: 1500, workMs: 2000 })
  const report = startReport('sign', given, options)
  const input: SignInput = {
    accessKeyId: 'STS.NUexampleexampleexample',
    accessKeySecret: randomBytes(22).toString('hex'),
    securityToken: randomBytes(600).toString('base64'),
    bucket: 'examplebucket',
    region: 'cn-hangzhou',
    key: `uploads/alice/${randomBytes(16).toString('hex')}/holiday video.mp4`,
    uploadId: randomBytes(16).toString('hex').toUpperCase(),
    partSizeBytes: 8 * 2 ** 20,
    expiresSeconds: 900,
    md5s: Array.from({ length: 1000 }, () => randomBytes(16).toString('base64')),
    ...options,
  }
  const contender = (name: string, file: string, extra: object = {}) => ({
    name,
    run: async () => {
      const measured = await runContender<SignInput, SignResult>(new URL(file, import.meta.url), { ...input, ...extra })
      if (file !== './floor.ts') check(file, measured, input)
      return measured
    },
  })
  const partway = 'Partway: issueGrants'
  const floor = 'floor: 1 SHA-256 + 1 HMAC-SHA256'
  const aliOss = `${peerName('ali-oss')}: signatureUrlV4`
  const aws = `${peerName('@aws-sdk/s3-request-presigner')}: getSignedUrl`
  const outcomes = await inTurn(
    [
      contender(partway, './partway.ts'),
      contender(floor, './floor.ts', lengthsOf(input)),
      contender(aliOss, './ali-oss.ts'),
      contender(aws, './aws.ts'),
    ],
    options,
  )
  const rates = new Map(
    outcomes.map(({ name, results }) => [name, results.map(({ result }) => result.urls / result.cpuSeconds)]),
  )
  report.raw('urlsPerCpuSecond', Object.fromEntries(rates))
  const rateOf = (name: string) => rates.get(name) ?? []
  /** Round by round: what else the machine did meanwhile hit both. */
  const ratio = (name: string) => {
    const rounds = Math.min(rateOf(partway).length, rateOf(name).length)
    const ratios = Array.from(
      { length: rounds },
      (_, round) => (rateOf(partway)[round] ?? 0) / (rateOf(name)[round] ?? 1),
    )
    return ratios.length > 0 ? median(ratios) : null
  }
  report.table(
    ['signer', 'URLs/s: median (min … max)', 'µs each', 'Partway is'],
    outcomes.map((outcome) => {
      const own = rateOf(outcome.name)
      if (own.length === 0) return [outcome.name, failureText(outcome), '', '']
      return [
        `${outcome.name} ${failureText(outcome)}`.trim(),
        spread(spreadOf(own)),
        figure(1e6 / median(own)),
        outcome.name === partway ? '' : times(ratio(outcome.name) ?? 0),
      ]
    }),
  )
  report.note(
    `Each URL binds method, key, upload id, part number, Content-Length, Content-MD5 and a security token of ${input.securityToken.length} characters. ` +
      'Partway: the use case as the server runs it in batches of 100, the statement answered at once, HTTP and JSON left out.',
  )
  const wanted: [name: string, atLeast: number][] = [
    [floor, 0.85],
    [aliOss, 15],
    [aws, 80],
  ]
  for (const [name, atLeast] of wanted) {
    const found = ratio(name)
    report.target({
      work: `URLs/s against ${name}`,
      figure: found === null ? 'not measured' : times(found),
      target: `≥ ${atLeast} ×`,
      isMet: found === null ? null : found >= atLeast,
    })
  }
  return report.end()
}

/** How long the texts are that Partway signs for a part in the middle. */
function lengthsOf(input: SignInput): { canonicalLength: number; textLength: number } {
  const timestamp = '20250115T083000Z'
  const canonical = canonicalRequestV4({
    method: 'PUT',
    bucket: input.bucket,
    key: input.key,
    query: {
      partNumber: '500',
      uploadId: input.uploadId,
      'x-oss-additional-headers': 'content-length',
      'x-oss-credential': `${input.accessKeyId}/20250115/${input.region}/oss/aliyun_v4_request`,
      'x-oss-date': timestamp,
      'x-oss-expires': String(input.expiresSeconds),
      'x-oss-security-token': input.securityToken,
      'x-oss-signature-version': 'OSS4-HMAC-SHA256',
    },
    headers: { 'content-md5': input.md5s[0] ?? '', 'content-length': String(input.partSizeBytes) },
    additionalHeaders: ['content-length'],
  })
  const toSign = stringToSignV4(timestamp, input.region, '0'.repeat(64))
  return { canonicalLength: canonical.length, textLength: toSign.length }
}

/** Throws unless the URL is one that binds all it should; OSS's signature is computed anew from what the URL says. */
function check(file: string, { result }: Measured<SignResult>, input: SignInput): void {
  const url = new URL(result.url)
  const said = url.searchParams
  const partNumber = Number(said.get('partNumber'))
  if (said.get('uploadId') !== input.uploadId || !(partNumber > 0)) throw new Error(`${file} signed another part`)
  if (file === './aws.ts') {
    const signed = said.get('X-Amz-SignedHeaders')
    if (signed !== 'content-length;content-md5;host') throw new Error(`${file} bound only ${signed}`)
    return
  }
  const timestamp = said.get('x-oss-date') ?? ''
  const canonical = canonicalRequestV4({
    method: 'PUT',
    bucket: input.bucket,
    key: input.key,
    query: [...said].filter(([name]) => name !== 'x-oss-signature'),
    headers: { 'content-md5': input.md5s[partNumber - 1] ?? '', 'content-length': String(input.partSizeBytes) },
    additionalHeaders: ['content-length'],
  })
  const expected = signatureV4(input.accessKeySecret, timestamp, input.region, canonical)
  if (said.get('x-oss-signature') !== expected) throw new Error(`${file} signed something else`)
}
