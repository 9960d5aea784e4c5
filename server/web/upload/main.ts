/*
 * The upload page, and an example of how a page uses the SDK: a client with a token, a queue over it, and views that show what the queue
 * tells. Everything that makes uploads survive is in the SDK; here is only what a user sees and does.
 */
import { createUploadClient } from '@partway/client'
import { createUploadQueue, type QueueProgress } from '@partway/client/queue'
import { createAnnouncer } from '../shared/announcer.ts'
import { element, setText } from '../shared/element.ts'
import { countText } from '../shared/figures.ts'
import { baseUrlOf, tokenOf } from '../shared/page-address.ts'
import { createSignInForm } from '../shared/sign-in-form.ts'
import { type ChosenFile, chooseOne, offerToChoose } from './choose-files.ts'
import { createKeptFiles, openKept } from './kept-files.ts'
import { isOfSignIn, pageHintOf } from './messages.ts'
import { checkToken, createSession } from './session.ts'
import { createTotals } from './totals.ts'
import { createUnfinishedList } from './unfinished-list.ts'
import { createUploadList } from './upload-list.ts'

const find = (selector: string) => element(document, selector, HTMLElement)
const baseUrl = baseUrlOf(location)
const mode = element(document, 'meta[name="partway-sign-in"]', HTMLMetaElement).content === 'link' ? 'link' : 'form'

const announcer = createAnnouncer(find('#announcer'))
const session = createSession(baseUrl, (isRenewal) => {
  form.open(
    isRenewal
      ? 'The server does not take your token any more: it has expired. Uploads go on when you have signed in again.'
      : '',
  )
  if (isRenewal) announcer.say('Sign in again, and uploads go on')
})
const client = createUploadClient({ baseUrl, token: session.token })
const queue = createUploadQueue(client, {
  onChange: (progress) => {
    totals.update(progress)
    warnBeforeLeaving(progress)
  },
  onItemChange: (item) => uploads.changed(item),
})
const keptFiles = createKeptFiles()

const uploads = createUploadList(find('#queue'), queue, announcer, {
  onUploadKnown(uploadId, { kept }) {
    unfinished.drop(uploadId)
    if (kept) void keptFiles.keep(uploadId, kept)
  },
  onUploadLeft(uploadId, isUnfinished) {
    if (isUnfinished) void unfinished.refresh()
    else if (uploadId !== undefined) void keptFiles.forget(uploadId)
  },
  onNotice(notice) {
    const hint = pageHintOf(notice)
    if (hint === undefined) return
    setText(find('#quiet-hint'), hint)
    find('#quiet-hint').hidden = false
  },
  onReopen: reopen,
})
const totals = createTotals(find('#queue'), queue, { announcer, onClear: () => uploads.clear() })
const unfinished = createUnfinishedList(find('#unfinished'), {
  client,
  keptFiles,
  isHere: uploads.has,
  onFile: (file) => uploads.add([file]),
})
const form = createSignInForm(element(document, '#sign-in', HTMLFormElement), {
  help:
    mode === 'link'
      ? 'The link that “npx partway serve” printed signs you in. For another user: npx partway token --sub NAME --scope uploads'
      : 'Your application’s backend makes it for you: a JWT with the scope “uploads”. It stays in this tab’s memory and is gone when you close or reload it.',
  notAllowed: 'This token does not allow uploads: it needs the scope “uploads”.',
  check: (token) => checkToken(baseUrl, token),
  onToken: signIn,
})

offerToChoose(find('#choose'), {
  onFiles(files) {
    uploads.add(files)
    if (files.length > 0) announcer.say(`${countText(files.length, 'file')} added`)
  },
  onUnreadable: (path) => announcer.say(`${path} cannot be read`),
})

function signIn(token: string) {
  session.signIn(token)
  form.close()
  find('#choose').hidden = false
  // Those that could not wait any longer.
  for (const item of queue.items) if (item.state === 'failed' && isOfSignIn(item.error)) item.retry()
  void unfinished.refresh()
}

async function reopen({ fileName, kept }: ChosenFile): Promise<ChosenFile | undefined> {
  const source = kept && (await openKept(kept))
  if (source) return { source, fileName, kept }
  const chosen = await chooseOne()
  return chosen && { ...chosen, fileName }
}

/** A page that warns without need is closed without reading: only while bytes are really on their way. */
function warnBeforeLeaving({ files }: QueueProgress) {
  const isSending = files.sending + files.verifying > 0
  if (isSending) addEventListener('beforeunload', warn)
  else removeEventListener('beforeunload', warn)
}
function warn(event: BeforeUnloadEvent) {
  event.preventDefault()
}

function showConnection() {
  find('#offline').hidden = navigator.onLine
  if (!navigator.onLine) announcer.say('You are offline. Uploads go on by themselves later')
}
addEventListener('online', showConnection)
addEventListener('offline', showConnection)
showConnection()

/** A link signs in where the server prints such links. Elsewhere no token belongs into an address, which is kept and shown around. */
function signInByLink() {
  const token = tokenOf(location)
  if (token === undefined) return
  if (mode === 'link') signIn(token)
  else history.replaceState(null, '', `${location.pathname}${location.search}`)
}
addEventListener('hashchange', signInByLink)
signInByLink()
if (!session.isSignedIn) form.open()

// Another device or tab may have gone on meanwhile.
addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && session.isSignedIn) void unfinished.refresh()
})
