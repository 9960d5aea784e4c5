import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startBackgroundWork } from '../../server/background/start-background-work.ts'
import { createBucketSettings } from '../../server/oss/bucket-settings.ts'
import { staticCredentials } from '../../server/oss/credential-source.ts'
import { warnOfLifecycle } from '../../server/uploads/warn-of-lifecycle.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { ROOT_KEY } from '../support/local-cloud.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.close())
beforeEach(() => app.logLines.splice(0))

const rule = (prefix: string, days: number) =>
  `<LifecycleConfiguration><Rule><ID>a</ID><Prefix>${prefix}</Prefix><Status>Enabled</Status><AbortMultipartUpload><Days>${days}</Days></AbortMultipartUpload></Rule></LifecycleConfiguration>`

async function setLifecycle(xml: string): Promise<void> {
  const settings = createBucketSettings({
    ...app.deps.config.oss,
    credentials: staticCredentials(ROOT_KEY),
    now: () => new Date(),
  })
  await settings.writeLifecycle(xml).finally(() => settings.close())
}

const lifecycleLines = (): { level: number; msg: string }[] =>
  app.logLines.map((line) => JSON.parse(line)).filter(({ msg }) => /lifecycle/.test(msg))

/** What the server logs about the lifecycle when it looks. */
async function linesAtStart(deps = app.deps) {
  await warnOfLifecycle(deps)
  return lifecycleLines()
}

describe('at start, the server', () => {
  it('says nothing of a lifecycle that covers its uploads: the local cloud’s does', async () => {
    expect(await linesAtStart()).toEqual([])
  })

  it('warns of a lifecycle without a rule for its prefix', async () => {
    await setLifecycle(rule('videos/', 9))
    expect(await linesAtStart()).toMatchObject([
      { level: 40, msg: expect.stringContaining('No lifecycle rule ends unfinished uploads under uploads/') },
      { level: 40, msg: expect.stringMatching(/under direct\/.* credentials:direct/) },
    ])
  })

  it('warns of direct uploads alone where those alone are never ended, and not where no credentials are vended', async () => {
    await setLifecycle(rule('uploads/', 9))
    expect(await linesAtStart()).toMatchObject([{ level: 40, msg: expect.stringContaining('under direct/') }])
    app.logLines.splice(0)
    const { config } = app.deps
    expect(await linesAtStart({ ...app.deps, config: { ...config, sts: { ...config.sts, roleArn: null } } })).toEqual(
      [],
    )
  })

  it('warns of days that are fewer than uploads live', async () => {
    await setLifecycle(rule('', 6))
    expect(await linesAtStart()).toMatchObject([{ level: 40, msg: expect.stringContaining('after 6 days') }])
  })

  it('warns as soon as its work has begun, and stops without waiting for an OSS that does not answer', async () => {
    await setLifecycle(rule('', 5))
    const work = startBackgroundWork(app.deps)
    await expect.poll(lifecycleLines).toMatchObject([{ msg: expect.stringContaining('after 5 days') }])
    await work.stop()
    app.cloud.faults.add({ match: { verb: 'GetBucketLifecycle' }, effect: { kind: 'delay', delayMs: 60_000 } })
    const before = app.cloud.requests.count('GetBucketLifecycle')
    const silent = startBackgroundWork(app.deps)
    await expect.poll(() => app.cloud.requests.count('GetBucketLifecycle')).toBe(before + 1)
    await silent.stop()
    app.cloud.faults.clear()
  })

  it('goes on without the right to look, and with no answer', async () => {
    const bucketSettings = createBucketSettings({
      ...app.deps.config.oss,
      credentials: staticCredentials({ accessKeyId: 'nobody', accessKeySecret: 'x' }),
      now: () => new Date(),
    })
    expect(await linesAtStart({ ...app.deps, bucketSettings })).toMatchObject([
      { level: 30, msg: expect.stringContaining('oss:GetBucketLifecycle') },
    ])
    await bucketSettings.close()
    app.logLines.splice(0)
    app.cloud.faults.add({ match: { verb: 'GetBucketLifecycle' }, effect: { kind: 'cut', at: 'start' } })
    expect(await linesAtStart()).toMatchObject([
      { level: 30, msg: 'the lifecycle of the bucket could not be looked at' },
    ])
  })
})
