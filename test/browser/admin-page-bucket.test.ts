import { expect, test } from 'vitest'
import { describeInBrowser } from '../support/chromium.ts'
import { beginLongAgo, isThere } from '../support/strays.ts'
import {
  adminPageTests,
  leaveUpload,
  patient,
  sectionOf,
  shownFiles,
  startAdminApp,
  stateOf,
} from './admin-page-support.ts'
import { pageRule } from './upload-page-support.ts'

/** A rule of somebody else’s, and none for unfinished uploads. */
const logs =
  '<LifecycleConfiguration><Rule><ID>logs</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>'

describeInBrowser('the bucket on the admin page', () => {
  const its = adminPageTests(() =>
    startAdminApp({
      cloud: { lifecycle: logs, corsRules: [pageRule] },
      environment: { CORS_ORIGINS: 'https://app.example.com' },
    }),
  )

  test('gets the rule it lacks by a button, after a question', async () => {
    const one = await its.openPage()
    const section = sectionOf(one.page, 'Bucket lifecycle')
    await section.getByText('missing').first().waitFor()
    await section.getByRole('button', { name: 'Add the missing rules' }).click()
    const dialog = one.page.getByRole('dialog', { name: 'Add to the bucket’s lifecycle?' })
    await dialog.getByText('All other rules of the bucket stay as they are').waitFor()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    expect(its.app.cloud.requests.count('PutBucketLifecycle')).toBe(0)
    await section.getByRole('button', { name: 'Add the missing rules' }).click()
    await dialog.getByRole('button', { name: 'Add', exact: true }).click()
    await dialog.getByText('are there').waitFor()
    await dialog.getByRole('button', { name: 'Close' }).click()
    await expect.poll(() => section.getByText('covered').count(), patient).toBe(2)
    expect(await section.getByText('missing').count()).toBe(0)
    expect(its.app.cloud.requests.countAnswered('PutBucketLifecycle', 200)).toBe(1)
  })

  test('tells which web pages may upload', async () => {
    const one = await its.openPage()
    const section = sectionOf(one.page, 'Bucket CORS')
    await section.getByRole('listitem').filter({ hasText: 'https://app.example.com' }).getByText('refused').waitFor()
  })

  test('has orphans, which are adopted, aborted and closed after a question', async () => {
    const begin = async (key: string) => ({ key, id: await beginLongAgo(its.app.cloud, key, [1_048_576]) })
    const isKept = ({ key, id }: { key: string; id: string }) => isThere(its.app.cloud, key, id)
    const [strange, doomed] = [
      await begin('uploads/acme/00000000000000000000000000000001/strange.bin'),
      await begin('uploads/acme/00000000000000000000000000000002/doomed.bin'),
    ]
    const lost = await leaveUpload(its.app, { fileName: 'lost.bin' })
    await its.app.deps.objects.abortUpload(lost.key, lost.uploadId ?? '')
    const one = await its.openPage()
    const section = sectionOf(one.page, 'Orphans')
    const dialog = one.page.getByRole('dialog')
    async function resolve(name: string, verb: string, would: string, was: string) {
      const box = section.getByRole('checkbox', { name: new RegExp(name) })
      await box.check()
      await section.getByRole('button', { name: `${verb} 1` }).click()
      await dialog.getByText(`1 orphan would be ${would}.`).waitFor()
      await dialog.getByRole('button', { name: `${verb} 1 orphan` }).click()
      await dialog.getByText(`1 orphan ${was}.`).waitFor()
      await dialog.getByRole('button', { name: 'Close' }).click()
      await box.waitFor({ state: 'detached' })
    }
    await section
      .getByRole('row', { name: /doomed/ })
      .getByText('at OSS without a row')
      .waitFor()
    await section.getByRole('row', { name: /lost/ }).getByText('row without anything at OSS').waitFor()
    await resolve('doomed', 'Abort', 'aborted', 'aborted')
    expect([await isKept(doomed), await isKept(strange)]).toEqual([false, true])
    await resolve('strange', 'Adopt', 'adopted', 'adopted')
    await expect.poll(() => shownFiles(one.page), patient).toContain('strange.bin')
    await resolve('lost', 'Close', 'closed', 'closed')
    expect(await stateOf(its.app, lost)).toBe('aborted')
  })
})
