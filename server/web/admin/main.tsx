/* The admin page: a door with a form for a token, and behind it the board. Nothing of it outlives the tab, and the token is in one variable. */
import { render } from 'preact'
import { createAnnouncer } from '../shared/announcer.ts'
import { element } from '../shared/element.ts'
import { tokenOf } from '../shared/page-address.ts'
import { createSignInForm } from '../shared/sign-in-form.ts'
import { createAdminApi } from './admin-api.ts'
import { Board } from './board.tsx'

const mode = element(document, 'meta[name="partway-sign-in"]', HTMLMetaElement).content === 'link' ? 'link' : 'form'
const door = element(document, '#door', HTMLElement)
const board = element(document, '#board', HTMLElement)
const announcer = createAnnouncer(element(document, '#announcer', HTMLElement))

const api = createAdminApi({
  // The page is at `admin/` of wherever the server is mounted.
  baseUrl: new URL('..', location.href).href,
  onRefused: () => leave('The server does not take your token any more: it has expired.'),
})

const form = createSignInForm(element(document, '#sign-in', HTMLFormElement), {
  help:
    mode === 'link'
      ? 'The link that “npx partway serve” printed signs you in, and so does the admin token beside it.'
      : 'A JWT with the scope “admin”, made by your application’s backend. It stays in this tab’s memory and is gone when you close or reload it.',
  notAllowed: 'This token is not an administrator’s: it needs the scope “admin”.',
  check: api.check,
  onToken: enter,
})

function enter(token: string) {
  // A board that is there was read with another token.
  render(null, board)
  api.signIn(token)
  form.close()
  door.hidden = true
  render(<Board api={api} announcer={announcer} onSignOut={() => leave('')} />, board)
}

/** What the board showed was for a token that is gone: nothing of it stays. */
function leave(reason: string) {
  api.signOut()
  render(null, board)
  door.hidden = false
  form.open(reason)
}

/** A link signs in where the server prints such links; in any case the token leaves the address, which is kept and shown around. */
function signInByLink() {
  const token = tokenOf(location)
  if (token === undefined) return
  history.replaceState(null, '', `${location.pathname}${location.search}`)
  if (mode === 'link') enter(token)
}
addEventListener('hashchange', signInByLink)
signInByLink()
if (!door.hidden) form.open()
